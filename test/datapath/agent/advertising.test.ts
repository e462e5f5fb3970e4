import { advertise } from '../../../datapath/agent/advertising.js';
import type { LocalPort } from '../../../flows/compile/contract.js';
import { parseCidr } from '../../../flows/net/cidr.js';
import { extractFields } from '../../../flows/packet/packet-view.js';
import { ManualClock } from './manual-clock.js';

const local = (n: number): LocalPort => ({ kind: 'local_port', uuid: `port-if-${n}`, interface_uuid: `if-${n}`, ofport: n, ct_zone: n });

describe('unsolicited router advertisements', () => {
  it('go to every local port once in ten minutes, and to none when nobody speaks there', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const sent: string[] = [];
    const prefix = parseCidr('fd00:1::/64');
    if (prefix.family !== 'ipv6') throw new Error('an IPv6 prefix');
    const advertisement = { mac: 0x0200_0000_0001, is_router: true, mtu: 1442, prefixes: [{ prefix, autonomous: false }], dns_servers: [] };
    const running = advertise(
      {
        ports: () => Array.from({ length: 20 }, (_, i) => local(i + 1)),
        advertisements: (uuid) => (uuid === 'if-7' ? [] : [advertisement]),
        send: (frame, ofport) => sent.push(`${ofport} ${String(extractFields(frame).icmpv6_type)}`),
        clock,
        random: () => 0.999,
      },
      stop.signal,
    );
    await clock.advance(590_000);
    const early = sent.length;
    await clock.advance(11_000);
    const first = [...sent];
    await clock.advance(610_000);
    stop.abort();
    await clock.advance(700_000);
    await running;
    const everyone = Array.from({ length: 20 }, (_, i) => `${i + 1} 134`).filter((line) => line !== '7 134');
    expect({ early, first, all: sent.length }).toEqual({ early: 0, first: everyone, all: 2 * everyone.length });
  });
});
