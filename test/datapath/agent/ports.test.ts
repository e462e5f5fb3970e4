import { Zones } from '../../../datapath/agent/zones.js';
import fc from 'fast-check';
import type { FlowDelta, LocalPort } from '../../../flows/compile/contract.js';
import type { Binding } from '../../../flows/model/binding.js';
import { Ports } from '../../../datapath/agent/ports.js';
import { OvsdbError } from '../../../datapath/ovsdb/ovsdb-error.js';
import type { Vif } from '../../../datapath/ovsdb/vif-watcher.js';
import { ManualClock } from './manual-clock.js';

const NOTHING: FlowDelta = { flows_put: new Map(), flows_deleted: new Map(), groups_put: new Map(), groups_deleted: new Map() };

/** OVSDB, a switch and a compiler reduced to what local ports need of them; `events` says what happened in which order. */
class Host {
  readonly clock = new ManualClock();
  readonly vifs = new Map<string, Vif>();
  readonly bindings = new Map<string, Binding>();
  readonly live = new Map<string, LocalPort>();
  readonly events: string[] = [];
  readonly stop = new AbortController();
  readonly ports: Ports;
  seq = 1;
  isFailing = false;
  #rows = 0;

  constructor() {
    this.ports = new Ports({
      store: {
        claimZone: async (row, zone, interfaceUuid) => {
          await this.#turn();
          const vif = this.#inRow(row);
          if (vif === undefined) throw new OvsdbError('no_row', 'gone');
          const port = vif.port_name;
          this.vifs.set(port, { ...vif, ct_zone: zone, zone_interface: interfaceUuid });
          this.events.push(`claim ${port} ${zone}`);
          this.update();
        },
        writeBack: async (installed) => {
          await this.#turn();
          for (const [row, installed_revision] of installed) {
            const vif = this.#inRow(row);
            if (vif === undefined) continue;
            const port = vif.port_name;
            this.vifs.set(port, { ...vif, installed_revision });
            this.events.push(`installed ${port} ${installed_revision}`);
          }
          this.update();
        },
      },
      zones: new Zones(() => {
        const claims = new Map<number, string[]>();
        for (const { ct_zone, row_uuid } of this.vifs.values())
          if (ct_zone !== null) claims.set(ct_zone, [...(claims.get(ct_zone) ?? []), row_uuid]);
        return claims;
      }),
      flushZone: async (zone) => {
        await this.#turn();
        this.events.push(`flush ${zone}`);
      },
      apply: (puts, deletes) => {
        for (const uuid of deletes) this.live.delete(uuid);
        for (const port of puts) this.live.set(port.uuid, port);
        for (const uuid of deletes) this.events.push(`down ${uuid}`);
        for (const { uuid, ofport, ct_zone } of puts) this.events.push(`up ${uuid} ${ofport} zone ${ct_zone}`);
        return NOTHING;
      },
      settled: async () => {
        await new Promise((resolve) => setImmediate(resolve));
        this.events.push('settled');
      },
      revision: () => '42',
      onProgress: () => undefined,
      clock: this.clock,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      signal: this.stop.signal,
    });
  }

  plug(name: string, over: Partial<Vif> = {}): void {
    this.vifs.set(name, {
      port_name: name,
      row_uuid: `row-${++this.#rows}`,
      state: 'has_ofport',
      iface_id: null,
      ofport: this.#rows,
      ct_zone: null,
      zone_interface: null,
      link_up: true,
      mac_in_use: null,
      installed_revision: null,
      ...over,
    });
  }

  bind(iface: string, port: string): void {
    const uuid = `bind-${iface}`;
    this.bindings.set(uuid, { kind: 'binding', uuid, interface_uuid: iface, datapath_uuid: 'dp-1', port_name: port });
  }

  unbind(iface: string): void {
    this.bindings.delete(`bind-${iface}`);
  }

  update(seq = this.seq): void {
    this.seq = seq;
    this.ports.update(new Map(this.vifs), this.bindings.values(), seq);
  }

  /** Updates, lets everything happen, and says what did. */
  async happens(): Promise<string[]> {
    this.events.length = 0;
    this.update();
    await this.clock.settle();
    return [...this.events];
  }

  #inRow(row: string): Vif | undefined {
    return [...this.vifs.values()].find((vif) => vif.row_uuid === row);
  }

  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.isFailing) throw new Error('out of order');
  }
}

