/**
 * Watching that the switch does what its flows say.
 *
 * Owns: sending made-up packets of the local ports through the switch's own trace and through the interpreter, at a rate; counting where they disagree.
 * Assumes: a disagreement that lasts while nothing is sent to the switch is one; what is seen while flows change may be the change.
 * Promises: at most SHARE of the time goes into it. A switch that cannot be asked is no disagreement, and is said once.
 */
import type { TraceCheck } from '../../controller/messages/slice.js';
import type { CompileRecord, LocalPort } from '../../flows/compile/contract.js';
import { HotoriError } from '../../flows/model/errors.js';
import type { IpLease } from '../../flows/model/entities/interface.js';
import { parseIp } from '../../flows/net/ip.js';
import { parseMac } from '../../flows/net/mac.js';
import type { TracedPacket } from '../../flows/trace/switch/agreement.js';
import { ETH_TYPE, IP_PROTO } from '../../flows/trace/prerequisite.js';
import type { Clock } from './clock.js';
import type { AgentLog } from './log.js';

export interface TraceAuditOptions {
  /** Packets a minute; 0: none. */
  readonly rate: number;
  readonly records: () => Iterable<CompileRecord>;
  readonly check: (packets: readonly TracedPacket[]) => Promise<readonly TraceCheck[]>;
  /** Changes whenever something is sent to the switch; undefined while it does not have what is wanted. */
  readonly steady: () => number | undefined;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: AgentLog;
}

export interface TraceAuditCounters {
  checked: number;
  disagreements: number;
}

const MINUTE_MS = 60_000;
/** Packets in one go. */
const ROUND = 10;
/** Time for what is on its way to the switch to get there. */
const AGAIN_MS = 3_000;
const SHARE = 0.1;
const SERVICES = [22, 53, 80, 443, 8080];

export class TraceAudit {
  readonly counters: TraceAuditCounters = { checked: 0, disagreements: 0 };
  readonly #options: TraceAuditOptions;
  #complaint: string | undefined;
  /** Milliseconds that the round under way has taken, waiting left out. */
  #spent = 0;

  constructor(options: TraceAuditOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { rate, clock } = this.#options;
    if (rate === 0) return;
    const count = Math.min(rate, ROUND);
    const usual = (MINUTE_MS * count) / rate;
    let pause = usual;
    for (;;) {
      await clock.sleep(pause, signal);
      if (signal.aborted) return;
      this.#spent = 0;
      await this.#round(count, signal);
      pause = Math.max(usual, this.#spent / SHARE);
    }
  }

  async #round(count: number, signal: AbortSignal): Promise<void> {
    const { steady, clock } = this.#options;
    const at = steady();
    const packets = at === undefined ? [] : this.#packets(count);
    if (packets.length === 0) return;
    try {
      const checks = await this.#check(packets);
      if (steady() !== at) return;
      this.#complaint = undefined;
      this.counters.checked += checks.length;
      const doubtful = packets.filter((_, index) => checks[index]!.difference !== null);
      if (doubtful.length === 0) return;
      await clock.sleep(AGAIN_MS, signal);
      const again = signal.aborted || steady() !== at ? [] : await this.#check(doubtful);
      if (steady() === at) for (const { difference, text } of again) if (difference !== null) this.#alarm(difference, text);
    } catch (error) {
      if (!(error instanceof HotoriError)) throw error;
      if (this.#complaint !== error.message) this.#options.log.warn({ reason: error.message }, 'flows cannot be held against the switch');
      this.#complaint = error.message;
    }
  }

  async #check(packets: readonly TracedPacket[]): Promise<readonly TraceCheck[]> {
    const { check, clock } = this.#options;
    const before = clock.now();
    try {
      return await check(packets);
    } finally {
      this.#spent += clock.now() - before;
    }
  }

  #alarm(difference: NonNullable<TraceCheck['difference']>, trace: string): void {
    this.counters.disagreements++;
    this.#options.log.error({ ...difference, trace }, 'the switch does not do what its flows say');
  }

  /** From addresses of local ports, to addresses there are. */
  #packets(count: number): TracedPacket[] {
    const cast = new Cast(this.#options.records());
    return Array.from({ length: count }, () => cast.packet(this.#options.random)).filter((packet) => packet !== undefined);
  }
}

/** Who may send to whom, as the slice has it. */
class Cast {
  readonly #ports: LocalPort[] = [];
  readonly #leases: IpLease[] = [];
  readonly #macs = new Map<string, number>();
  readonly #routers = new Set<string>();
  readonly #leasesOf = new Map<string, IpLease[]>();

  constructor(records: Iterable<CompileRecord>) {
    for (const record of records) {
      if (record.kind === 'local_port') this.#ports.push(record);
      if (record.kind === 'mac_lease') this.#macs.set(record.interface_uuid, parseMac(record.mac_address));
      if (record.kind === 'interface' && record.enable_routing) this.#routers.add(record.uuid);
      if (record.kind === 'ip_lease' && record.interface_uuid !== null) {
        this.#leases.push(record);
        this.#leasesOf.set(record.interface_uuid, [...(this.#leasesOf.get(record.interface_uuid) ?? []), record]);
      }
    }
  }

  packet(random: () => number): TracedPacket | undefined {
    const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
    const port = pick(this.#ports);
    const source = port && pick(this.#leasesOf.get(port.interface_uuid) ?? []);
    const from = source && parseIp((source.ipv4_address ?? source.ipv6_address)!);
    const target = pick(this.#leases);
    const to = target && parseIp((target.ipv4_address ?? target.ipv6_address)!);
    if (port === undefined || source === undefined || from === undefined || to?.family !== from.family) return undefined;
    const near = target!.network_uuid === source.network_uuid ? target!.interface_uuid : this.#routerOf(source);
    const eth_src = this.#macs.get(port.interface_uuid);
    const eth_dst = near === null || near === undefined ? undefined : this.#macs.get(near);
    if (eth_src === undefined || eth_dst === undefined) return undefined;
    const network =
      from.family === 'ipv4'
        ? { eth_type: ETH_TYPE.ipv4, ip_src: from.value, ip_dst: to.value }
        : { eth_type: ETH_TYPE.ipv6, ipv6_src: from.value, ipv6_dst: to.value };
    const transport = random() < 0.5 ? ('tcp' as const) : ('udp' as const);
    const upper = {
      nw_proto: IP_PROTO[transport],
      [`${transport}_src`]: 1024 + Math.floor(random() * 60_000),
      [`${transport}_dst`]: pick(SERVICES)!,
    };
    return { fields: { in_port: port.ofport, eth_src, eth_dst, ...network, nw_ttl: 64, ...upper } };
  }

  #routerOf({ network_uuid }: IpLease): string | undefined {
    const lease = this.#leases.find((one) => one.network_uuid === network_uuid && this.#routers.has(one.interface_uuid!));
    return lease?.interface_uuid ?? undefined;
  }
}
