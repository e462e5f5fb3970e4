import { PortNumbers } from '../../../datapath/agent/port-numbers.js';
import type { Vif } from '../../../datapath/ovsdb/vif-watcher.js';

function vifs(numbers: Record<string, number | null>): Map<string, Vif> {
  return new Map(
    Object.entries(numbers).map(([port_name, ofport]) => [
      port_name,
      {
        port_name,
        row_uuid: `row-${port_name}`,
        state: ofport === null ? 'seen' : 'has_ofport',
        iface_id: null,
        ofport,
        ct_zone: null,
        zone_interface: null,
        link_up: true,
        mac_in_use: null,
        installed_revision: null,
      },
    ]),
  );
}

const numbersOf = (all: ReadonlyMap<string, Vif>): Record<string, number | null> =>
  Object.fromEntries([...all.values()].map(({ port_name, ofport }) => [port_name, ofport]));

describe('port numbers', () => {
  it('are as OVSDB shows them while the switch agrees', () => {
    const numbers = new PortNumbers<Vif>();
    const shown = vifs({ tap1: 1, tap2: 2, tap3: null });
    numbers.learn(
      shown,
      new Map([
        ['tap1', 1],
        ['tap2', 2],
        ['tap3', 9],
      ]),
    );
    expect([numbers.correct(shown), numbers.arePending]).toEqual([shown, false]);
  });

  it('are as the switch tells them until OVSDB has caught up', () => {
    const numbers = new PortNumbers<Vif>();
    const shown = vifs({ tap1: 1, tap2: 2, tap3: 3 });
    numbers.learn(
      shown,
      new Map([
        ['tap1', 2],
        ['tap2', 1],
      ]),
    );
    const before = [numbersOf(numbers.correct(shown)), numbers.arePending];
    const after = [numbersOf(numbers.correct(vifs({ tap1: 2, tap2: 1, tap3: null }))), numbers.arePending];
    expect([before, after]).toEqual([
      [{ tap1: 2, tap2: 1, tap3: null }, true],
      [{ tap1: 2, tap2: 1, tap3: null }, false],
    ]);
  });

  it('are corrected no longer when the switch comes to agree with what OVSDB shows', () => {
    const numbers = new PortNumbers<Vif>();
    const shown = vifs({ tap1: 1 });
    numbers.learn(shown, new Map());
    const during = numbersOf(numbers.correct(shown));
    numbers.learn(shown, new Map([['tap1', 1]]));
    expect([during, numbersOf(numbers.correct(shown)), numbers.arePending]).toEqual([{ tap1: null }, { tap1: 1 }, false]);
  });

  it('forget a NIC that is gone', () => {
    const numbers = new PortNumbers<Vif>();
    numbers.learn(vifs({ tap1: 1 }), new Map());
    numbers.correct(vifs({}));
    expect(numbers.arePending).toBe(false);
  });
});
