/**
 * Probes of the ways to other hypervisors.
 *
 * Owns: when each way is probed, when it last answered, and what is said of one that does not.
 * Assumes: the switch at the other end sends a probe back (flows/pipeline/stages/way-probe.ts), whatever becomes of its agent.
 * Promises: a new way is probed at once, so that the underlay's neighbours are known before the first VM wants to go there. A way that has answered none of three
 * probes in a row is named, with the reason where one is to be seen; one answer takes that back.
 */
import type { Condition } from '../../controller/messages/slice.js';
import type { Encapsulation } from '../../flows/model/entities/presence.js';
import { parseIp } from '../../flows/net/ip.js';
import type { Action } from '../../flows/openflow/action.js';
import { WAY_PROBE } from '../../flows/pipeline/stages/way-probe.js';
import type { UnderlayDoubt } from '../ovsdb/underlay-route.js';
import type { Clock } from './clock.js';
import { isAborted } from './unless-aborted.js';
import { Wakeup } from './wakeup.js';

export interface ProbedWay {
  readonly datapath_uuid: string;
  readonly node_id: string;
  readonly encap: Encapsulation;
  /** Underlay addresses. */
  readonly local: string;
  readonly remote: string;
  /** Of the tunnel port. */
  readonly ofport: number;
}

export interface ProberOptions {
  readonly ways: () => readonly ProbedWay[];
  /** @returns false when there is no connection */
  readonly send: (frame: Uint8Array, actions: readonly Action[]) => boolean;
  /** Why an address cannot be reached, where that is to be seen. */
  readonly explain: (remote: string, signal: AbortSignal) => Promise<UnderlayDoubt | undefined>;
  /** Milliseconds between the probes of a way; 0: none are sent. */
  readonly periodMs: number;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** `conditions` differ. */
  readonly onChange: () => void;
}

interface Probed {
  readonly way: ProbedWay;
  readonly nonce: bigint;
  /** Sent since the last answer. */
  unanswered: number;
  /** Whether it has ever answered. */
  hasAnswered: boolean;
  due: number;
  silent: boolean;
  doubt: UnderlayDoubt | undefined;
}

const FAILURES = 3;
/** The first probe of all may be lost while the underlay asks for a neighbour; the next come soon. */
const FIRST_PAUSES_MS = [100, 300, 600];
const NONCE_AT = 14;
const FRAME_LENGTH = 60;

