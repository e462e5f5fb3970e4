/**
 * A plan for people.
 */
import type { Plan } from '../../controller/messages/plan.js';
import { serviceText } from '../../flows/trace/reach/services.js';

const SIGNS = { create: '+', update: '~', delete: '-', add: '+', change: '~', remove: '-' } as const;

export function planText({ revision, changed, entities, datapaths, reachability, uncounted }: Plan): string {
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
    ...reachLines(reachability),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

type Reach = Plan['reachability'];
type Change = Reach['changes'][number];

const SAID = { opens: 'would have more open', closes: 'would have more closed', unsure: 'would depend on what cannot be known' } as const;
const REACH_SIGNS = { opens: '+', closes: '-', unsure: '?' } as const;
/** So many members of a class are named. */
const SHOWN = 4;

function reachLines({ services, changes, compared, notes }: Reach): string[] {
  const summary = (['opens', 'closes', 'unsure'] as const).flatMap((op) => {
    const pairs = new Map(
      changes.flatMap((one) => (one.op === op ? [[`${one.example.source} ${one.example.destination}`, one.pairs]] : [])),
    );
    const count = [...pairs.values()].reduce((sum, more) => sum + more, 0);
    return count === 0 ? [] : [`${count} ${count === 1 ? 'pair' : 'pairs'} ${SAID[op]}`];
  });
  return [
    ...(compared === 0 ? [] : [`reachability: ${summary.length === 0 ? 'as it is' : summary.join('; ')}`]),
    ...changes.map((change) => {
      const which = change.services.map((at) => partText(services[at]!)).join(', ');
      const family = change.families.length === 1 ? ` over ${change.families[0] === 'ipv4' ? 'IPv4' : 'IPv6'}` : '';
      const pair = `${membersText(change.source)} → ${change.destination.address ?? membersText(change.destination)}`;
      return `  ${REACH_SIGNS[change.op]} ${pair}: ${which}${family}  # ${whyText(change)}`;
    }),
    ...notes.map((note) => `reachability: ${note}`),
  ];
}

function partText({ protocol, ports, icmp_type }: Reach['services'][number]): string {
  return serviceText({ ask: { protocol, ...(icmp_type === null ? {} : { icmp_type }) }, ports });
}

function membersText({ count, interface_uuids }: Change['source']): string {
  const named = interface_uuids.slice(0, SHOWN).join(' ');
  return count > SHOWN ? `${named} and ${count - SHOWN} more` : named;
}

/** Who lets it through, or keeps it back. */
function whyText({ op, before, after }: Change): string {
  const told = op === 'closes' ? (after ?? before) : after;
  if (told === null) return 'one of them is not there';
  if (op === 'closes' && after === null) return 'one of them is gone';
  return told.admitted_by.length > 0 && op === 'opens' ? `by ${told.admitted_by.join(', ')}` : told.text;
}
