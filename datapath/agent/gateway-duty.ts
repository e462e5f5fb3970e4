/**
 * Being the gateway of a router's port that several hypervisors may be the gateway of.
 *
 * Owns: the lease of each such port, as vnmgr gives it from the store; probes of the hypervisor that is the gateway now; when to act, when to stop, when to take over.
 * Assumes: the switch of the gateway answers probes by itself (stages/gateway.ts) and hands a copy to its agent; clocks run equally fast everywhere to within a
 * thousandth.
 * Promises: of two, at most one acts. A gateway acts while its lease lasts by its own clock, which it reckons from before it asked; or while each of the
 * others has promised, with its last probes, not to take over for now: then an outage of the store harms nobody. One takes over only when the gateway answers no
 * more, its own promise has run out and the store gives it the lease. An agent that is gone leaves its switch answering, and nobody takes over for as long as
 * that is heard: a switch that has neither agent nor overlay any more, but still its NIC, is not fenced.
 */
import { GATEWAY_LEASE_MS } from '../../controller/messages/slice.js';
import type { Gateway, GatewayHold } from '../../flows/compile/contract.js';
import { parseIp } from '../../flows/net/ip.js';
import type { Action } from '../../flows/openflow/action.js';
import { ANY, holdUuid } from '../../flows/pipeline/outside.js';
import { shortHash } from '../../flows/pipeline/short-hash.js';
import { WAY_PROBE } from '../../flows/pipeline/stages/way-probe.js';
import type { Clock } from './clock.js';
import type { AgentLog } from './log.js';
import type { ProbedWay } from './prober.js';
import { Wakeup } from './wakeup.js';

export interface GatewayDutyOptions {
  readonly gateways: () => readonly Gateway[];
  /** This hypervisor; undefined until it is known. */
  readonly datapath: () => string | undefined;
  readonly ways: () => readonly ProbedWay[];
  /** @returns false when there is no connection */
  readonly send: (frame: Uint8Array, actions: readonly Action[]) => boolean;
  /** Takes or keeps the lease of a port; rejects when that cannot be found out. */
  readonly hold: (interfaceUuid: string) => Promise<boolean>;
  /** Whether there is a connection to the switch. */
  readonly isUp: () => boolean;
  /** Whether a NIC on the physical network has a link, as far as can be told. */
  readonly hasLink: (physicalNetwork: string) => boolean;
  /** `records` differs. */
  readonly onChange: () => void;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: AgentLog;
}

/** The last promise of somebody. */
interface Promised {
  /** Which process of it. */
  readonly process: number;
  /** When it would have come had it come as fast as the fastest: one that lay about here for a while is as old as it is. */
  readonly at: number;
  /** The least that our clock has been ahead of the sender's, when a promise came. */
  readonly lead: number;
}

interface Contest {
  gateway: Gateway;
  acts: boolean;
  /** The lease is ours until then. */
  until: number;
  isAsking: boolean;
  askAt: number;
  /** Probes since the last answer. */
  unanswered: number;
  probeAt: number;
  promisedAt: number;
  /** Nothing has been heard from the store yet. */
  isUnheard: boolean;
  /** By hash of the datapath. */
  readonly promises: Map<number, Promised>;
}

const TICK_MS = 25;
const RENEW_MS = 100;
const RETRY_MS = 50;
const LEASE_MS = GATEWAY_LEASE_MS * 0.8;
const PROBE_MS = 60;
const FAILURES = 3;
/** A promise counts for so long after it came, and binds for so long after it was sent. */
const PROMISE_COUNTS_MS = 200;
const PROMISE_BINDS_MS = 300;
/** A process that starts goes on as the one before it did, for as long as it takes to be heard by vnmgr. */
const GRACE_MS = 3_000;
/** How unlike clocks may run. */
const DRIFT = 1e-3;
const FRAME_LENGTH = 60;
const AT = 14;
const BODY_LENGTH = 24;

