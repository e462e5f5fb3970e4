/**
 * `vnctl trace`, of a packet that is made up or, with `--live`, of real ones.
 *
 * Promises: the exit code says what becomes of the packet: 0 it arrives, or is answered; 4 it does not; 5 it cannot be known, or a switch contradicts. Of
 * several real packets it is 4 when one did not arrive, 5 when none was seen or the end of one was not.
 */
import { type Command, Option } from 'commander';
import { parseDocument } from 'yaml';
import type { LiveAnswer } from '../../controller/live/answer.js';
import type { TraceAnswer, TraceVerdict } from '../../flows/trace/explain/answer.js';
import { CliError, EXIT, usageError, type Io } from './io.js';
import { formatData } from './output.js';
import { liveTraceText } from './live-trace-text.js';
import type { Session } from './session.js';
import { coloured, plain, TRACE_FORMATS, traceText, type TraceFormat } from './trace-text.js';

interface TraceOptions {
  readonly format: TraceFormat;
  readonly tcp?: string;
  readonly udp?: string;
  readonly sctp?: string;
  readonly icmp?: string | true;
  readonly df?: boolean;
  readonly established?: boolean;
  readonly verify?: boolean;
  readonly with?: string;
  readonly live?: string;
  readonly [option: string]: unknown;
}

/** Options that are parameters of the API under their own names. */
const NUMBERS = ['source_port', 'icmp_code', 'ttl', 'size'] as const;
const TEXTS = ['ct_state', 'family', 'next_hop', 'source_address', 'source_mac', 'revision'] as const;

/** Options about real packets alone, and those about packets that are made up. */
const ONLY_LIVE = ['protocol', 'from', 'to', 'count', 'dropped_only'] as const;
const NOT_LIVE = ['ttl', 'size', 'df', 'established', 'next_hop', 'source_address', 'source_mac', 'revision', 'with', 'verify'] as const;

const EXIT_CODES: Readonly<Record<TraceVerdict, number>> = {
  delivered: EXIT.ok,
  answered: EXIT.ok,
  rejected: EXIT.dropped,
  dropped: EXIT.dropped,
  undecidable: EXIT.undecidable,
};

export function addTraceCommand(program: Command, session: () => Session): void {
  program
    .command('trace')
    .description('say what becomes of a packet and why, by running it through the compiled flows; nothing is sent')
    .argument('[source]', 'interface, or ADDRESS@NETWORK')
    .argument('[destination]', 'interface, or an address')
    .option('--tcp <port>', 'a TCP connection to this port')
    .option('--udp <port>', 'a UDP datagram to this port')
    .option('--sctp <port>', 'an SCTP packet to this port')
    .option('--icmp [type]', 'an ICMP packet of this type; an echo request without, and without any of these')
    .option('--icmp_code <number>')
    .option('--source_port <port>')
    .option('--ttl <number>', 'TTL that the sender gives it')
    .option('--size <bytes>', 'of the IP packet')
    .option('--df', 'fragments are forbidden')
    .addOption(new Option('--ct_state <state>', 'of the connection it is part of').choices(['new', 'established', 'auto']))
    .option('--established', 'as --ct_state established')
    .option('--family <family>', 'ipv4 or ipv6, where interfaces are named')
    .option('--next_hop <address>', 'whom the sender sends it to')
    .option('--source_address <address>', 'another source address than that of the interface')
    .option('--source_mac <mac>', 'another source MAC than that of the interface')
    .option('--revision <revision>', 'the model as it was then')
    .option('--with <file>', 'a batch to try on top of it, as JSON or YAML; nothing of it is committed')
    .option('--live <interface>', 'follow real packets of this interface instead, those that the options name')
    .option('--protocol <protocol>', 'with --live: tcp, udp, sctp, icmp, icmpv6, arp, or a number')
    .option('--from <prefix>', 'with --live: source address or prefix')
    .option('--to <prefix>', 'with --live: destination address or prefix')
    .option('--count <number>', 'with --live: packets to follow; 1 unless told')
    .option('--dropped_only', 'with --live: only packets that are dropped or refused')
    .option('--verify', "compare with the switches' own trace")
    .addOption(new Option('--format <format>', 'how much to show').choices(TRACE_FORMATS).default('hops'))
    .action(async (source: string | undefined, destination: string | undefined, options: TraceOptions, command: Command) => {
      const { client, io, print, isTable } = session();
      if (options.live !== undefined) {
        if (source !== undefined) throw usageError(`--live: packets go where they go; name a destination with --to, not ${source}`);
        const seconds = command.optsWithGlobals<{ readonly timeout?: string }>().timeout;
        await followLive(session(), liveQuestion(options, seconds), options.format);
        return;
      }
      const alien = ONLY_LIVE.find((name) => options[name] !== undefined);
      if (alien !== undefined) throw usageError(`--${alien}: goes with --live only`);
      if (source === undefined || destination === undefined)
        throw usageError(`missing required argument '${source === undefined ? 'source' : 'destination'}', or --live`);
      const question = { source, destination, ...packetOf(options), ...(await changesOf(options, io)) };
      const answer = (await client.act('/traces', question)) as unknown as TraceAnswer;
      if (options.format === 'json') io.out(formatData(answer, 'json'));
      else if (!isTable) print(answer);
      else io.out(traceText(answer, options.format, io.colours ? coloured : plain));
      const isContradicted = answer.verified?.some(({ agrees }) => agrees === false) ?? false;
      const code = isContradicted ? EXIT.undecidable : EXIT_CODES[answer.verdict];
      if (code !== EXIT.ok) throw new CliError(code, []);
    });
}

