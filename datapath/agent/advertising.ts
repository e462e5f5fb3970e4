/**
 * Router advertisements nobody asked for.
 *
 * Owns: when local ports are told of their routers: when they come, when what they were told is no longer so, and often enough that no host forgets its
 * default route however long it stays up; what each was told last.
 * Assumes: solicited advertisements are answered elsewhere, from the same slice.
 * Promises: what is no longer so is taken back, once. A few ports are told at a time; one that cannot be reached now is told as soon as it can.
 */
import type { LocalPort } from '../../flows/compile/contract.js';
import type { Advertisement } from '../respond/contract.js';
import { ALL_NODES, routerAdvertFrame, type Withdrawn } from '../respond/router-advertiser.js';
import type { Clock } from './clock.js';
import { isAborted } from './unless-aborted.js';
import { Wakeup } from './wakeup.js';

export interface AdvertiserOptions {
  readonly ports: () => Iterable<LocalPort>;
  readonly advertisements: (interfaceUuid: string) => readonly Advertisement[];
  /** Sends a frame out of a port. @returns false when there is no connection */
  readonly send: (frame: Uint8Array, ofport: number) => boolean;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

interface Told {
  readonly port: LocalPort;
  readonly advertisements: readonly Advertisement[];
  readonly text: string;
}

/** MaxRtrAdvInterval of RFC 4861 §6.2.1; what is advertised lasts a hundred times as long. */
const PERIOD_MS = 600_000;
/** Changes that come together are told together, and a new port has its flows by then. */
const GATHER_MS = 200;
const PER_TURN = 16;
const TURN_MS = 10;

export class Advertiser {
  readonly #options: AdvertiserOptions;
  readonly #wakeup: Wakeup;
  /** By interface. */
  readonly #told = new Map<string, Told>();
  /** Interfaces whose advertisements may differ. */
  readonly #doubtful = new Set<string>();
  #allDoubtful = false;

  constructor(options: AdvertiserOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
  }

  /** What these interfaces are to be told may differ now; `all`: any of them. */
  changed(interfaces: Iterable<string> | 'all'): void {
    if (interfaces === 'all') this.#allDoubtful = true;
    else for (const uuid of interfaces) if (this.#told.has(uuid)) this.#doubtful.add(uuid);
    if (this.#allDoubtful || this.#doubtful.size > 0) this.#wakeup.raise();
  }

  /** Ports came or went, or can be reached again. */
  portsChanged(): void {
    this.#wakeup.raise();
  }

  /** Resolves when the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    let due = 0;
    const nextRound = (): void => void (due = clock.now() + PERIOD_MS * (0.75 + random() / 4));
    nextRound();
    while (!signal.aborted) {
      await this.#wakeup.wait(due - clock.now(), signal);
      const isRound = clock.now() >= due;
      if (isRound) nextRound();
      else await clock.sleep(GATHER_MS, signal);
      await this.#tell(isRound, signal);
    }
  }

  async #tell(everyone: boolean, signal: AbortSignal): Promise<void> {
    const { ports, clock } = this.#options;
    const allDoubtful = this.#allDoubtful;
    this.#allDoubtful = false;
    const doubtful = new Set(this.#doubtful);
    this.#doubtful.clear();
    const live = new Set<string>();
    let told = 0;
    for (const port of [...ports()]) {
      if (isAborted(signal)) return;
      const { interface_uuid: uuid } = port;
      live.add(uuid);
      const isOld = this.#told.get(uuid)?.port === port;
      if (isOld && !everyone && !allDoubtful && !doubtful.has(uuid)) continue;
      if (this.#tellPort(port, everyone || !isOld) && ++told % PER_TURN === 0) await clock.sleep(TURN_MS, signal);
    }
    for (const uuid of this.#told.keys()) if (!live.has(uuid)) this.#told.delete(uuid);
  }

  /** @returns whether anything was sent */
  #tellPort(port: LocalPort, always: boolean): boolean {
    const { advertisements, send } = this.#options;
    const now = advertisements(port.interface_uuid);
    const text = now.map((one) => Buffer.from(routerAdvertFrame(one, ALL_NODES)).toString('latin1')).join('');
    const before = this.#told.get(port.interface_uuid);
    if (!always && text === before?.text) return false;
    const frames = framesOf(now, before?.advertisements ?? []);
    const isHeard = frames.every((frame) => send(frame, port.ofport));
    if (isHeard) this.#told.set(port.interface_uuid, { port, advertisements: now, text });
    // It still believes what it was told before; what differs is said when it can be reached.
    else this.#doubtful.add(port.interface_uuid);
    return frames.length > 0 && isHeard;
  }
}

/** What is so now; what was said before and is so no more is taken back by who said it. */
function framesOf(now: readonly Advertisement[], before: readonly Advertisement[]): Uint8Array[] {
  const prefixes = now.flatMap((one) => one.prefixes.map(({ prefix }) => prefix));
  const resolvers = new Set(now.flatMap((one) => one.dns_servers));
  const withdrawn = (one: Advertisement | undefined): Withdrawn => ({
    prefixes: (one?.prefixes ?? []).filter(
      ({ prefix: old }) => !prefixes.some(({ network, prefix }) => network === old.network && prefix === old.prefix),
    ),
    dns_servers: (one?.dns_servers ?? []).filter((server) => !resolvers.has(server)),
  });
  const silenced = before.filter(({ mac }) => !now.some((one) => one.mac === mac));
  return [
    ...silenced.map((one) => routerAdvertFrame({ ...one, is_router: false, prefixes: [], dns_servers: [] }, ALL_NODES, withdrawn(one))),
    ...now.map((one) => routerAdvertFrame(one, ALL_NODES, withdrawn(before.find(({ mac }) => mac === one.mac)))),
  ];
}
