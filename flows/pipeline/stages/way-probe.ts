/**
 * Whether a way to another hypervisor works.
 *
 * Owns: what a probe is, and what becomes of one that came through a tunnel: a question is sent back by the switch itself, an answer is punted.
 * Assumes: no segment has the key 0, so the VNI 0 is free.
 * Promises: a probe reaches no VM, and whoever is no known peer gets no answer.
 */
import { apply, drop, goto, is, punt, set, swap, toInPort } from '../build.js';
import { rule } from '../rule.js';

/** Probes have an EtherType for experiments (IEEE 802, 9.2.4) and say by their destination whether they ask or answer. */
export const WAY_PROBE = {
  vni: 0n,
  eth_type: 0x88b5,
  question: 0x0248_7072_6f62,
  answer: 0x0248_6563_686f,
  source: 0x0248_7669_6120,
} as const;

export const wayProbeFlows = rule('way probe', 'pipeline', (_root, _look, emit) => {
  emit.flow('TUNNEL_SEGMENT', 200, [is('tun_id', WAY_PROBE.vni)], [goto('WAY_PROBE')]);
  const probe = (destination: number) => [is('eth_dst', destination), is('eth_type', WAY_PROBE.eth_type)];
  // Whichever family it came over, the addresses of the other are zero, and stay so.
  const back = [...swap('tun_src', 'tun_dst'), ...swap('tun_ipv6_src', 'tun_ipv6_dst')];
  emit.flow('WAY_PROBE', 100, probe(WAY_PROBE.question), [apply(set('eth_dst', WAY_PROBE.answer), ...back, toInPort)]);
  emit.flow('WAY_PROBE', 100, probe(WAY_PROBE.answer), punt({ kind: 'way_probe' }));
  emit.flow('WAY_PROBE', 0, [], drop('unknown_segment'));
});
