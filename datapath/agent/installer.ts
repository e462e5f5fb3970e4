/**
 * Brings the switch to what is wanted, one bundle at a time.
 *
 * Owns: sending what differs; setting aside what the switch refuses; holding deletions back when too many come too early.
 * Assumes: the ledgers say what the switch holds (the connection was adopted); `flush` is not called twice at once.
 * Promises: a bundle holds everything that is due when it is made, and the canary that goes with it. A modification that is refused does
 * not keep the others out: it is tried again ever more rarely (1 s to 60 s), or at once when something else is wanted in its place.
 */
import type { FlowKey } from '../../flows/compile/contract.js';
import { BundleError } from '../channel/errors.js';
import type { Channel, SwitchError, TableMod } from '../channel/contract.js';
import { digestAfter, nextRetry, planBatch, sparingGroups, type Step } from './batch.js';
import { canaryFlow } from './canary.js';
import type { Clock } from './clock.js';
import type { Image } from './image.js';
import type { Refusal } from './ledger.js';

export interface InstallerOptions {
  readonly image: Image;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** After every bundle that was applied, or why it was not, or not as a whole. */
  readonly onBundle: (mods: readonly TableMod[], refused: BundleError | undefined) => void;
  /** The switch refused something: perhaps it does not hold what we believe. */
  readonly onRefused: (step: Step | undefined, error: SwitchError) => void;
}

/** The whole batch is tried again this often without what was refused; then what comes before a refusal goes in a bundle of its own. */
const WHOLE_RETRIES = 4;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

const NO_STEPS: readonly Step[] = [];
const NOTHING: ReadonlyMap<number, SwitchError> = new Map();
const NONE: ReadonlySet<FlowKey> = new Set();

export class Installer {
  readonly #options: InstallerOptions;
  #inFlight = NO_STEPS;
  #flowsInFlight: ReadonlySet<FlowKey> | undefined = NONE;
  #stalled: Refusal | undefined;
  #deletionsFrom = -Infinity;

  constructor(options: InstallerOptions) {
    this.#options = options;
  }

  /** What the bundle on its way contains, or the one whose outcome the end of its connection left open. */
  get inFlight(): readonly Step[] {
    return this.#inFlight;
  }

