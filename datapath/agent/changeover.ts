/**
 * From one way of reaching this hypervisor to another, without a packet being lost between.
 *
 * When addresses or encapsulations of the configuration differ from those before (or the underlay, or whether frames may come without a tunnel), the others use the old
 * ones until they have heard of it, and take in nothing by the new ones before. So a change is made in steps:
 *  - `opening`: the switch here comes to take in what comes by the new ones.
 *  - `announcing`: the others are told of the new ones besides the old, and packets leave as before.
 *  - `trying`: the new ways are probed, so that the underlay's neighbours are known on both sides: a switch drops what is for one that it has to ask for.
 *  - `moving`: packets leave by the new ones.
 *  - `leaving`: the others are told of the new ones alone.
 * During all of them packets are taken in by new and old. The first two are left out when the new ones are some of the old. A step ends when the switch here and every
 * hypervisor that is told of this one have installed what follows from it.
 *
 * Owns: the step there is, what is told, sent by and taken in meanwhile; the note of it that outlives this process.
 * Assumes: vnmgr says who has installed what. While it is away nobody hears of anything, and a step does not end.
 * Promises: a hypervisor that does not confirm holds a step up for as long as is said below and no longer; then it is named in the log.
 */
import { z } from 'zod';
import type { ChassisFacts, Condition } from '../../controller/messages/slice.js';
import { chassisSchema, type ChassisEndpoint } from '../../flows/model/entities/presence.js';
import type { Offer } from '../../flows/pipeline/pairing.js';
import type { Clock } from './clock.js';
import type { AgentLog } from './log.js';

export interface ChangeoverParts {
  /** Whether an address is known not to be on this host any more: it can neither be sent from nor be reached. */
  readonly isGone: (address: string, now: Offer) => boolean;
  /** What vnmgr says that the others are told; null: there are no others. Undefined while vnmgr is away. */
  readonly heard: () => Offer | null | undefined;
  /** uuids of those who are told, and have not installed the last revision known here. */
  readonly behind: (revision: number) => Promise<readonly string[]>;
  /** uuids of those who have not answered a probe by the ways that are `next`. */
  readonly silent: () => readonly string[];
  /** Whether the switch here holds all that is wanted, ports included. */
  readonly isInForce: () => boolean;
  /** Number of the last revision known here. */
  readonly revision: () => number;
  /** What is told, sent by, taken in or noted differs. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: AgentLog;
  readonly signal: AbortSignal;
}

type Step = 'opening' | 'announcing' | 'trying' | 'moving' | 'leaving';

const STEPS: readonly Step[] = ['opening', 'announcing', 'trying', 'moving', 'leaving'];
/** How long a step waits for others. To leave later by the new ones may mean to leave by an address that is gone; to take in the old ones for longer costs nothing. */
const PATIENCE_MS: Readonly<Record<Step, number>> = { opening: 5_000, announcing: 5_000, trying: 3_000, moving: 5_000, leaving: 60_000 };
/** Switches go by flows they have cached for up to a second after these have changed; then there is what is on the wire. */
const LINGER_MS: Readonly<Record<Step, number>> = { opening: 0, announcing: 0, trying: 0, moving: 2_000, leaving: 2_000 };
const LOOK_MS = 200;
/** Of changes that come one upon the other. */
const MAX_NOTED = 4;
/** chassis.endpoints */
const MAX_ENDPOINTS = 16;

const noteSchema = z.array(chassisSchema.pick({ endpoints: true, encaps: true, underlay: true })).min(1);

export class Changeover {
  readonly #parts: ChangeoverParts;
  #now: ChassisFacts | undefined;
  /** What the others know for sure, then what they may use besides. */
  #known: readonly Offer[] = [];
  #step: Step | undefined;
  /** Who has not confirmed the step; undefined when that is not known. */
  #behind: readonly string[] | undefined;
  #stop: AbortController | undefined;

  constructor(parts: ChangeoverParts) {
    this.#parts = parts;
  }

