import fc from 'fast-check';
import type { ChassisFacts } from '../../../controller/messages/slice.js';
import { Changeover } from '../../../datapath/agent/changeover.js';
import type { Encapsulation } from '../../../flows/model/entities/presence.js';
import type { Offer } from '../../../flows/pipeline/pairing.js';
import { ManualClock } from './manual-clock.js';

/** How long it takes until vnmgr has committed what it is told; and another hypervisor has installed that. */
const COMMIT_MS = 50;

function offer(encaps: readonly Encapsulation[], ...addresses: readonly string[]): ChassisFacts {
  const around = { mac: null, underlay: 'underlay', mtu: 1500 };
  return { endpoints: addresses.map((address) => ({ address, ...around })), encaps: [...encaps], underlay: null, physical_networks: [] };
}

/** This hypervisor, vnmgr and one other hypervisor, which installs what it hears `delayMs` after the commit; null: it is gone. */
class Fixture {
  readonly clock = new ManualClock();
  readonly warnings: object[] = [];
  delayMs: number | null = 20;
  isInForce = true;
  isAnswered = true;
  gone: string | undefined;
  isVnmgrThere = true;
  changeover!: Changeover;
  #process = new AbortController();
  #noted: string | undefined;
  #revision = 0;
  #committed: Offer | undefined;
  /** What the other one goes by, and when it had installed it. */
  other: { readonly revision: number; readonly offer: Offer } | undefined;

