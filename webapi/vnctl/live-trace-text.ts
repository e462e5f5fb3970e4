/**
 * A live trace for people: packet by packet, a line for each place where it was seen.
 */
import type { LiveAnswer, LiveJourney, LiveSeen, LiveVerdict } from '../../controller/live/answer.js';
import type { TraceVerdict } from '../../flows/trace/explain/answer.js';
import type { Paint } from './trace-text.js';

const PAINTED_AS: Readonly<Record<LiveVerdict, TraceVerdict>> = {
  delivered: 'delivered',
  answered: 'answered',
  left: 'delivered',
  rejected: 'rejected',
  dropped: 'dropped',
  unseen: 'undecidable',
};

export function liveTraceText(answer: LiveAnswer, paint: Paint): string {
  const { live, revision, packets, ended, missed, watched } = answer;
  const filter = Object.entries(live.filter).map(([name, value]) => `${name} ${value}`);
  const lines = [
    `live trace of ${live.interface}: ${filter.join(', ')}${live.dropped_only ? ', only what is dropped' : ''}, revision ${revision}`,
    ...packets.flatMap((packet, i) => journeyLines(packet, i + 1, paint)),
    `${packets.length} of ${live.count} ${live.count === 1 ? 'packet' : 'packets'} seen${ended === 'timeout' ? ` in ${live.timeout} s` : ''}`,
    ...(missed === 0 ? [] : [`${missed} sightings came too fast to be kept`]),
    ...watched.flatMap(({ datapath_uuid, error }) => (error === null ? [] : [`not watched: ${datapath_uuid}: ${error}`])),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function journeyLines({ packet, at, verdict, reason, seen, admitted_by, expected }: LiveJourney, n: number, paint: Paint): string[] {
  const ttl = packet.ttl === null ? '' : `, ttl ${packet.ttl}`;
  const where = reason.table === null ? '' : ` [${reason.datapath_uuid} ${reason.table}]`;
  const { nearest } = reason;
  const width = Math.max(...seen.map(({ datapath_uuid }) => datapath_uuid.length));
  const ways = seen.flatMap((one, i) => {
    const text = wayText(one, seen[i - 1]);
    return text === undefined ? [] : [`    ${one.datapath_uuid.padEnd(width)}  ${text}`];
  });
  return [
    `${String(n).padStart(2)}  ${at.slice(11, 23)}  ${packet.line}${ttl}, ${packet.size} bytes`,
    ...ways,
    `    ${paint(verdict.toUpperCase(), PAINTED_AS[verdict])}: ${reason.text}${where}`,
    ...(nearest === null
      ? []
      : [`    nearest: ${nearest.rule_uuid} of ${nearest.security_group_uuid} (${nearest.text}); ${nearest.differs.join('; ')}`]),
    ...(admitted_by.length === 0 ? [] : [`    admitted by ${admitted_by.join(', ')}`]),
    ...(expected === null || expected.agrees ? [] : [`    a trace says otherwise: ${expected.verdict}, ${expected.text}`]),
  ];
}

/** Where it was on its way; how it ended is said of the whole. */
function wayText({ point, peer_uuid, packet }: LiveSeen, before: LiveSeen | undefined): string | undefined {
  const changes = before === undefined ? '' : changesText(before.packet, packet);
  switch (point) {
    case 'entry':
      return 'came in';
    case 'sent':
      return `sent to ${peer_uuid ?? 'another hypervisor'}${changes}`;
    case 'arrival':
      return `arrived from ${peer_uuid ?? 'another hypervisor'}${changes}`;
    default:
      return `${WORDS[point]}${changes}`;
  }
}

const WORDS: Readonly<Record<Exclude<LiveSeen['point'], 'entry' | 'sent' | 'arrival'>, string>> = {
  local: 'answered',
  delivered: 'went out of a port',
  flooded: 'went to many ports',
  left: 'went to a physical network',
  refused: 'refused, and its sender told',
  answered: 'answered by a router',
  dropped: 'dropped',
};

function changesText(before: LiveSeen['packet'], after: LiveSeen['packet']): string {
  const text = (end: LiveSeen['packet']['source']) => (end === null ? '' : `${end.address}${end.port === null ? '' : ` port ${end.port}`}`);
  const changed = [
    ['ttl', String(before.ttl), String(after.ttl)],
    ['from', text(before.source), text(after.source)],
    ['to', text(before.destination), text(after.destination)],
  ].filter(([, was, is]) => was !== is);
  return changed.map(([name, was, is]) => `, ${name} ${was} → ${is}`).join('');
}
