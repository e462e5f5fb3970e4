/**
 * Random traffic between the VMs of a trace world, beside traces of it.
 *
 * Owns: random groups, rules and routes, and random packets under them; what traces say of each, and what comes of a real one.
 * Promises: the same seed gives the same topologies and packets.
 */
import { Prober, type AgentProbe } from '../lab/probes.js';
import type { Json } from '../lab/hotori.js';
import { Random } from '../oracle/random.js';
import { address, address6, NAMES, type Name, type TraceWorld } from './trace-world.js';
import { post } from './world.js';

/** Every VM serves them, TCP and UDP. */
const PORTS = [53, 80, 2222, 8001, 8080, 9000];
/** Nobody has them, or a router, or a route refuses them. */
const NOBODY = ['10.2.0.88', '10.2.0.1', '10.9.0.1', '10.8.0.1', '10.7.0.1', '10.2.0.77', 'fd00:2::88', 'fd00:3::1'];
const GROUPS = ['sg-r1', 'sg-r2', 'sg-out'];
const PATIENCE_MS = 1_500;

export interface Agreement {
  pairs: number;
  arrived: number;
  /** Those that did as traces say only when the switches' caches had been emptied. */
  stale: number;
  /** Pairs of which a trace says otherwise than what became of a real packet. */
  readonly disagreements: Json[];
}

export async function compareRandomTraffic(world: TraceWorld, topologies: number, pairs: number, seed: number): Promise<Agreement> {
  const random = new Random(seed);
  const found: Agreement = { pairs: 0, arrived: 0, stale: 0, disagreements: [] };
  const probers = {} as Record<Name, Prober>;
  for (const name of NAMES) probers[name] = await Prober.start(world.vms[name], world.lab.dir, PORTS);
  await world.hotori.post('/batch?wait=installed', {
    operations: ['sg-r1', 'sg-r2'].map((uuid) => post('security_groups', { uuid })),
  });
  for (let topology = 0; topology < topologies; topology++) {
    await world.hotori.post('/batch?wait=installed', { operations: randomPolicy(random) });
    await world.revalidated();
    const packets = Array.from({ length: pairs }, () => randomPacket(random));
    const outcomes = await Promise.all(
      NAMES.map(async (from) => {
        const own = packets.filter((packet) => packet.from === from);
        return [own, await probers[from].probe(own, PATIENCE_MS)] as const;
      }),
    );
    for (const [own, seen] of outcomes)
      for (const [at, { from, protocol, dst, port }] of own.entries()) {
        const {
          verdict,
          reason,
          return: back,
        } = await world.trace({ source: `if-${from}`, destination: dst, protocol, destination_port: port });
        const arrives = verdict === 'delivered' && back?.verdict === 'delivered';
        const arrived = seen[at] === 'allow';
        found.pairs++;
        if (arrived) found.arrived++;
        if (arrives === arrived) continue;
        const question = { source: `if-${from}`, destination: dst, protocol, destination_port: port };
        const { verified } = await world.trace({ ...question, verify: true });
        // Open vSwitch may go on using what it has cached of flows that have changed: then it does otherwise once that is gone.
        for (const { ovs } of world.lab.hypervisors) await ovs.appctl('revalidator/purge');
        const [again] = await probers[from].probe([{ protocol, dst, port }], PATIENCE_MS);
        if (arrives === (again === 'allow')) {
          found.stale++;
          continue;
        }
        found.disagreements.push({
          topology,
          ...{ from, protocol, dst, port, said: `${verdict} ${reason.text}`, back: back?.reason.text, seen: seen[at], again },
          contradicted: verified.filter((one: Json) => one.agrees !== true),
        });
      }
  }
  for (const prober of Object.values(probers)) await prober.stop();
  return found;
}

function randomPacket(random: Random): AgentProbe & { readonly from: Name } {
  const from = random.pick(NAMES);
  const to = random.pick(NAMES.filter((name) => name !== from));
  const dst = random.oneIn(8) ? random.pick(NOBODY) : random.oneIn(3) ? address6(to) : address(to);
  return { from, protocol: random.oneIn(3) ? 'udp' : 'tcp', dst, port: random.pick(PORTS) };
}

/** Rules of two groups, and who is in them. */
function randomPolicy(random: Random): object[] {
  const rule = () => ({
    direction: random.oneIn(3) ? 'egress' : 'ingress',
    protocol: random.pick(['tcp', 'tcp', 'udp', 'any']),
    remote: random.choose<object>(
      [3, () => ({ any: true })],
      [2, () => ({ cidr: `10.${random.below(3) + 1}.0.0/${random.pick([24, 28])}` })],
      [1, () => ({ cidr: `${address(random.pick(NAMES))}/32` })],
      [1, () => ({ cidr: `fd00:${random.below(3) + 1}::/64` })],
      [2, () => ({ security_group_uuid: random.pick(GROUPS) })],
    ),
    action: random.pick(['allow', 'allow', 'allow', 'drop', 'reject']),
    priority: random.below(4) * 100 + 100,
  });
  const withPorts = () => {
    const made = rule();
    return made.protocol === 'any' ? made : { ...made, ports: [random.pick(['53', '80', '2222', '8000-8099', '8080-9000', '1-65535'])] };
  };
  const groups = ['sg-r1', 'sg-r2'].map((uuid) => ({
    method: 'PUT',
    path: `/security_groups/${uuid}`,
    body: { default: random.oneIn(4) ? 'allow' : 'deny', rules: Array.from({ length: 2 + random.below(5) }, withPorts) },
  }));
  const members = NAMES.map((name) => ({
    method: 'PUT',
    path: `/interfaces/if-${name}`,
    body: { security_group_uuids: random.oneIn(3) ? [] : GROUPS.filter(() => random.oneIn(2)) },
  }));
  return [...groups, ...members];
}
