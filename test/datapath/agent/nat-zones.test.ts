import { NatZones, type NatClaim } from '../../../datapath/agent/nat-zones.js';
import { Zones } from '../../../datapath/agent/zones.js';
import type { SliceRecord } from '../../../controller/messages/slice.js';
import { floatingIp, route, translation } from '../../flows/compile/slice-builder.js';
import { ManualClock } from './manual-clock.js';

/** A bridge's row, and the agent's part that writes to it. */
class Bench {
  readonly claims: Map<string, NatClaim>;
  readonly events: string[] = [];
  readonly stop = new AbortController();
  readonly natZones: NatZones;
  readonly clock = new ManualClock();
  failures = 0;

  constructor(claims: Readonly<Record<string, NatClaim>> = {}, taken: readonly number[] = []) {
    this.claims = new Map(Object.entries(claims));
    const rows = (): ReadonlyMap<number, readonly string[]> => {
      const byZone = new Map(taken.map((zone) => [zone, ['port']]));
      for (const [link, pair] of this.claims)
        for (const zone of Object.values(pair)) byZone.set(zone as number, [...(byZone.get(zone as number) ?? []), link]);
      return byZone;
    };
    this.natZones = new NatZones({
      claimed: () => this.claims,
      rowOf: (link) => link,
      claim: (link, pair) => {
        if (this.failures-- > 0) return Promise.reject(new Error('away'));
        this.events.push(`${link} ${pair === null ? 'none' : `${pair.source_zone} ${pair.target_zone}`}`);
        if (pair === null) this.claims.delete(link);
        else this.claims.set(link, pair);
        return Promise.resolve();
      },
      zones: new Zones(rows),
      flushZone: (zone) => {
        this.events.push(`flush ${zone}`);
        return Promise.resolve();
      },
      onChange: () => this.events.push('changed'),
      clock: this.clock,
      log: { info: () => undefined, warn: () => this.events.push('warned'), error: () => undefined },
      signal: this.stop.signal,
    });
  }

  take(puts: readonly SliceRecord[], deletes: readonly string[] = []): void {
    this.natZones.update(puts, deletes, false, 7);
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
  }
}

const pairs = ({ natZones }: Bench) =>
  natZones.records().map(({ uuid, source_zone, target_zone }) => `${uuid} ${source_zone} ${target_zone}`);

describe('conntrack zones of routers', () => {
  it('are claimed, emptied and only then used; what waits for them is pending', async () => {
    const bench = new Bench({}, [1, 3]);
    bench.take([floatingIp('1', '10.0.1.50')]);
    const before = [bench.natZones.pendingSince, pairs(bench)];
    await bench.settle();
    expect({ before, after: [bench.natZones.pendingSince, pairs(bench)], events: bench.events }).toEqual({
      before: [7, []],
      after: [undefined, ['nz-rl-l1 2 4']],
      events: ['rl-l1 2 4', 'flush 2', 'flush 4', 'changed'],
    });
  });

  it('that were in use before a restart are in use at once, and keep their connections', () => {
    const bench = new Bench({ 'rl-l1': { source_zone: 8, target_zone: 9 } });
    bench.take([floatingIp('1', '10.0.1.50')]);
    expect([pairs(bench), bench.events]).toEqual([['nz-rl-l1 8 9'], []]);
  });

  it('that somebody else has as well are not kept', async () => {
    const bench = new Bench({ 'rl-l1': { source_zone: 8, target_zone: 9 } }, [9]);
    bench.take([floatingIp('1', '10.0.1.50')]);
    await bench.settle();
    expect(pairs(bench)).toEqual(['nz-rl-l1 1 2']);
  });

  it('are given back, empty, when nothing of the router translates any more, also when an earlier process claimed them', async () => {
    const bench = new Bench({ 'rl-l1': { source_zone: 8, target_zone: 9 }, 'rl-gone': { source_zone: 5, target_zone: 6 } });
    bench.take([floatingIp('1', '10.0.1.50')]);
    bench.take([], ['fip-1']);
    const unused = pairs(bench);
    await bench.settle();
    expect({ unused, left: [...bench.claims.keys()], events: bench.events.filter((event) => event !== 'changed').sort() }).toEqual({
      unused: [],
      left: [],
      events: ['flush 8', 'flush 9', 'rl-gone none', 'rl-l1 none'],
    });
  });

  it('are for the routers that have the interface of a translation', async () => {
    const bench = new Bench();
    bench.take([
      translation('1', 'gw1', []),
      route('1', 1, {
        route_link_uuid: 'rl-l2',
        interface_uuid: 'if-gw1',
        network_uuid: 'nw-n1',
        ipv4_network: '10.0.1.0',
        ipv4_prefix: 24,
      }),
      route('2', 2, {
        route_link_uuid: 'rl-l3',
        interface_uuid: 'if-gw2',
        network_uuid: 'nw-n2',
        ipv4_network: '10.0.2.0',
        ipv4_prefix: 24,
      }),
    ]);
    await bench.settle();
    expect(pairs(bench)).toEqual(['nz-rl-l2 1 2']);
  });
});
