/**
 * A trace for people.
 *
 * Owns: its three forms: `hops` reads like a traceroute with a reason on every line, `logical` goes device by device, `flows` shows every flow that was hit.
 */
import type {
  TraceAnswer,
  TraceHop,
  TraceReason,
  TraceStepAnswer,
  TraceTunnel,
  TraceVerdict,
  TraceVerification,
  TraceVisit,
} from '../../flows/trace/explain/answer.js';
import { TABLES, type TableName } from '../../flows/pipeline/tables.js';

export const TRACE_FORMATS = ['hops', 'logical', 'flows', 'json'] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

/** Marks a word by what it means for whoever reads it. */
export type Paint = (text: string, verdict: TraceVerdict) => string;

export const plain: Paint = (text) => text;

const COLOURS: Readonly<Record<TraceVerdict, number>> = { delivered: 32, answered: 32, rejected: 31, dropped: 31, undecidable: 33 };

/** SGR sequences of ECMA-48. */
export const coloured: Paint = (text, verdict) => `\u001b[${COLOURS[verdict]}m${text}\u001b[0m`;

export function traceText(answer: TraceAnswer, format: Exclude<TraceFormat, 'json'>, paint: Paint): string {
  const body = format === 'hops' ? hopLines(answer, paint) : format === 'logical' ? logicalLines(answer, paint) : flowLines(answer, paint);
  return [headline(answer), ...body].map((line) => `${line}\n`).join('');
}

const STATES = { new: '', established: ', established', reply: ', an answer' } as const;

function headline({ source, destination, packet, ct_state, revision, uncommitted, ttl, size }: TraceAnswer): string {
  const to = destination.name === null ? destination.address : `${destination.name} (${destination.address})`;
  const model = `revision ${revision}${uncommitted ? ' with changes that are not committed' : ''}`;
  return `trace to ${to} from ${source.name} (${source.address}): ${packet}${STATES[ct_state]}, ttl ${ttl}, ${size} bytes, ${model}`;
}

