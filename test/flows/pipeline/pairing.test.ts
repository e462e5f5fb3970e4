import fc from 'fast-check';
import { encapsulation, type Chassis } from '../../../flows/model/entities/presence.js';
import { overheadOf, pairingOf } from '../../../flows/pipeline/pairing.js';
import { chassis } from '../compile/slice-builder.js';

const sides = (name: string) =>
  fc
    .record({
      encaps: fc.shuffledSubarray([...encapsulation.options]),
      endpoints: fc.array(
        fc.record({
          address: fc.constantFrom(`192.0.2.1${name}`, `198.51.100.1${name}`, `2001:db8::${name}`, `2001:db8:1::${name}`),
          mac: fc.constant(null),
          underlay: fc.constantFrom('x', 'y'),
          mtu: fc.integer({ min: 1400, max: 9000 }),
        }),
        { maxLength: 3 },
      ),
    })
    .map((over): Chassis => chassis(name, [], over));

describe('pairing', () => {
  it('comes out the same at both ends, with the addresses the other way round', () => {
    fc.assert(
      fc.property(sides('1'), sides('2'), (one, other) => {
        const here = pairingOf(one, other);
        const there = pairingOf(other, one);
        if (typeof here === 'string' || typeof there === 'string') expect(there).toBe(here);
        else expect({ ...there, local: there.remote, remote: there.local }).toEqual(here);
      }),
    );
  });

  it('prefers what both prefer, and Geneve, VXLAN, GRE in this order otherwise', () => {
    const encapOf = (a: Chassis['encaps'], b: Chassis['encaps']) => {
      const pairing = pairingOf(chassis('a', ['192.0.2.1'], { encaps: a }), chassis('b', ['192.0.2.2'], { encaps: b }));
      return typeof pairing === 'string' ? pairing : pairing.encap;
    };
    expect([
      encapOf(['geneve', 'vxlan'], ['vxlan', 'geneve']),
      encapOf(['vxlan', 'geneve', 'gre'], ['vxlan', 'gre', 'geneve']),
      encapOf(['gre', 'geneve'], ['vxlan', 'gre']),
      encapOf(['gre'], ['vxlan']),
    ]).toEqual(['geneve', 'vxlan', 'gre', 'no_common_encapsulation']);
  });

  it('prefers addresses on one L2, and needs one family', () => {
    const on = (underlay: string, ...addresses: string[]) => addresses.map((address) => ({ address, mac: null, underlay, mtu: 1500 }));
    const a = chassis('a', [], { endpoints: [...on('x', '192.0.2.1'), ...on('y', '198.51.100.1')] });
    const b = chassis('b', [], { endpoints: [...on('z', '203.0.113.2'), ...on('y', '198.51.100.2')] });
    const c = chassis('c', ['2001:db8::3']);
    const pairing = pairingOf(a, b);
    expect([typeof pairing === 'string' ? pairing : [pairing.local.address, pairing.remote.address], pairingOf(a, c)]).toEqual([
      ['198.51.100.1', '198.51.100.2'],
      'no_common_family',
    ]);
  });

  it('leaves what the headers of the encapsulation do not take', () => {
    expect(encapsulation.options.flatMap((encap) => [overheadOf(encap, 'ipv4'), overheadOf(encap, 'ipv6')])).toEqual([
      58, 78, 50, 70, 42, 62,
    ]);
  });
});