  /** What is offered now. @param noted what `note` gave last, perhaps to the process before this one */
  look(now: ChassisFacts, noted: string | undefined): void {
    const before = this.#now;
    if (before === undefined) this.#known = read(noted);
    this.#now = now;
    if (before !== undefined && isSame(before, now)) return;
    const [sure = now, ...others] = this.#known.map((offer) => this.#possible(offer));
    const old = [sure, ...others].filter((offer) => !isSame(offer, now) && !isEmpty(offer)).slice(0, MAX_NOTED);
    this.#stop?.abort();
    this.#step = undefined;
    this.#known = [now];
    if (old.length === 0) return;
    const step = isEmpty(sure) ? 'moving' : isWithin(now, sure) ? 'trying' : 'opening';
    this.#known = step === 'moving' ? [now, ...old] : [sure, now, ...old.filter((offer) => offer !== sure)];
    this.#begin(step);
  }

  /** Without the addresses that are known to be gone. */
  #possible(offer: Offer): Offer {
    const endpoints = offer.endpoints.filter(({ address }) => !this.#parts.isGone(address, this.#now!));
    return endpoints.length === 0 && offer.endpoints.length > 0 ? NOTHING : { ...offer, endpoints };
  }

  get isOver(): boolean {
    return this.#step === undefined;
  }