function hopLines(answer: TraceAnswer, paint: Paint): string[] {
  const rows = answer.hops.map(({ n, name, address, reason, rewrites, ttl: [before, after] }) => [
    String(n),
    name,
    address ?? '*',
    [reason, ...translated(rewrites), `ttl ${before} → ${after}`].join(', '),
  ]);
  const isAtRouter = answer.reason.code === 'ttl' && rows.length > 0;
  const last = isAtRouter ? rows.pop()! : endRow(answer);
  rows.push([...last.slice(0, 3), verdictText(answer, paint)]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const table = rows.map(
    ([n, name, address, text]) =>
      `${n!.padStart(Math.max(2, widths[0]!))}  ${name!.padEnd(widths[1]!)}  ${address!.padEnd(widths[2]!)}  ${text}`,
  );
  return [...table, ...notes(answer, paint).map((note) => `    ${note}`)];
}

/** Routers change MACs anyway. */
function translated(rewrites: TraceHop['rewrites']): string[] {
  const changed = Object.entries(rewrites).filter(([field]) => !field.startsWith('eth_'));
  return changed.map(([field, { before, after }]) => `${field} ${before} → ${after}`);
}

function endRow({ hops, destination }: TraceAnswer): string[] {
  return [String(hops.length + 1), destination.name ?? destination.address, destination.address];
}

function verdictText({ verdict, reason }: Pick<TraceAnswer, 'verdict' | 'reason'>, paint: Paint): string {
  return `${paint(verdict.toUpperCase(), verdict)}: ${reasonText(reason)}`;
}

function reasonText({ text, told, datapath_uuid, table }: TraceReason): string {
  const where = table === null ? '' : ` [${datapath_uuid} ${table}]`;
  return `${text}${told === null ? '' : `; the sender is told: ${told}`}${where}`;
}

/** What is worth knowing beside the way itself. */
function notes(answer: TraceAnswer, paint: Paint): string[] {
  const { reason, would_be, pending, tunnels, admitted_by, traceroute, assumptions } = answer;
  const nearest = (would_be?.reason ?? reason).nearest;
  return [
    ...(would_be === null ? [] : [`it would be ${paint(would_be.verdict, would_be.verdict)}: ${reasonText(would_be.reason)}`]),
    ...pending
      .slice(1)
      .map(({ datapath_uuid, applied_revision }) => `${datapath_uuid} is behind too: at revision ${applied_revision ?? 'unknown'}`),
    ...(nearest === null
      ? []
      : [`nearest: ${nearest.rule_uuid} of ${nearest.security_group_uuid} (${nearest.text}); ${nearest.differs.join('; ')}`]),
    ...(admitted_by.length === 0 ? [] : [`admitted by ${admitted_by.join(', ')}`]),
    ...tunnels.map(tunnelText),
    ...(traceroute.length === 0
      ? []
      : [
          `traceroute shows ${traceroute.map(({ address, mark }) => (mark === '?' ? mark : `${address ?? '*'}${mark === '' ? '' : ` ${mark}`}`)).join(', ')}`,
        ]),
    ...(answer.return === null
      ? []
      : [`return path${answer.verdict === 'undecidable' ? ', if it is answered' : ''}: ${returnText(answer.return, paint)}`]),
    ...(answer.verified ?? []).map(verifiedText),
    ...assumptions.map((text) => `depends on: ${text}`),
  ];
}

function tunnelText({ from, to, encapsulation, local, remote, vni, mtu }: TraceTunnel): string {
  if (encapsulation === null) return `from ${from} to ${to} as it is, on the physical network both are on`;
  return `tunnel from ${from} to ${to}: ${encapsulation} ${local} → ${remote}, vni ${vni}${mtu === null ? '' : `, mtu ${mtu}`}`;
}

function verifiedText({ datapath_uuid, agrees, difference, partly, error }: TraceVerification): string {
  if (agrees === null) return `not verified on ${datapath_uuid}: ${error}`;
  if (difference === null)
    return `verified: the switch of ${datapath_uuid} agrees${partly ? '; what it sends where was not compared' : ''}`;
  return `ALARM: the switch of ${datapath_uuid} does otherwise (${difference.what}): ${difference.switch}, not ${difference.trace}`;
}

function returnText({ verdict, reason, hops }: NonNullable<TraceAnswer['return']>, paint: Paint): string {
  const by = hops.length === 0 ? '' : `, by ${hops.map(({ name }) => name).join(', ')}`;
  return `${paint(verdict, verdict)}, ${reasonText(reason)}${by}`;
}

function logicalLines(answer: TraceAnswer, paint: Paint): string[] {
  const lines = answer.visits.flatMap((visit) => [
    `${visit.datapath_uuid}: in by ${visit.by}`,
    ...visit.steps.filter(isSomebodys).map((step) => `  ${stepText(step)}`),
    ...endings(visit),
  ]);
  return [...lines, verdictText(answer, paint), ...notes(answer, paint)];
}

/** What a flow of a table says of a packet; of others, what the table is for has to do. */
const MEANS: Partial<Record<TableName, string>> = {
  CLASSIFY: 'comes in by',
  PORT_SEC: 'may send from its addresses',
  EG_POLICY: 'let out, or not, by',
  L2L3: 'is for router port',
  POLICY_ROUTES: 'takes policy route',
  FIB: 'takes route',
  HOPS: 'crosses',
  NEIGH: 'is for',
  ROUTED: 'leaves the router by',
  L2_LOOKUP: 'goes to',
  OUT_REMOTE: 'is elsewhere, at',
  TUNNEL_OUT: 'into the tunnel to',
  TUNNEL_IN: 'out of the tunnel from',
  TUNNEL_SEGMENT: 'is in',
  TUNNEL_ADMIT: 'may come from',
  IN_POLICY: 'let in, or not, by',
  OUT_LOCAL: 'goes out by',
};

/** What the pipeline does with every packet says nothing about this one. */
function isSomebodys({ uuids }: TraceStepAnswer): boolean {
  return uuids.some((uuid) => uuid !== 'pipeline');
}

function stepText({ table_name, uuids, rule, rewrites, depth }: TraceStepAnswer): string {
  const does = MEANS[table_name as TableName] ?? (table_name in TABLES ? TABLES[table_name as TableName].does : table_name);
  const changed = Object.entries(rewrites).map(([field, { before, after }]) => `${field} ${before} → ${after}`);
  const what = changed.length === 0 ? '' : `; ${changed.join(', ')}`;
  return `${'  '.repeat(depth)}${does}: ${uuids.join(', ')} (${rule})${what}`;
}

function endings({ outputs, punts, drops }: TraceVisit): string[] {
  return [
    ...outputs.map(({ port }) => `  out by ${port}`),
    ...punts.map(({ kind }) => `  to the agent: ${kind}`),
    ...drops.map(({ reason }) => `  dropped: ${reason}`),
  ];
}

function flowLines(answer: TraceAnswer, paint: Paint): string[] {
  const lines = answer.visits.flatMap((visit) => {
    let pass = 0;
    return [
      `${visit.datapath_uuid}: in by ${visit.by}: ${Object.entries(visit.packet)
        .map(([field, value]) => `${field}=${value}`)
        .join(',')}`,
      ...visit.steps.flatMap((step) => {
        const resumed = step.pass === pass ? [] : [`  after conntrack (${visit.conntrack[step.pass - 1]?.state ?? 'unknown'})`];
        pass = step.pass;
        return [...resumed, ...flowText(step)];
      }),
      ...endings(visit),
    ];
  });
  return [...lines, verdictText(answer, paint), ...notes(answer, paint)];
}

function flowText({ table, table_name, priority, cookie, match, actions, uuids, rule, conjunction, depth }: TraceStepAnswer): string[] {
  const indent = '  '.repeat(depth + 1);
  if (priority === null) return [`${indent}${table}(${table_name}) no flow`];
  const head = `${indent}${table}(${table_name}) priority ${priority}, cookie ${cookie}  # ${[rule ?? '', ...uuids].join(' ')}`;
  const dimensions = (conjunction?.dimensions ?? []).map((one) => `${indent}    ${one.match}  # ${one.uuids.join(' ')}`);
  return [head, `${indent}  ${match === '' ? 'any' : match}`, ...dimensions, `${indent}  → ${actions}`];
}
