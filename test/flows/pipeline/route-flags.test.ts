import { createCompiler } from '../../../flows/compile/compiler.js';
import type { Route } from '../../../flows/model/entities/routing.js';
import { parseIpv4 } from '../../../flows/net/ip.js';
import { parseMac } from '../../../flows/net/mac.js';
import { decodePunt } from '../../../flows/pipeline/punt.js';
import { DROP_REASONS } from '../../../flows/pipeline/tables.js';
import { Interpreter } from '../../../flows/trace/interpreter.js';
import { iface, ipLease, localPort, macLease, network, route, routeLink } from '../compile/slice-builder.js';

type Flags = Partial<Pick<Route, 'ingress' | 'egress'>>;
const NETS = ['a', 'b', 'c'] as const;
type Net = (typeof NETS)[number];

/** Networks a, b and c with a VM each; one router, whose ports in them have these flags on their routes. */
function interpreter(flags: Partial<Record<Net, Flags>>): Interpreter {
  const compiler = createCompiler();
  compiler.update(
    [
      routeLink('r', 5),
      ...NETS.flatMap((net, i) => {
        const n = i + 1;
        const place = { interface_uuid: `if-g${net}`, network_uuid: `nw-${net}`, route_link_uuid: 'rl-r' };
        return [
          network(net, n, { vrf_key: 7 }),
          iface(`g${net}`, 100 + n, { mode: 'simulated', enable_routing: true }),
          macLease(`g${net}`, `02:00:00:00:0${n}:01`),
          ipLease(`g${net}`, net, `10.0.${n}.1`),
          route(net, n, { ...place, ipv4_network: `10.0.${n}.0`, ipv4_prefix: 24, ...flags[net] }),
          iface(net, n),
          macLease(net, `0a:00:00:00:00:0${n}`),
          ipLease(net, net, `10.0.${n}.11`),
          localPort(net, n),
        ];
      }),
    ],
    [],
  );
  return new Interpreter(compiler.tables);
}

/** What becomes of a datagram to a VM, or to the router itself, by way of the router. */
function sent(through: Interpreter, from: Net, to: Net, host = 11): string {
  const [n, m] = [NETS.indexOf(from) + 1, NETS.indexOf(to) + 1];
  const { outputs, punts, drops } = through.trace({
    in_port: n,
    eth_src: parseMac(`0a:00:00:00:00:0${n}`),
    eth_dst: parseMac(`02:00:00:00:0${n}:01`),
    eth_type: 0x800,
    ip_src: parseIpv4(`10.0.${n}.11`),
    ip_dst: parseIpv4(`10.0.${m}.${host}`),
    nw_proto: 17,
    nw_ttl: 64,
    udp_src: 4000,
    udp_dst: 5000,
  });
  if (outputs[0] !== undefined) return `to ${NETS[outputs[0].port - 1]!}`;
  if (punts[0] !== undefined) return decodePunt(punts[0].userdata!)!.kind;
  const code = drops[0]!.packet.number('reg15') & 0xffff;
  return Object.entries(DROP_REASONS).find(([, reason]) => reason.code === code)![0];
}

const all = (flags: Partial<Record<Net, Flags>>) => {
  const through = interpreter(flags);
  return {
    'a to b': sent(through, 'a', 'b'),
    'b to a': sent(through, 'b', 'a'),
    'c to b': sent(through, 'c', 'b'),
    itself: sent(through, 'a', 'a', 1),
  };
};
const open = { 'a to b': 'to b', 'b to a': 'to a', 'c to b': 'to b', itself: 'port_unreachable' };

it('a route without egress lets nothing out by its port, and without ingress nothing in; the other direction stays', () => {
  expect({
    both: all({}),
    'b without egress': all({ b: { egress: false } }),
    'a without ingress': all({ a: { ingress: false } }),
  }).toEqual({
    both: open,
    'b without egress': { ...open, 'a to b': 'net_unreachable', 'c to b': 'net_unreachable' },
    // The router still answers for itself there.
    'a without ingress': { ...open, 'a to b': 'no_route' },
  });
});
