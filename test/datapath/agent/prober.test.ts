import { Prober, type ProbedWay, type ProberOptions } from '../../../datapath/agent/prober.js';
import type { UnderlayDoubt } from '../../../datapath/ovsdb/underlay-route.js';
import { ManualClock } from './manual-clock.js';

const way = (n: number): ProbedWay => ({
  datapath_uuid: `dp-${n}`,
  node_id: `hv${n}`,
  encap: 'geneve',
  local: '192.0.2.1',
  remote: `192.0.2.${n}`,
  ofport: 901,
});

/** A prober whose probes come back from the hypervisors that are up; `sent` is the times of probes to each. */
class Bench {
  readonly clock = new ManualClock();
  readonly ways = [way(2)];
  readonly up = new Set(['192.0.2.2']);
  readonly sent: Record<string, number[]> = {};
  readonly prober: Prober;
  isConnected = true;
  doubt: UnderlayDoubt | undefined;
  changes = 0;
  readonly #stop = new AbortController();
  readonly #run: Promise<void>;

  constructor(over: Partial<ProberOptions> = {}) {
    let draws = 0;
    this.prober = new Prober({
      ways: () => this.ways,
      send: (frame, actions) => {
        if (!this.isConnected) return false;
        const there = actions.flatMap((one) =>
          one.kind === 'set_field' && one.field === 'tun_dst' ? [`192.0.2.${Number(one.value) % 256}`] : [],
        )[0]!;
        (this.sent[there] ??= []).push(this.clock.now() - 1_000);
        if (this.up.has(there)) queueMicrotask(() => this.prober.heard(frame));
        return true;
      },
      explain: () => Promise.resolve(this.doubt),
      periodMs: 1_000,
      clock: this.clock,
      random: () => (draws++ % 2 === 0 ? 0.5 : 0.5 + draws / 1e6),
      onChange: () => (this.changes += 1),
      ...over,
    });
    this.#run = this.prober.run(this.#stop.signal);
  }

  said(): string[] {
    return this.prober.conditions().map(({ code, uuids }) => `${code} ${uuids.join()}`);
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#run;
  }
}

let bench: Bench;
afterEach(() => bench.end());

describe('probes of the ways to other hypervisors', () => {
  it('go at once to a new one, soon again until it answers, and then from time to time', async () => {
    bench = new Bench();
    await bench.clock.advance(2_500);
    bench.ways.push(way(3));
    bench.prober.changed();
    await bench.clock.advance(200);
    bench.up.add('192.0.2.3');
    await bench.clock.advance(1_500);
    expect(bench.sent['192.0.2.2']!.slice(0, 3).map((time) => Math.round(time / 100) * 100)).toEqual([0, 1_000, 2_000]);
    expect(bench.sent['192.0.2.3']!.map((time) => Math.round(time / 100) * 100)).toEqual([2_500, 2_600, 2_900, 3_900]);
    expect([bench.said(), bench.prober.counts()]).toEqual([[], { answering: 2, silent: 0 }]);
  });

  it('that are not answered name the hypervisor and what the underlay lacks, until one is', async () => {
    bench = new Bench();
    await bench.clock.advance(1_500);
    bench.up.clear();
    await bench.clock.advance(2_000);
    const early = bench.said();
    await bench.clock.advance(2_500);
    const silent = [bench.said(), bench.prober.counts()];
    bench.doubt = { code: 'no_underlay_route', message: 'the switch has no route to 192.0.2.2' };
    await bench.clock.advance(1_500);
    const doubted = bench.said();
    bench.up.add('192.0.2.2');
    await bench.clock.advance(1_500);
    expect({ early, silent, doubted, back: bench.said(), changes: bench.changes }).toEqual({
      early: [],
      silent: [['peer_silent dp-2'], { answering: 0, silent: 1 }],
      doubted: ['no_underlay_route dp-2'],
      back: [],
      changes: 3,
    });
  });

  it('say nothing of anybody while the switch is not connected, or of a hypervisor that is gone', async () => {
    bench = new Bench();
    bench.isConnected = false;
    await bench.clock.advance(10_000);
    const disconnected = bench.said();
    bench.isConnected = true;
    bench.up.clear();
    bench.prober.changed();
    await bench.clock.advance(10_000);
    const silent = bench.said();
    bench.ways.length = 0;
    bench.prober.changed();
    await bench.clock.advance(10);
    expect([disconnected, silent, bench.said()]).toEqual([[], ['peer_silent dp-2'], []]);
  });
});