  /** What the others are told. */
  get told(): ChassisFacts {
    const now = this.#now!;
    if (this.#step === undefined || this.#step === 'leaving') return now;
    const old = this.#old();
    const { endpoints, encaps } = union(this.#step === 'opening' ? old : [...old, now], ({ address }) => address);
    // Frames that still leave without a tunnel are taken in only from whom others know to do so.
    const direct = old.flatMap((offer) => offer.endpoints.filter(({ mac }) => mac !== null));
    return {
      ...now,
      endpoints: endpoints.slice(0, MAX_ENDPOINTS).map((end) => direct.find(({ address }) => address === end.address) ?? end),
      encaps,
      underlay: old.find(({ underlay }) => underlay !== null && underlay.mac !== null)?.underlay ?? now.underlay,
    };
  }

  #old(): readonly Offer[] {
    return this.#known.filter((offer) => !isSame(offer, this.#now!));
  }

  /** What packets leave by. */
  get used(): Offer {
    const now = this.#now!;
    const [sure] = this.#known;
    if (this.#step === undefined || this.#step === 'moving' || this.#step === 'leaving' || sure === undefined) return offerOf(now);
    const around = now.endpoints[0] ?? now.underlay;
    return {
      endpoints: sure.endpoints.map((end) => ({ ...end, ...around, address: end.address })),
      encaps: sure.encaps,
      underlay: now.underlay,
    };
  }

  /** What packets will leave by, when it is to be tried. */
  get next(): Offer | undefined {
    return this.#step === 'trying' ? this.#now : undefined;
  }

  /** What packets are taken in by, when that is more than what is offered. */
  get taken(): Offer | undefined {
    if (this.#step === undefined) return undefined;
    const { endpoints, encaps } = union([this.#now!, ...this.#known], (end) => `${end.address} ${end.underlay} ${end.mac === null}`);
    const places = [this.#now!, ...this.#known].flatMap(({ underlay }) => (underlay === null ? [] : [underlay]));
    return { endpoints, encaps, underlay: places.find(({ mac }) => mac !== null) ?? places[0] ?? null };
  }

  /** To be kept for the process after this one; null: nothing. */
  get note(): string | null {
    return this.#known.every(isEmpty) ? null : JSON.stringify(this.#known.map(offerOf));
  }

  conditions(): Condition[] {
    if (this.#step === undefined) return [];
    const old = this.#old().map(named).join('; ');
    const message = `changing over to ${named(this.#now!)}: until the others have heard of it, what was offered is taken in too: ${old}`;
    return [{ code: 'overlay_changing', message, uuids: [...(this.#behind ?? [])] }];
  }

  #begin(step: Step): void {
    const stop = (this.#stop = new AbortController());
    this.#parts.log.info({ from: this.#old().map(named), to: named(this.#now!) }, 'how this hypervisor is reached changes over');
    void this.#work(step, AbortSignal.any([stop.signal, this.#parts.signal]));
  }

  async #work(first: Step, signal: AbortSignal): Promise<void> {
    const { clock, onChange } = this.#parts;
    for (const step of STEPS.slice(STEPS.indexOf(first))) {
      this.#step = step;
      if (step === 'moving') this.#known = [this.#now!, ...this.#old()];
      if (step !== first) onChange();
      await this.#confirmed(step, signal);
      await clock.sleep(LINGER_MS[step], signal);
      if (signal.aborted) return;
    }
    this.#step = undefined;
    this.#known = [this.#now!];
    this.#parts.log.info({ now: named(this.#now!) }, 'how this hypervisor is reached has changed over');
    onChange();
  }

  /** Resolves when everybody has installed what is told, or has had the time to. */
  async #confirmed(step: Step, signal: AbortSignal): Promise<void> {
    const { clock, heard, isInForce, log } = this.#parts;
    let until: number | undefined;
    let at: number | undefined;
    this.#behind = undefined;
    while (!signal.aborted) {
      const said = heard();
      if (said !== undefined) until ??= clock.now() + PATIENCE_MS[step];
      const isTold = said === null || (said !== undefined && textOf(said) === textOf(this.told));
      if (isTold && isInForce()) {
        at ??= this.#parts.revision();
        this.#behind = said === null ? [] : await this.#laggards(step, at);
        if (this.#behind?.length === 0) return;
      }
      if (isTold && clock.now() >= until!) {
        const datapaths = this.#behind ?? 'unknown';
        return log.warn({ step, datapaths }, 'not every hypervisor has confirmed how this one is reached now; going on all the same');
      }
      await clock.sleep(LOOK_MS, signal);
    }
  }

  /** Whom the step waits for; undefined when that is not known. */
  async #laggards(step: Step, revision: number): Promise<readonly string[] | undefined> {
    if (step === 'opening') return [];
    return step === 'trying' ? this.#parts.silent() : this.#parts.behind(revision).catch(() => undefined);
  }
}

const NOTHING: Offer = { endpoints: [], encaps: [], underlay: null };

function read(noted: string | undefined): readonly Offer[] {
  if (noted === undefined) return [];
  try {
    return noteSchema.parse(JSON.parse(noted));
  } catch {
    return [];
  }
}

const offerOf = ({ endpoints, encaps, underlay }: Offer): Offer => ({ endpoints, encaps, underlay });

/** Nobody can use it. */
function isEmpty({ endpoints, encaps, underlay }: Offer): boolean {
  return encaps.length === 0 || (endpoints.length === 0 && underlay === null);
}

/** To the others; they need not be told of another MTU in time. */
function isSame(a: Offer, b: Offer): boolean {
  const keyOf = ({ endpoints, encaps, underlay }: Offer) =>
    JSON.stringify([endpoints.map((end) => [end.address, placeOf(end)]), encaps, underlay && placeOf(underlay)]);
  return keyOf(a) === keyOf(b);
}

const placeOf = ({ mac, underlay }: Pick<ChassisEndpoint, 'mac' | 'underlay'>) => [underlay, mac !== null];

/** Whether who knows one of the two may be reached by the other. */
function isWithin(inner: Offer, outer: Offer): boolean {
  return (
    inner.encaps.every((encap) => outer.encaps.includes(encap)) &&
    inner.endpoints.every(({ address }) => outer.endpoints.some((end) => end.address === address))
  );
}

function union(offers: readonly Offer[], keyOf: (end: ChassisEndpoint) => string): Pick<Offer, 'endpoints' | 'encaps'> {
  const endpoints = new Map<string, ChassisEndpoint>();
  for (const end of offers.flatMap((offer) => offer.endpoints)) if (!endpoints.has(keyOf(end))) endpoints.set(keyOf(end), end);
  return { endpoints: [...endpoints.values()], encaps: [...new Set(offers.flatMap(({ encaps }) => encaps))] };
}

function textOf({ endpoints, encaps, underlay }: Offer): string {
  const around = ({ mac, underlay: l2, mtu }: Omit<ChassisEndpoint, 'address'>) => [mac, l2, mtu];
  return JSON.stringify([endpoints.map((end) => [end.address, ...around(end)]), encaps, underlay && around(underlay)]);
}

/** For people. */
function named({ endpoints, encaps, underlay }: Offer): string {
  const where = endpoints.map(({ address }) => address).join(', ');
  const direct = [...endpoints, ...(underlay === null ? [] : [underlay])].find(({ mac }) => mac !== null);
  return `${encaps.join(', ') || 'nothing'}${where === '' ? '' : ` at ${where}`}${direct === undefined ? '' : `, without tunnels on ${direct.underlay}`}`;
}
