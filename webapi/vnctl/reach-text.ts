/**
 * Reachability for people: a line for each pair of classes and service, and who is in the classes.
 */
import type { ReachAnswer, ReachCell } from '../../flows/trace/reach/answer.js';
import type { Paint } from './trace-text.js';

/** So many members of a class are named. */
const SHOWN = 4;

export function reachText(answer: ReachAnswer, paint: Paint): string {
  const { classes, cells, left_out, pending, notes } = answer;
  const rows = cells.map((cell) => [
    `${cell.source} → ${cell.destination}`,
    serviceText(answer.services[cell.service]!),
    `${cell.pairs} ${cell.pairs === 1 ? 'pair' : 'pairs'}`,
    cell.verdict,
    reasonText(cell),
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(0, ...rows.map((row) => row[column]!.length)));
  const lines = [
    ...classes.map(classLine),
    ...(rows.length === 0 ? ['no pairs'] : ['']),
    ...rows.map((row, at) => {
      const [way, service, pairs, verdict] = widths.map((width, column) => row[column]!.padEnd(width)) as [string, string, string, string];
      return `${way}  ${service}  ${pairs}  ${paint(verdict.toUpperCase(), cells[at]!.verdict)}  ${row[4]!}`.trimEnd();
    }),
    ...left_out.map(({ interface_uuid, why }) => `left out: ${interface_uuid} ${why}`),
    ...pending.map(
      ({ datapath_uuid, applied_revision }) => `not applied yet: ${datapath_uuid} has ${applied_revision ?? 'nothing that is known'}`,
    ),
    ...notes.map((note) => `depends on: ${note}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function classLine({
  id,
  datapath_uuids,
  network_uuids,
  security_group_uuids,
  alone,
  sources,
  destinations,
}: ReachAnswer['classes'][number]): string {
  const [first, ...others] = datapath_uuids;
  const where =
    first === undefined
      ? 'plugged nowhere'
      : `on ${others.length < SHOWN ? datapath_uuids.join(' ') : `${datapath_uuids.length} datapaths`}`;
  const groups = security_group_uuids.length === 0 ? '' : `, ${security_group_uuids.join(' ')}`;
  const why = alone === null ? '' : `, alone: ${alone}`;
  const sides = [
    ...(sources.count === 0 ? [] : [`from ${membersText(sources)}`]),
    ...(destinations.count === 0 ? [] : [`to ${membersText(destinations)}`]),
  ];
  return `class ${id}: ${network_uuids.join(' ')} ${where}${groups}${why}: ${sides.join('; ')}`;
}

function membersText({ count, interface_uuids }: ReachAnswer['classes'][number]['sources']): string {
  const named = interface_uuids.slice(0, SHOWN).join(' ');
  return count > SHOWN ? `${named} and ${count - SHOWN} more` : named;
}

function serviceText({ protocol, port, icmp_type }: ReachAnswer['services'][number]): string {
  return [protocol, port ?? icmp_type].filter((part) => part !== undefined).join(' ');
}

function reasonText({ reason, admitted_by }: ReachCell): string {
  if (reason.code === 'delivered') return admitted_by.length === 0 ? '' : `by ${admitted_by.join(', ')}`;
  const nearest = reason.nearest === null ? '' : ` (nearest: ${reason.nearest.rule_uuid})`;
  return `${reason.text}${nearest}`;
}