  /** What runs is killed. */
  start(now: ChassisFacts): void {
    this.#process.abort();
    this.#process = new AbortController();
    const { signal } = this.#process;
    this.changeover = new Changeover({
      isGone: (address) => address === this.gone,
      silent: () => (this.isAnswered ? [] : ['dp-other']),
      heard: () => (this.isVnmgrThere ? this.#committed : undefined),
      behind: (revision) => Promise.resolve(this.other !== undefined && this.other.revision >= revision ? [] : ['dp-other']),
      isInForce: () => this.isInForce,
      revision: () => this.#revision,
      onChange: () => this.#tell(signal),
      clock: this.clock,
      log: { info: () => undefined, warn: (fields) => this.warnings.push(fields), error: () => undefined },
      signal,
    });
    this.changeover.look(now, this.#noted);
    this.#tell(signal);
  }

  #tell(signal: AbortSignal): void {
    this.#noted = this.changeover.note ?? undefined;
    const { told } = this.changeover;
    const deliver = async (): Promise<void> => {
      await this.clock.sleep(COMMIT_MS, signal);
      if (signal.aborted || JSON.stringify(told) === JSON.stringify(this.#committed)) return;
      this.#committed = told;
      const revision = ++this.#revision;
      if (this.delayMs === null) return;
      // It goes on whatever becomes of this process.
      await this.clock.sleep(this.delayMs, new AbortController().signal);
      if (this.other === undefined || this.other.revision < revision) this.other = { revision, offer: told };
    };
    void deliver();
  }

  /** In short: what is told, used, and taken in. */
  look(): Record<string, string> {
    const { told, used, taken } = this.changeover;
    return { told: short(told), used: short(used), taken: short(taken ?? told) };
  }

  /** Every different state until it is over. */
  async course(): Promise<Record<string, string>[]> {
    const seen = [this.look()];
    for (let ms = 0; ms < 200_000 && !this.changeover.isOver; ms += 100) {
      await this.clock.advance(100);
      if (JSON.stringify(this.look()) !== JSON.stringify(seen.at(-1))) seen.push(this.look());
    }
    return seen;
  }
}

function short({ endpoints, encaps }: Offer): string {
  return [...encaps, ...endpoints.map(({ address }) => address)].join(' ');
}

async function running(first: ChassisFacts): Promise<Fixture> {
  const fixture = new Fixture();
  fixture.start(first);
  await fixture.clock.advance(1_000);
  return fixture;
}

const at = (told: string, used: string, taken: string) => ({ told, used, taken });

describe('changeover', () => {
  it('is none when nothing was offered before, and when the same is offered again', async () => {
    const fixture = await running(offer(['geneve'], '192.0.2.1'));
    const isOver = [fixture.changeover.isOver];
    fixture.start(offer(['geneve'], '192.0.2.1'));
    isOver.push(fixture.changeover.isOver);
    expect({ isOver, looks: fixture.look() }).toEqual({
      isOver: [true, true],
      looks: at('geneve 192.0.2.1', 'geneve 192.0.2.1', 'geneve 192.0.2.1'),
    });
  });

  it('uses what is left at once, and tells of less only then, when some of what was offered is not any more', async () => {
    const fixture = await running(offer(['geneve', 'vxlan'], '192.0.2.1'));
    fixture.start(offer(['vxlan'], '192.0.2.1'));
    const [told, both] = ['geneve vxlan 192.0.2.1', 'vxlan geneve 192.0.2.1'];
    expect(await fixture.course()).toEqual([
      at(told, told, both),
      at(told, 'vxlan 192.0.2.1', both),
      at('vxlan 192.0.2.1', 'vxlan 192.0.2.1', both),
      at('vxlan 192.0.2.1', 'vxlan 192.0.2.1', 'vxlan 192.0.2.1'),
    ]);
  });

  it('uses what is new when the others have heard of it, who hear of it when it is taken in', async () => {
    const fixture = await running(offer(['geneve'], '192.0.2.1'));
    fixture.isInForce = false;
    fixture.start(offer(['vxlan'], '192.0.2.2'));
    await fixture.clock.advance(4_000);
    const waiting = fixture.look();
    fixture.isInForce = true;
    const [old, now] = ['geneve 192.0.2.1', 'vxlan 192.0.2.2'];
    const [told, both] = ['geneve vxlan 192.0.2.1 192.0.2.2', 'vxlan geneve 192.0.2.2 192.0.2.1'];
    expect({ waiting, course: await fixture.course() }).toEqual({
      waiting: at(old, old, both),
      course: [at(old, old, both), at(told, old, both), at(told, now, both), at(now, now, both), at(now, now, now)],
    });
  });

  it('uses what is new when a probe that went that way has been answered, or three seconds have passed', async () => {
    const fixture = await running(offer(['geneve'], '192.0.2.1', '192.0.2.2'));
    fixture.isAnswered = false;
    fixture.start(offer(['geneve'], '192.0.2.2'));
    const used = [];
    for (let second = 0; second < 3; second++) {
      used.push([fixture.look()['used'], fixture.changeover.next && short(fixture.changeover.next)]);
      await fixture.clock.advance(1_000);
    }
    used.push([fixture.look()['used'], fixture.changeover.next]);
    const trying = ['geneve 192.0.2.1 192.0.2.2', 'geneve 192.0.2.2'];
    expect({ used, warnings: fixture.warnings }).toEqual({
      used: [trying, trying, trying, ['geneve 192.0.2.2', undefined]],
      warnings: [{ step: 'trying', datapaths: ['dp-other'] }],
    });
  });

  it('gives an address up at once that is known to be gone', async () => {
    const fixture = await running(offer(['geneve'], '192.0.2.1'));
    fixture.gone = '192.0.2.1';
    fixture.start(offer(['geneve'], '192.0.2.2'));
    expect([fixture.changeover.isOver, fixture.look()]).toEqual([true, at('geneve 192.0.2.2', 'geneve 192.0.2.2', 'geneve 192.0.2.2')]);
  });

  it('ends, and names who has not confirmed, when a hypervisor never comes back', async () => {
    const fixture = await running(offer(['geneve'], '192.0.2.1'));
    fixture.delayMs = null;
    fixture.start(offer(['vxlan'], '192.0.2.1'));
    const began = fixture.clock.now();
    await fixture.course();
    const seconds = Math.round((fixture.clock.now() - began) / 1000);
    expect({ looks: fixture.look(), seconds, warnings: fixture.warnings }).toEqual({
      looks: at('vxlan 192.0.2.1', 'vxlan 192.0.2.1', 'vxlan 192.0.2.1'),
      seconds: 74,
      warnings: ['announcing', 'moving', 'leaving'].map((step) => ({ step, datapaths: ['dp-other'] })),
    });
  });

  it('goes no further while vnmgr is away, and is said to be under way', async () => {
    const fixture = await running(offer(['geneve', 'vxlan'], '192.0.2.1'));
    fixture.isVnmgrThere = false;
    fixture.start(offer(['vxlan'], '192.0.2.1'));
    await fixture.clock.advance(600_000);
    expect({ looks: fixture.look(), conditions: fixture.changeover.conditions() }).toEqual({
      looks: at('geneve vxlan 192.0.2.1', 'geneve vxlan 192.0.2.1', 'vxlan geneve 192.0.2.1'),
      conditions: [
        {
          code: 'overlay_changing',
          message:
            'changing over to vxlan at 192.0.2.1: until the others have heard of it, what was offered is taken in too: geneve, vxlan at 192.0.2.1',
          uuids: [],
        },
      ],
    });
  });

  it('loses nothing in either direction, and ends, whenever the process is killed and whatever it is started with', async () => {
    const encaps = fc.shuffledSubarray<Encapsulation>(['geneve', 'vxlan', 'gre'], { minLength: 1 });
    const addresses = fc.shuffledSubarray(['192.0.2.1', '192.0.2.2', '192.0.2.3'], { minLength: 1 });
    const config = fc.tuple(encaps, addresses).map(([some, where]) => offer(some, ...where));
    const life = fc.record({ config, lives: fc.integer({ min: 0, max: 8_000 }), delayMs: fc.integer({ min: 1, max: 3_000 }) });
    await fc.assert(
      fc.asyncProperty(config, fc.array(life, { minLength: 1, maxLength: 3 }), async (first, lives) => {
        const fixture = await running(first);
        const check = (): void => {
          const { used, taken = fixture.changeover.told } = fixture.changeover;
          const known = fixture.other!.offer;
          expect({ used: short(used), known: short(known), isKnown: isWithin(used, known) }).toMatchObject({ isKnown: true });
          expect({ known: short(known), taken: short(taken), isTaken: isWithin(known, taken) }).toMatchObject({ isTaken: true });
        };
        for (const { config: now, lives: ms, delayMs } of lives) {
          fixture.delayMs = delayMs;
          fixture.start(now);
          for (let passed = 0; passed < ms; passed += 100) {
            check();
            await fixture.clock.advance(100);
          }
        }
        for (let ms = 0; ms < 60_000 && !fixture.changeover.isOver; ms += 100) {
          check();
          await fixture.clock.advance(100);
        }
        const last = short(lives.at(-1)!.config);
        expect({ looks: fixture.look(), warnings: fixture.warnings }).toEqual({ looks: at(last, last, last), warnings: [] });
      }),
      { numRuns: 20 },
    );
  }, 60_000);
});

function isWithin(inner: Offer, outer: Offer): boolean {
  const all = new Set(short(outer).split(' '));
  return short(inner)
    .split(' ')
    .every((one) => all.has(one));
}
