/**
 * Conntrack zones of the routers that translate addresses here.
 *
 * Owns: a pair of zones for each router of the slice that translates, claimed on the bridge's row in OVSDB, emptied before its first use and after its last.
 * Assumes: without its zones a router's flows translate nothing.
 * Promises: a pair that was in use before a restart of this process is in use again at once, connections and all. Failures are tried again until they
 * succeed or nobody needs the zones any more.
 */
import type { SliceRecord } from '../../controller/messages/slice.js';
import type { NatZones as NatZonesRecord } from '../../flows/pipeline/rule.js';
import { TranslatingRouters } from '../../flows/pipeline/translating-routers.js';
import type { Clock } from './clock.js';
import type { AgentLog } from './log.js';
import type { Zones } from './zones.js';

/** A pair of zones claimed on the bridge's row. */
export interface NatClaim {
  readonly source_zone: number;
  readonly target_zone: number;
}

export interface NatZonesOptions {
  /** By route link, as OVSDB has them now. */
  readonly claimed: () => ReadonlyMap<string, NatClaim>;
  /** What claims a pair in `Zones`. */
  readonly rowOf: (routeLink: string) => string;
  /** Writes the claim, null removes it. */
  readonly claim: (routeLink: string, claim: NatClaim | null, signal: AbortSignal) => Promise<void>;
  readonly zones: Zones;
  /** Empties a conntrack zone; waits for a connection. */
  readonly flushZone: (zone: number, signal: AbortSignal) => Promise<void>;
  /** What `records` gives differs now, or nothing is pending any more. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: AgentLog;
  readonly signal: AbortSignal;
}

const RETRY_MS = 500;

export class NatZones {
  readonly #options: NatZonesOptions;
  readonly #translating = new TranslatingRouters();
  /** By route link: in use. */
  readonly #pairs = new Map<string, NatClaim>();
  /** By route link: being claimed or given back, since that slice message. */
  readonly #busy = new Map<string, number>();
  #wanted: ReadonlySet<string> = new Set();

  constructor(options: NatZonesOptions) {
    this.#options = options;
  }

  /** The oldest slice message that some router still without its zones belongs to. */
  get pendingSince(): number | undefined {
    const waiting = [...this.#busy].filter(([link]) => this.#wanted.has(link)).map(([, seq]) => seq);
    return waiting.length === 0 ? undefined : Math.min(...waiting);
  }

  records(): NatZonesRecord[] {
    return [...this.#pairs]
      .filter(([link]) => this.#wanted.has(link))
      .map(([link, pair]) => ({ kind: 'nat_zones', uuid: `nz-${link}`, ...pair }));
  }

  /** Every message so far is from an attachment that is over. */
  restartSeq(): void {
    for (const link of this.#busy.keys()) this.#busy.set(link, 0);
  }

  /** The slice changed. @param seq the message that said so */
  update(puts: readonly SliceRecord[], deletes: readonly string[], isComplete: boolean, seq: number): void {
    if (isComplete) this.#translating.clear();
    this.#translating.update(puts, deletes);
    this.#wanted = this.#translating.links();
    this.#look(seq);
  }

  #look(seq: number): void {
    const { zones, claimed, rowOf } = this.#options;
    const kept = claimed();
    for (const link of this.#wanted) {
      if (this.#pairs.has(link) || this.#busy.has(link)) continue;
      const before = kept.get(link);
      if (before !== undefined && zones.take(before.source_zone, rowOf(link))) {
        if (zones.take(before.target_zone, rowOf(link))) {
          this.#pairs.set(link, before);
          continue;
        }
        zones.release(before.source_zone);
      }
      this.#run(link, seq, () => this.#claim(link));
    }
    for (const [link, pair] of this.#pairs)
      if (!this.#wanted.has(link) && !this.#busy.has(link)) this.#run(link, seq, () => this.#giveBack(link, pair));
    // Left by a process that knew of routers which are no more.
    for (const link of kept.keys())
      if (!this.#wanted.has(link) && !this.#pairs.has(link) && !this.#busy.has(link))
        this.#run(link, seq, () => this.#options.claim(link, null, this.#options.signal));
  }

  #run(link: string, seq: number, work: () => Promise<void>): void {
    const { clock, log, signal, onChange } = this.#options;
    this.#busy.set(link, seq);
    const persist = async (): Promise<void> => {
      for (let failures = 0; !signal.aborted; failures++) {
        try {
          return await work();
        } catch (error) {
          if (failures === 0)
            log.warn({ route_link: link, error: String(error) }, 'a router cannot claim its conntrack zones; trying again');
          await clock.sleep(RETRY_MS, signal);
        }
      }
    };
    void persist().then(() => {
      this.#busy.delete(link);
      if (signal.aborted) return;
      this.#look(seq);
      onChange();
    });
  }

  async #claim(link: string): Promise<void> {
    const { zones, claim, flushZone, rowOf, signal } = this.#options;
    const [source_zone, target_zone] = [zones.pick(), zones.pick()];
    try {
      if (source_zone === undefined || target_zone === undefined) throw new RangeError('all 65,535 conntrack zones are taken');
      await claim(link, { source_zone, target_zone }, signal);
      if ([source_zone, target_zone].some((zone) => zones.isShared(zone, rowOf(link))))
        throw new RangeError('another agent of this switch claimed the same conntrack zones');
      await flushZone(source_zone, signal);
      await flushZone(target_zone, signal);
      this.#pairs.set(link, { source_zone, target_zone });
    } catch (error) {
      for (const zone of [source_zone, target_zone]) if (zone !== undefined) zones.release(zone);
      throw error;
    }
  }

  async #giveBack(link: string, pair: NatClaim): Promise<void> {
    const { zones, claim, flushZone, signal } = this.#options;
    await claim(link, null, signal);
    for (const zone of [pair.source_zone, pair.target_zone]) {
      await flushZone(zone, signal);
      zones.release(zone);
    }
    this.#pairs.delete(link);
  }
}
