/**
 * `vnctl reach`.
 *
 * Promises: the exit code is 0 whatever reaches what: it is a table and not a test.
 */
import type { Command } from 'commander';
import type { ReachAnswer } from '../../flows/trace/reach/answer.js';
import { usageError } from './io.js';
import { reachText } from './reach-text.js';
import type { Session } from './session.js';
import { coloured, plain } from './trace-text.js';

interface ReachOptions {
  readonly to?: readonly string[];
  readonly tcp?: readonly string[];
  readonly udp?: readonly string[];
  readonly sctp?: readonly string[];
  readonly icmp?: boolean;
}

const WITH_PORTS = ['tcp', 'udp', 'sctp'] as const;

export function addReachCommand(program: Command, session: () => Session): void {
  program
    .command('reach')
    .description('say which interfaces reach which others, by classes of interfaces that flows cannot tell apart; nothing is sent')
    .argument('<sources...>', 'interfaces, networks, security groups')
    .option('--to <destinations...>', 'the same for whom they send to; the sources themselves without')
    .option('--tcp <ports...>', 'TCP connections to these ports')
    .option('--udp <ports...>', 'UDP datagrams to these ports')
    .option('--sctp <ports...>', 'SCTP packets to these ports')
    .option('--icmp', 'echo requests; without any of these, too')
    .action(async (sources: string[], options: ReachOptions) => {
      const { client, io, print } = session();
      const question = { sources: sources.map(endOf), destinations: (options.to ?? sources).map(endOf), services: servicesOf(options) };
      const answer = (await client.act('/reachability', question)) as unknown as ReachAnswer;
      print(answer, () => reachText(answer, io.colours ? coloured : plain));
    });
}

function endOf(uuid: string): unknown {
  if (uuid.startsWith('if-')) return uuid;
  if (uuid.startsWith('nw-')) return { network_uuid: uuid };
  if (uuid.startsWith('sg-')) return { security_group_uuid: uuid };
  throw usageError(`${uuid}: must be an interface, a network or a security group`);
}

function servicesOf(options: ReachOptions): unknown[] {
  const services: unknown[] = WITH_PORTS.flatMap((protocol) =>
    (options[protocol] ?? []).map((port) => ({ protocol, port: portOf(protocol, port) })),
  );
  return options.icmp === true || services.length === 0 ? [...services, { protocol: 'icmp' }] : services;
}

function portOf(protocol: string, text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw usageError(`--${protocol}: must be a port, not ${text}`);
  return Number(text);
}