describe('local ports', () => {
  it('go live only when their zone is claimed and empty, and are marked as installed after their flows are', async () => {
    const host = new Host();
    host.plug('tap1');
    host.bind('if-a', 'tap1');
    expect(await host.happens()).toEqual(['claim tap1 1', 'flush 1', 'up port-if-a 1 zone 1', 'settled', 'installed tap1 42']);
  });

  it('have their zone claimed and emptied ahead when the NIC names an interface, so that nothing is waited for', async () => {
    const host = new Host();
    host.plug('tap1', { iface_id: 'if-a' });
    const ahead = await host.happens();
    host.bind('if-a', 'tap1');
    expect({ ahead, bound: await host.happens() }).toEqual({
      ahead: ['claim tap1 1', 'flush 1'],
      bound: ['up port-if-a 1 zone 1', 'settled', 'installed tap1 42'],
    });
  });

  it('are live with the slice that binds them when their zone was claimed ahead', async () => {
    const host = new Host();
    host.plug('tap1', { iface_id: 'if-a' });
    await host.happens();
    host.bind('if-a', 'tap1');
    host.events.length = 0;
    host.update();
    expect(host.events).toEqual(['up port-if-a 1 zone 1']);
  });

  it('keep one zone when they are bound while it is being claimed ahead', async () => {
    const host = new Host();
    host.plug('tap1', { iface_id: 'if-a' });
    host.update();
    host.bind('if-a', 'tap1');
    expect(await host.happens()).toEqual(['claim tap1 1', 'flush 1', 'up port-if-a 1 zone 1', 'settled', 'installed tap1 42']);
  });

  it('that were live before a restart are live at once, with their zone and its connections', async () => {
    const host = new Host();
    host.plug('tap1', { ct_zone: 7, zone_interface: 'if-a', installed_revision: '5' });
    host.bind('if-a', 'tap1');
    host.update();
    expect(host.events).toEqual(['up port-if-a 1 zone 7']);
    expect(await host.happens()).toEqual(['settled']);
  });

  it('keep their zone but empty it when they had not been live before the restart', async () => {
    const host = new Host();
    host.plug('tap1', { ct_zone: 7, zone_interface: 'if-a' });
    host.bind('if-a', 'tap1');
    expect(await host.happens()).toEqual(['flush 7', 'up port-if-a 1 zone 7', 'settled', 'installed tap1 42']);
  });

  it('empty the zone when the NIC was another interface’s before the restart', async () => {
    const host = new Host();
    host.plug('tap1', { ct_zone: 7, zone_interface: 'if-old', installed_revision: '5' });
    host.bind('if-a', 'tap1');
    expect(await host.happens()).toEqual([
      'installed tap1 null',
      'claim tap1 7',
      'flush 7',
      'up port-if-a 1 zone 7',
      'settled',
      'installed tap1 42',
    ]);
  });

  it('have their zone emptied and freed after their flows are gone', async () => {
    const host = new Host();
    host.plug('tap1');
    host.bind('if-a', 'tap1');
    await host.happens();
    host.vifs.delete('tap1');
    expect(await host.happens()).toEqual(['down port-if-a', 'settled', 'flush 1']);
    host.plug('tap2');
    host.bind('if-b', 'tap2');
    expect((await host.happens())[0]).toBe('claim tap2 1');
  });

  it('lose their mark when they are unbound while the NIC stays', async () => {
    const host = new Host();
    host.plug('tap1');
    host.bind('if-a', 'tap1');
    await host.happens();
    host.unbind('if-a');
    expect(await host.happens()).toEqual(['down port-if-a', 'settled', 'flush 1', 'installed tap1 null']);
  });

  it('get another zone, and keep the mark, when the NIC goes from one interface to another', async () => {
    const host = new Host();
    host.plug('tap1');
    host.bind('if-a', 'tap1');
    await host.happens();
    host.unbind('if-a');
    host.bind('if-b', 'tap1');
    await host.happens();
    expect({
      live: [...host.live.values()].map((port) => [port.uuid, port.ct_zone]),
      mark: host.vifs.get('tap1')?.installed_revision,
    }).toEqual({
      live: [['port-if-b', 2]],
      mark: '42',
    });
  });

  it('start anew when the NIC was unplugged and plugged again between two looks', async () => {
    const host = new Host();
    host.plug('tap1');
    host.bind('if-a', 'tap1');
    await host.happens();
    host.plug('tap1');
    expect(await host.happens()).toEqual([
      'down port-if-a',
      'settled',
      'flush 1',
      'claim tap1 1',
      'flush 1',
      'up port-if-a 2 zone 1',
      'settled',
      'installed tap1 42',
    ]);
  });

  it('follow a new port number and keep their zone', async () => {
    const host = new Host();
    host.plug('tap1');
    host.bind('if-a', 'tap1');
    await host.happens();
    host.vifs.set('tap1', { ...host.vifs.get('tap1')!, ofport: 99 });
    expect(await host.happens()).toEqual(['up port-if-a 99 zone 1', 'settled']);
  });

  it('are not live while their NIC has no port number', async () => {
    const host = new Host();
    host.plug('tap1', { ofport: null });
    host.bind('if-a', 'tap1');
    expect(await host.happens()).toEqual([]);
  });

  it('choose another zone when an agent of the same switch chose the same one first', async () => {
    const host = new Host();
    host.plug('tap1');
    host.bind('if-a', 'tap1');
    host.update();
    host.plug('elsewhere', { ct_zone: 1 });
    await host.clock.settle();
    expect(host.live.get('port-if-a')?.ct_zone).toBe(2);
  });

  it('are tried again until OVSDB takes the claim', async () => {
    const host = new Host();
    host.isFailing = true;
    host.plug('tap1');
    host.bind('if-a', 'tap1');
    host.update();
    await host.clock.advance(2_000);
    expect(host.live.size).toBe(0);
    host.isFailing = false;
    await host.clock.advance(1_000);
    expect(host.live.size).toBe(1);
  });

  it('hold back the message that asked for them until they are live', async () => {
    const host = new Host();
    host.plug('tap1');
    host.bind('if-a', 'tap1');
    host.update(5);
    const during = host.ports.pendingSince;
    host.update(6);
    await host.clock.settle();
    expect([during, host.ports.pendingSince]).toEqual([5, undefined]);
  });

  it('hold back the message that unbound them when they are bound again before their zone is empty', async () => {
    const host = new Host();
    host.plug('tap1');
    host.bind('if-a', 'tap1');
    await host.happens();
    host.unbind('if-a');
    host.update(2);
    const leaving = host.ports.pendingSince;
    host.bind('if-a', 'tap1');
    host.update(3);
    const returning = host.ports.pendingSince;
    host.update(4);
    await host.clock.settle();
    expect([leaving, returning, host.ports.pendingSince, host.live.size]).toEqual([undefined, 2, undefined, 1]);
  });

  const names = fc.constantFrom('tap1', 'tap2', 'tap3');
  const ifaces = fc.constantFrom('if-a', 'if-b', 'if-c', 'if-d');
  const step = fc.oneof(
    fc.record({ do: fc.constant('plug' as const), port: names }),
    fc.record({ do: fc.constant('unplug' as const), port: names }),
    fc.record({ do: fc.constant('bind' as const), port: names, iface: ifaces }),
    fc.record({ do: fc.constant('unbind' as const), iface: ifaces }),
    fc.record({ do: fc.constant('renumber' as const), port: names, ofport: fc.option(fc.integer({ min: 1, max: 200 })) }),
    fc.record({ do: fc.constant('turn' as const), turns: fc.integer({ min: 0, max: 5 }) }),
    fc.record({ do: fc.constant('fail' as const), failing: fc.boolean() }),
  );

  it('end as plugged and bound, whatever happens; no zone serves two, and none is used before it was emptied', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const host = new Host();
        for (const one of steps) {
          switch (one.do) {
            case 'plug':
              host.plug(one.port, { iface_id: one.port === 'tap2' ? null : 'if-a' });
              break;
            case 'unplug':
              host.vifs.delete(one.port);
              break;
            case 'bind':
              // vnmgr binds a NIC to one interface.
              for (const { interface_uuid, port_name } of [...host.bindings.values()])
                if (port_name === one.port) host.unbind(interface_uuid);
              host.bind(one.iface, one.port);
              break;
            case 'unbind':
              host.unbind(one.iface);
              break;
            case 'renumber': {
              const vif = host.vifs.get(one.port);
              if (vif !== undefined) host.vifs.set(one.port, { ...vif, ofport: one.ofport });
              break;
            }
            case 'turn':
              for (let i = 0; i < one.turns; i++) await new Promise((resolve) => setImmediate(resolve));
              break;
            case 'fail':
              host.isFailing = one.failing;
          }
          host.update(host.seq + 1);
          const zones = [...host.live.values()].map((port) => port.ct_zone);
          expect(new Set(zones).size).toBe(zones.length);
        }
        host.isFailing = false;
        await host.clock.advance(5_000);
        const expected = [...host.bindings.values()].flatMap(({ interface_uuid, port_name }) => {
          const ofport = host.vifs.get(port_name)?.ofport ?? null;
          return ofport === null ? [] : [`port-${interface_uuid} ${ofport}`];
        });
        expect([...host.live.values()].map((port) => `${port.uuid} ${port.ofport}`).sort()).toEqual(expected.sort());
        expect(host.ports.pendingSince).toBeUndefined();
        assertEmptied(host.events);
        host.stop.abort();
      }),
      {
        numRuns: 300,
        // A NIC plugged anew while what was written for the one before was on its way.
        examples: [
          [
            [
              { do: 'plug', port: 'tap2' },
              { do: 'bind', port: 'tap2', iface: 'if-a' },
              { do: 'turn', turns: 5 },
              { do: 'bind', port: 'tap2', iface: 'if-b' },
              { do: 'plug', port: 'tap2' },
            ],
          ],
        ],
      },
    );
  });
});

/** Between a port's going down and the next one's coming up in the same zone, and before the first, the zone is emptied. */
function assertEmptied(events: readonly string[]): void {
  const empty = new Set<string>();
  const zoneOf = new Map<string, string>();
  for (const event of events) {
    const [what, first, , , zone] = event.split(' ');
    if (what === 'flush') empty.add(first!);
    else if (what === 'down') {
      empty.delete(zoneOf.get(first!)!);
      zoneOf.delete(first!);
    } else if (what === 'up' && !zoneOf.has(first!)) {
      expect({ event, isEmpty: empty.has(zone!) }).toEqual({ event, isEmpty: true });
      empty.delete(zone!);
      zoneOf.set(first!, zone!);
    }
  }
}