  /** The flows among them. */
  get flowsInFlight(): ReadonlySet<FlowKey> {
    return (this.#flowsInFlight ??= new Set(flowKeys(this.#inFlight)));
  }

  /** Why no bundle at all is accepted, if so. */
  get stalled(): Refusal | undefined {
    return this.#stalled;
  }

  /** What the switch holds was found out anew: no outcome is open any more. */
  adopt(): void {
    this.#fly(NO_STEPS);
  }

  /** Nothing is deleted before this time of the clock. */
  holdDeletions(until: number): void {
    this.#deletionsFrom = until;
  }

  /** When there will be something to send again, milliseconds of the clock; Infinity: when something changes. */
  nextDue(): number {
    const { image, clock } = this.#options;
    if (this.#stalled !== undefined) return this.#stalled.retryAt;
    return Math.min(nextRetry(image), this.#deletionsFrom > clock.now() ? this.#deletionsFrom : Infinity);
  }

  /** Sends until nothing is due. Rejects with what the channel rejects with, refusals excepted. */
  async flush(channel: Channel, signal: AbortSignal): Promise<void> {
    const { image, clock } = this.#options;
    while (!signal.aborted) {
      const now = clock.now();
      if (this.#stalled !== undefined && this.#stalled.retryAt > now) return;
      const steps = planBatch(image, { now, deletions: this.#deletionsFrom <= now });
      image.flows.launch(steps.length > 0);
      image.groups.launch(steps.length > 0);
      if (steps.length === 0 && image.canary === image.digest) return;
      await this.#install(channel, steps, signal);
    }
  }

  async #install(channel: Channel, steps: readonly Step[], signal: AbortSignal): Promise<void> {
    let rest = steps;
    let refusals = 0;
    for (;;) {
      const error = await this.#send(channel, rest, signal);
      if (error === undefined || rest[error.index] === undefined) return;
      const before = rest.slice(0, error.index);
      const after = rest.slice(error.index + 1);
      if (++refusals <= WHOLE_RETRIES) rest = this.#stillDue([...before, ...after]);
      else {
        const first = this.#stillDue(before);
        if (first.length > 0) await this.#install(channel, first, signal);
        rest = this.#stillDue(after);
      }
      if (rest.length === 0) return;
    }
  }

  /** After a refusal: without what has been overtaken meanwhile, for that may be confirmed already as it was, and what must wait for the refused. */
  #stillDue(steps: readonly Step[]): readonly Step[] {
    const { image } = this.#options;
    return sparingGroups(
      image,
      steps.filter((step) => (step.on === 'flow' ? image.flows : image.groups).wanted.get(step.key as never) === step.entry),
    );
  }

  async #send(channel: Channel, steps: readonly Step[], signal: AbortSignal): Promise<BundleError | undefined> {
    const { image, onBundle } = this.#options;
    const digest = digestAfter(image, steps);
    const mods: TableMod[] = steps.map((step) => step.mod);
    if (digest !== image.canary) mods.push({ kind: 'flow_add', flow: canaryFlow(digest) });
    for (const step of steps) {
      if (step.on === 'flow') image.flows.touch(step.key);
      else image.groups.touch(step.key);
    }
    this.#fly(steps);
    let refused: BundleError | undefined;
    try {
      await channel.bundle(mods, signal);
    } catch (error) {
      // Whether the switch has got them only the next adoption tells: until then they count as on their way.
      if (!(error instanceof BundleError)) throw error;
      refused = error;
    }
    this.#fly(NO_STEPS);
    const leftOut = refused === undefined ? NOTHING : refused.leftOut;
    if (leftOut !== undefined) {
      for (const [index, step] of steps.entries()) {
        if (leftOut.has(index)) continue;
        if (step.on === 'flow') image.flows.land(step.key, step.entry);
        else image.groups.land(step.key, step.entry);
      }
      // One that says more than is there is put right by the next bundle.
      if (!leftOut.has(steps.length)) image.canary = digest;
      this.#stalled = undefined;
      for (const [index, error] of leftOut) this.#refused(steps[index], new BundleError(index, error));
    } else this.#refused(steps[refused!.index], refused!);
    onBundle(mods, refused);
    return leftOut === undefined ? refused : undefined;
  }

  #fly(steps: readonly Step[]): void {
    this.#inFlight = steps;
    this.#flowsInFlight = steps.length === 0 ? NONE : undefined;
  }

  #refused(step: Step | undefined, { error, message }: BundleError): void {
    const { image, onRefused } = this.#options;
    // What has changed since it was sent is not what was refused.
    if (step === undefined) this.#stalled = this.#refusal(message, this.#stalled);
    else if (step.on === 'flow') {
      if (image.flows.wanted.get(step.key) !== step.entry) return;
      image.flows.refuse(step.key, this.#refusal(error.name, image.flows.differences.get(step.key)?.refusal));
    } else {
      if (image.groups.wanted.get(step.key) !== step.entry) return;
      image.groups.refuse(step.key, this.#refusal(error.name, image.groups.differences.get(step.key)?.refusal));
    }
    onRefused(step, error);
  }

  #refusal(message: string, before: Refusal | undefined): Refusal {
    const { clock, random } = this.#options;
    const attempts = (before?.attempts ?? 0) + 1;
    const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts - 1, 16));
    return { message, attempts, retryAt: clock.now() + wait * (0.5 + random() / 2) };
  }
}

function* flowKeys(steps: readonly Step[]): Generator<FlowKey> {
  for (const step of steps) if (step.on === 'flow') yield step.key;
}