export class GatewayDuty {
  readonly #options: GatewayDutyOptions;
  readonly #wakeup: Wakeup;
  readonly #contests = new Map<string, Contest>();
  readonly #graceUntil: number;
  readonly #process: number;
  #seen: readonly Gateway[] | undefined;
  /** Nothing has been looked at yet: whatever the process before held is held on. */
  #isStarting = true;

  constructor(options: GatewayDutyOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
    this.#graceUntil = options.clock.now() + GRACE_MS;
    this.#process = Math.floor(options.random() * 2 ** 32);
  }

  /** What `gateways` gives may differ now. */
  gatewaysChanged(): void {
    const all = this.#options.gateways();
    if (all === this.#seen) return;
    this.#seen = all;
    const contended = new Map(all.flatMap((gateway) => (gateway.contends ? [[gateway.interface_uuid, gateway] as const] : [])));
    for (const uuid of this.#contests.keys()) if (!contended.has(uuid)) this.#contests.delete(uuid);
    const now = this.#options.clock.now();
    for (const [uuid, gateway] of contended) {
      const contest = this.#contests.get(uuid);
      if (contest === undefined) this.#contests.set(uuid, contestOf(gateway, now));
      else {
        if (contest.gateway.datapath_uuid !== gateway.datapath_uuid) Object.assign(contest, { unanswered: 0, askAt: now });
        contest.gateway = gateway;
      }
    }
    this.#wakeup.raise();
  }

  records(): GatewayHold[] {
    if (this.#isStarting) return [{ kind: 'gateway_hold', uuid: holdUuid(ANY), interface_uuid: ANY }];
    return [...this.#contests].flatMap(([interface_uuid, { acts }]): GatewayHold[] =>
      acts ? [{ kind: 'gateway_hold', uuid: holdUuid(interface_uuid), interface_uuid }] : [],
    );
  }

  /** A probe: an answer to ours, or a question to us. */
  heard(frame: Uint8Array): void {
    if (frame.length < AT + BODY_LENGTH) return;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    const [port, sender] = [view.getUint32(AT), view.getUint32(AT + 4)];
    const me = this.#options.datapath();
    for (const [uuid, contest] of this.#contests) {
      if (shortHash(uuid) !== port || me === undefined) continue;
      if (sender === shortHash(me)) contest.unanswered = 0;
      else if (view.getUint8(AT + 8) === 1) this.#promised(contest, sender, view.getUint32(AT + 12), view.getFloat64(AT + 16));
    }
  }

  #promised({ promises }: Contest, sender: number, process: number, sentAt: number): void {
    const now = this.#options.clock.now();
    const before = promises.get(sender);
    const lead = now - sentAt;
    const least = before?.process === process ? Math.min(lead, before.lead + (now - before.at) * DRIFT) : lead;
    promises.set(sender, { process, at: now - (lead - least), lead: least });
  }

  /** Resolves when the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, onChange } = this.#options;
    while (!signal.aborted) {
      const me = this.#options.datapath();
      const isStarted = this.#contests.size > 0 || clock.now() >= this.#graceUntil;
      let differs = this.#isStarting && isStarted;
      for (const contest of this.#contests.values()) if (me !== undefined) differs = this.#look(contest, me, clock.now()) || differs;
      this.#isStarting &&= !isStarted;
      if (differs) onChange();
      const idleMs = this.#isStarting ? this.#graceUntil - clock.now() : Infinity;
      await this.#wakeup.wait(this.#contests.size === 0 ? idleMs : TICK_MS, signal);
    }
  }

  /** @returns whether it begins or ceases to act. */
  #look(contest: Contest, me: string, now: number): boolean {
    const { gateway } = contest;
    const isUp = this.#options.isUp();
    const isAble = isUp && this.#options.hasLink(gateway.physical_network);
    const isOurs = gateway.datapath_uuid === me;
    if (isAble && isOurs && now >= contest.askAt) this.#ask(contest, now);
    if (isAble && !isOurs) this.#watch(contest, me, now);
    const others = gateway.candidates.filter((uuid) => uuid !== me);
    const isPromised = others.every((uuid) => (contest.promises.get(shortHash(uuid))?.at ?? -Infinity) > now - PROMISE_COUNTS_MS);
    const isInGrace = contest.isUnheard && now < this.#graceUntil;
    const isEntitled = isInGrace || (isAble && (now < contest.until || isPromised));
    // Without a connection the switch does as it did, whatever is wanted of it.
    const acts = isOurs && (isUp || isInGrace ? isEntitled : contest.acts);
    if (acts === contest.acts) return false;
    contest.acts = acts;
    this.#options.log.info({ interface: gateway.interface_uuid }, acts ? 'acting as gateway' : 'no longer acting as gateway');
    return true;
  }

  /** Asks the gateway whether it lives; takes over when it does not. */
  #watch(contest: Contest, me: string, now: number): void {
    const { gateway } = contest;
    const rank = gateway.candidates.indexOf(me);
    if (now >= contest.probeAt) {
      const promises = contest.unanswered < FAILURES;
      contest.probeAt = now + PROBE_MS;
      if (promises) contest.promisedAt = now;
      const way = this.#options.ways().find(({ datapath_uuid }) => datapath_uuid === gateway.datapath_uuid);
      if (way !== undefined) this.#options.send(this.#frameOf(gateway, me, promises), actionsOf(way, gateway.segment_key));
      contest.unanswered++;
    }
    if (contest.unanswered > FAILURES + 2 * rank && now - contest.promisedAt >= PROMISE_BINDS_MS && now >= contest.askAt)
      this.#ask(contest, now);
  }