export class Prober {
  readonly #options: ProberOptions;
  readonly #wakeup: Wakeup;
  /** By what makes a way. */
  readonly #probed = new Map<string, Probed>();

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
  }

  /** The ways may differ, or there is a connection again. */
  changed(): void {
    const { periodMs, clock } = this.#options;
    if (periodMs === 0) return;
    for (const probed of this.#probed.values()) {
      if (probed.due < Infinity) continue;
      probed.due = clock.now();
      probed.unanswered = 0;
    }
    this.#wakeup.raise();
  }

  /** A probe came back. */
  heard(frame: Uint8Array): void {
    if (frame.length < NONCE_AT + 8) return;
    const nonce = new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getBigUint64(NONCE_AT);
    for (const probed of this.#probed.values()) {
      if (probed.nonce !== nonce) continue;
      if (!probed.hasAnswered) probed.due = this.#options.clock.now() + this.#options.periodMs;
      probed.unanswered = 0;
      probed.hasAnswered = true;
      if (!probed.silent) return;
      probed.silent = false;
      probed.doubt = undefined;
      this.#options.onChange();
      return;
    }
  }

  /** Whether a way has ever answered; true where none is probed. */
  hasAnswered(way: ProbedWay): boolean {
    return this.#options.periodMs === 0 || this.#probed.get(keyOf(way))?.hasAnswered === true;
  }

  /** How many ways answer, and how many do not. */
  counts(): { readonly answering: number; readonly silent: number } {
    const silent = [...this.#probed.values()].filter((probed) => probed.silent).length;
    return {
      answering: [...this.#probed.values()].filter(({ unanswered, hasAnswered }) => hasAnswered && unanswered < FAILURES).length,
      silent,
    };
  }

  conditions(): Condition[] {
    return [...this.#probed.values()].flatMap(({ way, silent, doubt }): Condition[] => {
      if (!silent) return [];
      const { datapath_uuid, node_id, encap, remote, local } = way;
      const what = `${node_id} does not answer at ${remote} from ${local} over ${encap}`;
      return [{ code: doubt?.code ?? 'peer_silent', message: doubt ? `${what}: ${doubt.message}` : what, uuids: [datapath_uuid] }];
    });
  }

  /** Resolves when the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, periodMs } = this.#options;
    if (periodMs === 0) return;
    while (!signal.aborted) {
      this.#follow();
      const now = clock.now();
      for (const probed of this.#probed.values()) if (probed.due <= now) await this.#probe(probed, signal);
      const next = Math.min(...[...this.#probed.values()].map(({ due }) => due));
      await this.#wakeup.wait(next - clock.now(), signal);
    }
  }

  #follow(): void {
    const { ways, clock, random, onChange } = this.#options;
    const now = new Map(ways().map((way) => [keyOf(way), way]));
    let differs = false;
    for (const [key, { silent, way }] of this.#probed) {
      if (now.get(key)?.ofport === way.ofport) continue;
      this.#probed.delete(key);
      differs ||= silent;
    }
    for (const [key, way] of now) {
      if (this.#probed.has(key)) continue;
      const nonce = (BigInt(Math.floor(random() * 2 ** 32)) << 32n) | BigInt(Math.floor(random() * 2 ** 32));
      this.#probed.set(key, { way, nonce, unanswered: 0, hasAnswered: false, due: clock.now(), silent: false, doubt: undefined });
    }
    if (differs) onChange();
  }

  async #probe(probed: Probed, signal: AbortSignal): Promise<void> {
    const { clock, periodMs, random, send, explain, onChange } = this.#options;
    const { way, silent: wasSilent, doubt: before } = probed;
    const first = probed.hasAnswered ? undefined : FIRST_PAUSES_MS[probed.unanswered];
    probed.due = clock.now() + (first ?? periodMs * (0.9 + random() / 5));
    // Those that were sent in quick succession are one.
    const failures = probed.hasAnswered ? probed.unanswered : probed.unanswered - FIRST_PAUSES_MS.length;
    if (failures >= FAILURES) {
      probed.doubt = await explain(way.remote, signal);
      // It may have answered meanwhile.
      if (isAborted(signal) || probed.unanswered === 0) return;
      probed.silent = true;
      if (!wasSilent || probed.doubt?.message !== before?.message) onChange();
    }
    if (send(frameOf(probed.nonce), actionsOf(way))) probed.unanswered += 1;
    // Without a connection nothing can be said of anybody.
    else probed.due = Infinity;
  }
}

function keyOf({ datapath_uuid, encap, local, remote }: ProbedWay): string {
  return `${datapath_uuid} ${encap} ${local} ${remote}`;
}

function frameOf(nonce: bigint): Uint8Array {
  const frame = new Uint8Array(FRAME_LENGTH);
  const view = new DataView(frame.buffer);
  for (const [at, mac] of [WAY_PROBE.question, WAY_PROBE.source].entries()) {
    view.setUint16(at * 6, Math.floor(mac / 2 ** 32));
    view.setUint32(at * 6 + 2, mac % 2 ** 32);
  }
  view.setUint16(12, WAY_PROBE.eth_type);
  view.setBigUint64(NONCE_AT, nonce);
  return frame;
}

function actionsOf({ local, remote, ofport }: ProbedWay): Action[] {
  const [here, there] = [parseIp(local), parseIp(remote)];
  const [source, destination] = here.family === 'ipv4' ? (['tun_src', 'tun_dst'] as const) : (['tun_ipv6_src', 'tun_ipv6_dst'] as const);
  return [
    { kind: 'set_field', field: source, value: here.value },
    { kind: 'set_field', field: destination, value: there.value },
    { kind: 'set_field', field: 'tun_id', value: WAY_PROBE.vni },
    { kind: 'output', port: ofport, max_len: 0 },
  ];
}
