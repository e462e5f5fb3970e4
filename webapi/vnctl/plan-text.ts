/**
 * A plan for people.
 */
import type { Plan } from '../../controller/messages/plan.js';

const SIGNS = { create: '+', update: '~', delete: '-', add: '+', change: '~', remove: '-' } as const;

export function planText({ revision, changed, entities, datapaths, uncounted }: Plan): string {
  const lines = [
    `plan on revision ${revision}; nothing was changed`,
    ...(changed ? [] : ['nothing would differ']),
    ...entities.map(({ op, kind, uuid, fields }) => `${SIGNS[op]} ${kind} ${uuid}${fields.length === 0 ? '' : `: ${fields.join(', ')}`}`),
    ...datapaths.flatMap(({ datapath_uuid, added, changed: altered, removed, flows }) => [
      `${datapath_uuid}: ${added} flows added, ${altered} changed, ${removed} removed`,
      ...flows.map(({ op, table, table_name, text, rule, uuids }) => {
        const flow = text.replace(/^(cookie=0x[0-9a-f]+, |table=\d+, )*/, '');
        return `  ${SIGNS[op]} ${table}(${table_name}) ${flow}${rule === null ? '' : `  # ${[rule, ...uuids].join(' ')}`}`;
      }),
      ...(added + altered + removed > flows.length ? [`  and ${added + altered + removed - flows.length} more`] : []),
    ]),
    ...(uncounted.length === 0 ? [] : [`and flows of ${uncounted.length} more datapaths`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