  #frameOf({ mac, interface_uuid }: Gateway, me: string, promises: boolean): Uint8Array {
    const frame = new Uint8Array(FRAME_LENGTH);
    const view = new DataView(frame.buffer);
    for (const [at, one] of [mac, WAY_PROBE.source].entries()) {
      view.setUint16(at * 6, Math.floor(one / 2 ** 32));
      view.setUint32(at * 6 + 2, one % 2 ** 32);
    }
    view.setUint16(12, WAY_PROBE.eth_type);
    view.setUint32(AT, shortHash(interface_uuid));
    view.setUint32(AT + 4, shortHash(me));
    view.setUint8(AT + 8, promises ? 1 : 0);
    view.setUint32(AT + 12, this.#process);
    view.setFloat64(AT + 16, this.#options.clock.now());
    return frame;
  }

  #ask(contest: Contest, now: number): void {
    if (contest.isAsking) return;
    const { hold, clock } = this.#options;
    contest.isAsking = true;
    const over = (pauseMs: number): void => {
      contest.isAsking = false;
      contest.askAt = Math.max(clock.now(), now + pauseMs);
      this.#wakeup.raise();
    };
    hold(contest.gateway.interface_uuid).then(
      (isHeld) => {
        contest.isUnheard = false;
        contest.until = isHeld ? now + LEASE_MS : 0;
        over(isHeld ? RENEW_MS : RETRY_MS);
      },
      () => over(RETRY_MS),
    );
  }
}

function contestOf(gateway: Gateway, now: number): Contest {
  return {
    gateway,
    acts: false,
    until: 0,
    isAsking: false,
    askAt: now,
    unanswered: 0,
    probeAt: now,
    promisedAt: now,
    isUnheard: true,
    promises: new Map(),
  };
}

function actionsOf({ local, remote, ofport }: ProbedWay, segmentKey: number): Action[] {
  const [here, there] = [parseIp(local), parseIp(remote)];
  const [source, destination] = here.family === 'ipv4' ? (['tun_src', 'tun_dst'] as const) : (['tun_ipv6_src', 'tun_ipv6_dst'] as const);
  return [
    { kind: 'set_field', field: source, value: here.value },
    { kind: 'set_field', field: destination, value: there.value },
    { kind: 'set_field', field: 'tun_id', value: BigInt(segmentKey) },
    { kind: 'output', port: ofport, max_len: 0 },
  ];
}
