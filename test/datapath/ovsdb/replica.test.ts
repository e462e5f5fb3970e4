import fc from 'fast-check';
import { Replica } from '../../../datapath/ovsdb/replica.js';

const PORT = '11111111-1111-4111-8111-111111111111';

function externalIds(replica: Replica): Record<string, string> {
  return Object.fromEntries(replica.tables.Interface.get(PORT)!.external_ids);
}

describe('Replica', () => {
  it('row gets defaults for the columns the server leaves out', () => {
    const replica = new Replica();
    replica.applyUpdate2({ Interface: { [PORT]: { initial: { name: 'vm1' } } } });
    expect(replica.tables.Interface.get(PORT)).toEqual({
      _uuid: PORT,
      name: 'vm1',
      type: '',
      ofport: null,
      link_state: null,
      mac_in_use: null,
      error: null,
      mtu: null,
      options: new Map(),
      external_ids: new Map(),
    });
  });

  it('a set of one element may come bare', () => {
    const replica = new Replica();
    replica.applyUpdate2({ Port: { [PORT]: { insert: { name: 'p', interfaces: ['uuid', 'a'] } } } });
    replica.applyUpdate2({
      Port: {
        [PORT]: {
          modify: {
            interfaces: [
              'set',
              [
                ['uuid', 'a'],
                ['uuid', 'b'],
              ],
            ],
          },
        },
      },
    });
    expect(replica.tables.Port.get(PORT)!.interfaces).toEqual(new Set(['b']));
  });

  it('modified map ends as the server has it, for any map before and after', () => {
    const map = fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'iface-id'), fc.constantFrom('', '1', '2'), {
      noNullPrototype: false,
    });
    fc.assert(
      fc.property(map, map, (before, after) => {
        const replica = new Replica();
        replica.applyUpdate2({ Interface: { [PORT]: { initial: { name: 'p', external_ids: ['map', Object.entries(before)] } } } });
        // As ovsdb-server does: what is gone comes with its old value, what is new or changed with its new one.
        const gone = Object.entries(before).filter(([key]) => !Object.hasOwn(after, key));
        const changed = Object.entries(after).filter(([key, value]) => !Object.hasOwn(before, key) || before[key] !== value);
        replica.applyUpdate2({ Interface: { [PORT]: { modify: { external_ids: ['map', [...gone, ...changed]] } } } });
        expect([...replica.tables.Interface.get(PORT)!.external_ids].sort()).toEqual(Object.entries(after).sort());
      }),
    );
  });

  it('row follows the updates of the older monitor method', () => {
    const replica = new Replica();
    replica.applyUpdate({
      Interface: { [PORT]: { new: { name: 'p', ofport: ['set', []], external_ids: ['map', [['iface-id', 'if-1']]] } } },
    });
    replica.applyUpdate({
      Interface: { [PORT]: { old: { ofport: ['set', []] }, new: { name: 'p', ofport: 3, external_ids: ['map', [['iface-id', 'if-1']]] } } },
    });
    expect([replica.tables.Interface.get(PORT)!.ofport, externalIds(replica)]).toEqual([3, { 'iface-id': 'if-1' }]);

    replica.applyUpdate({ Interface: { [PORT]: { old: { name: 'p' } } } });
    expect(replica.tables.Interface.size).toBe(0);
  });

  it.each([
    ['not an object', []],
    ['a table not asked for', { Manager: {} }],
    ['a table of the prototype', { constructor: {} }],
    ['rows that are no object', { Interface: 3 }],
    ['a change that is no object', { Interface: { [PORT]: 'x' } }],
    ['a change of no kind', { Interface: { [PORT]: {} } }],
    ['a modification of a row that is not there', { Interface: { [PORT]: { modify: {} } } }],
    ['a number for a string', { Interface: { [PORT]: { initial: { name: 3 } } } }],
    ['a string for an integer', { Interface: { [PORT]: { initial: { name: 'p', ofport: '3' } } } }],
    ['an integer beyond what a number holds', { Interface: { [PORT]: { initial: { name: 'p', ofport: 2 ** 60 } } } }],
    ['two values where one may be', { Interface: { [PORT]: { initial: { name: 'p', ofport: ['set', [1, 2]] } } } }],
    ['a map that is a set', { Interface: { [PORT]: { initial: { name: 'p', external_ids: ['set', []] } } } }],
    ['a pair of three', { Interface: { [PORT]: { initial: { name: 'p', external_ids: ['map', [['a', 'b', 'c']]] } } } }],
    ['a set of what are no uuids', { Port: { [PORT]: { initial: { name: 'p', interfaces: ['set', ['a']] } } } }],
  ])('update with %s is refused and changes nothing', (_name, bad) => {
    const replica = new Replica();
    const good = { Interface: { other: { initial: { name: 'q' } } } };
    const update = Array.isArray(bad) ? bad : { ...good, ...bad };
    expect(() => replica.applyUpdate2(update)).toThrow(expect.objectContaining({ code: 'protocol' }));
    expect(replica.tables.Interface.size).toBe(0);
  });
});
