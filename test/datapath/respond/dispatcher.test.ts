import fc from 'fast-check';
import type { RespondContext } from '../../../datapath/respond/contract.js';
import { Dispatcher } from '../../../datapath/respond/dispatcher.js';
import { SliceContext } from '../../../datapath/respond/slice-context.js';
import { TokenBuckets } from '../../../datapath/respond/token-buckets.js';
import type { Punt } from '../../../flows/pipeline/punt.js';
import { dhcpDiscoverFrame, routerSolicitFrame, udpFrame } from '../../../flows/packet/probes.js';
import { alteredFrame } from '../../flows/packet/frames.js';
import { SLICE, VM_PORT } from './records.js';

const VM = 0x020000000007;
const PUNTS: readonly Punt[] = [{ kind: 'dhcpv4' }, { kind: 'router_solicit' }, { kind: 'time_exceeded' }, { kind: 'port_unreachable' }];
const [DHCP, RS, EXPIRED] = PUNTS as [Punt, Punt, Punt];
const discover = { punt: DHCP, data: dhcpDiscoverFrame({ chaddr: VM }), port_key: VM_PORT };

const contextOf = (): RespondContext => {
  const context = new SliceContext();
  context.apply(Object.values(SLICE), []);
  return context;
};

describe('Dispatcher', () => {
  it('hands each kind to its responder and counts what came of it', () => {
    const dispatcher = new Dispatcher({ context: contextOf(), now: () => 0 });
    const probe = udpFrame(
      { eth_src: VM, eth_dst: 1, ip: { family: 'ipv4', src: 0x0a010007, dst: 0x0a020001 }, ttl: 1 },
      { src_port: 1, dst_port: 33434 },
    );
    const answers = [
      discover,
      discover,
      { ...discover, port_key: 99 },
      { punt: RS, data: routerSolicitFrame({ eth_src: VM, src: 0n }), port_key: VM_PORT },
      { punt: EXPIRED, data: probe, port_key: VM_PORT, arrival_key: 1 },
      { punt: EXPIRED, data: new Uint8Array(3), port_key: VM_PORT },
    ].map((punted) => dispatcher.answer(punted).frames.length);
    expect([answers, dispatcher.counts()]).toEqual([
      [1, 1, 0, 1, 1, 0],
      [
        { kind: 'dhcpv4', outcome: 'offered', count: 2 },
        { kind: 'dhcpv4', outcome: 'no_lease', count: 1 },
        { kind: 'router_solicit', outcome: 'advertised', count: 1 },
        { kind: 'time_exceeded', outcome: 'sent', count: 1 },
        { kind: 'time_exceeded', outcome: 'malformed', count: 1 },
      ],
    ]);
  });

  it('limits each kind of each port on its own', () => {
    let now = 0;
    const dispatcher = new Dispatcher({ context: contextOf(), now: () => now, rates: { dhcpv4: { per_second: 2, burst: 3 } } });
    const burst = (): number =>
      Array.from({ length: 10 }, () => dispatcher.answer(discover)).filter(({ frames }) => frames.length > 0).length;
    const first = burst();
    const others = [
      { ...discover, port_key: 8 },
      { ...discover, punt: RS },
    ].map((punted) => dispatcher.answer(punted).frames);
    now += 1000;
    const second = burst();
    now += 60_000;
    expect([first, second, burst(), others, dispatcher.counts().filter(({ kind }) => kind !== 'router_solicit')]).toEqual([
      3,
      2,
      3,
      [[], []],
      [
        { kind: 'dhcpv4', outcome: 'offered', count: 8 },
        { kind: 'dhcpv4', outcome: 'limited', count: 22 },
        { kind: 'dhcpv4', outcome: 'no_lease', count: 1 },
      ],
    ]);
  });

  it('never throws for the bytes of a frame', () => {
    const dispatcher = new Dispatcher({
      context: contextOf(),
      now: () => 0,
      rates: Object.fromEntries(PUNTS.map(({ kind }) => [kind, { per_second: 0, burst: Infinity }])),
    });
    const known = fc
      .constantFrom(discover.data, routerSolicitFrame({ eth_src: VM, src: 0n }))
      .chain((frame) =>
        fc.tuple(fc.nat(frame.length - 1), fc.nat(255)).map(([offset, value]) => Uint8Array.from([...frame].with(offset, value))),
      );
    fc.assert(
      fc.property(fc.oneof(alteredFrame, known), fc.constantFrom(...PUNTS), (data, punt) => {
        for (const frame of dispatcher.answer({ punt, data, port_key: VM_PORT }).frames) expect(frame.length).toBeLessThan(1515);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('TokenBuckets', () => {
  it('lets no more through than burst and rate allow, and no less', () => {
    const rate = { per_second: 10, burst: 5 };
    fc.assert(
      fc.property(fc.array(fc.nat(400), { maxLength: 60 }), (gaps) => {
        const buckets = new TokenBuckets(rate, 10);
        let [now, passed, wasRefused] = [0, 0, false];
        for (const gap of gaps) {
          now += gap;
          if (buckets.take(1, now)) passed++;
          else wasRefused = true;
        }
        expect(passed).toBeLessThanOrEqual(rate.burst + (now / 1000) * rate.per_second);
        if (!wasRefused) expect(passed).toBe(gaps.length);
        if (gaps.length <= rate.burst) expect(wasRefused).toBe(false);
      }),
    );
  });

  it('keeps a bounded number of buckets and drops the one used longest ago', () => {
    const buckets = new TokenBuckets({ per_second: 0, burst: 1 }, 2);
    const taken = [1, 2, 1, 3, 1, 2].map((key) => buckets.take(key, 0));
    expect([taken, buckets.size]).toEqual([[true, true, false, true, false, true], 2]);
  });
});