async function followLive({ client, io, print, isTable }: Session, live: object, format: TraceFormat): Promise<void> {
  const answer = (await client.act('/traces', { live })) as unknown as LiveAnswer;
  if (format === 'json') io.out(formatData(answer, 'json'));
  else if (!isTable) print(answer);
  else io.out(liveTraceText(answer, io.colours ? coloured : plain));
  const verdicts = answer.packets.map(({ verdict }) => verdict);
  if (verdicts.some((verdict) => verdict === 'dropped' || verdict === 'rejected')) throw new CliError(EXIT.dropped, []);
  if (verdicts.length === 0 || verdicts.includes('unseen')) throw new CliError(EXIT.undecidable, []);
}

/** @param seconds as given */
function liveQuestion(options: TraceOptions, seconds: string | undefined): object {
  const alien = NOT_LIVE.find((name) => options[name] !== undefined);
  if (alien !== undefined) throw usageError(`--${alien}: real packets are as they are; it does not go with --live`);
  const { protocol: named, ...packet } = packetOf(options);
  const given = options['protocol'] as string | undefined;
  const protocol = named ?? (given !== undefined && /^\d+$/.test(given) ? Number(given) : given);
  const filter = { protocol, source: options['from'], destination: options['to'], ...packet };
  return {
    interface: options.live,
    filter,
    ...(options['count'] === undefined ? {} : { count: numberOf('count', options['count'] as string) }),
    ...(options['dropped_only'] === true ? { dropped_only: true } : {}),
    ...(seconds === undefined ? {} : { timeout: numberOf('timeout', seconds) }),
  };
}

function packetOf(options: TraceOptions): Record<string, unknown> {
  const named = (['tcp', 'udp', 'sctp', 'icmp'] as const).filter((name) => options[name] !== undefined);
  if (named.length > 1) throw usageError(`--${named[0]} and --${named[1]} cannot be both`);
  const [protocol] = named;
  const packet: Record<string, unknown> = {};
  if (protocol === 'icmp' && options.icmp !== true) packet['icmp_type'] = numberOf('icmp', options.icmp!);
  else if (protocol !== undefined && protocol !== 'icmp') packet['destination_port'] = numberOf(protocol, options[protocol]!);
  for (const name of NUMBERS) if (options[name] !== undefined) packet[name] = numberOf(name, options[name] as string);
  for (const name of TEXTS) if (options[name] !== undefined) packet[name] = options[name];
  if (options.df === true) packet['df'] = true;
  if (options.verify === true) packet['verify'] = true;
  if (options.established === true) packet['ct_state'] = 'established';
  return protocol === undefined ? packet : { protocol, ...packet };
}

function numberOf(name: string, text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw usageError(`--${name}: must be a number, not ${text}`);
  return Number(text);
}

async function changesOf(options: TraceOptions, io: Io): Promise<{ readonly with?: unknown }> {
  const { with: name } = options;
  if (name === undefined) return {};
  const document = parseDocument(name === '-' ? await io.stdin() : await io.readFile(name), { prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) throw new CliError(EXIT.error, [`${name}: neither JSON nor YAML: ${error.message}`]);
  return { with: document.toJS() as unknown };
}
