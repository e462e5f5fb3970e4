import type { SliceRecord } from '../../../controller/messages/slice.js';
import { Peers } from '../../../datapath/agent/peers.js';
import { chassis, datapathNetwork, here, tunnel } from '../../flows/compile/slice-builder.js';

const around = { mac: null, underlay: 'underlay', mtu: 1500 };
const explicit = (name: string, addresses: readonly string[] = [], mtu = 1500) =>
  chassis(name, addresses, { underlay: { ...around, mtu } });

function peersOf(mode: 'auto' | 'explicit', own: ReturnType<typeof chassis>, records: readonly SliceRecord[]): Peers {
  const peers = new Peers(
    mode,
    () => here(own),
    () => undefined,
  );
  peers.replace([own, ...records]);
  return peers;
}

const said = (peers: Peers) => peers.conditions().map(({ code, uuids }) => [code, ...uuids]);

describe('peers', () => {
  it('are reached between the addresses of the rows of both in the explicit mode, and say what of the rows cannot be', () => {
    const own = explicit('1', ['192.0.2.1']);
    const peers = peersOf('explicit', own, [
      explicit('2'),
      chassis('3', ['192.0.2.3']),
      datapathNetwork('1', 'a'),
      datapathNetwork('2', 'a'),
      { ...datapathNetwork('1', 'b'), endpoint_address: '198.51.100.1' },
      { ...datapathNetwork('2', 'b'), endpoint_address: '2001:db8::2' },
      { ...datapathNetwork('1', 'c'), endpoint_address: null },
      datapathNetwork('2', 'c'),
    ]);
    const ways = peers
      .ways()
      .map(({ chassis: { node_id }, way }) => [node_id, typeof way === 'string' ? way : `${way.local.address} ${way.remote.address}`]);
    expect({ ways, said: said(peers) }).toEqual({
      ways: [
        ['2', '192.0.2.1 192.0.2.2'],
        ['2', 'no_common_family'],
      ],
      said: [
        ['no_common_family', 'dp-2'],
        ['overlay_modes_differ', 'dp-3'],
        ['no_endpoint', 'if-host1'],
        ['endpoint_elsewhere', 'if-host1'],
      ],
    });
  });

  it('use what the tunnel between them says, and name it where one does not offer it', () => {
    const [one, two, three] = ['1', '2', '3'].map((n) =>
      chassis(n, [`192.0.2.${n}`], { encaps: n === '3' ? ['vxlan'] : ['vxlan', 'gre'] }),
    );
    const peers = peersOf('auto', one!, [
      two!,
      three!,
      tunnel('2', '1', { encapsulation: 'gre' }),
      tunnel('1', '3', { encapsulation: 'gre' }),
    ]);
    const encaps = () => peers.ways().map(({ way }) => (typeof way === 'string' ? way : way.encap));
    const before = [encaps(), said(peers)];
    peers.apply([], ['t-2-1', 't-1-3']);
    expect([before, [encaps(), said(peers)]]).toEqual([
      [['gre', 'encapsulation_not_offered'], [['encapsulation_not_offered', 'dp-3']]],
      [['vxlan', 'vxlan'], []],
    ]);
  });

  it('bring the MTU down when one comes whose underlay is narrower, and up again when it goes', () => {
    const mtus = (mode: 'auto' | 'explicit', records: readonly SliceRecord[], own: ReturnType<typeof chassis>, narrow: SliceRecord) => {
      const peers = peersOf(mode, own, records);
      const before = peers.mtu();
      peers.apply([narrow], []);
      const then = peers.mtu();
      peers.apply([], [narrow.uuid]);
      return [before, then, peers.mtu()];
    };
    const narrow = chassis('2', [], { endpoints: [{ ...around, address: '192.0.2.2', mtu: 1400 }] });
    const rows = ['1', '2'].map((n) => datapathNetwork(n, 'a'));
    expect([mtus('auto', [], chassis('1', ['192.0.2.1']), narrow), mtus('explicit', rows, explicit('1'), explicit('2', [], 1400))]).toEqual(
      [
        [1442, 1342, 1442],
        [1442, 1342, 1442],
      ],
    );
  });
});
