import fc from 'fast-check';
import type { Operation } from '../../controller/contract.js';
import type { SliceRecord, VifObservation } from '../../controller/messages/slice.js';
import type { Binding } from '../../flows/model/binding.js';
import type { Entity, EntityKind, EntityOf } from '../../flows/model/entities.js';
import { HotoriError } from '../../flows/model/errors.js';
import { beginning, operations } from './arbitrary-operations.js';
import { vif, World, type Vna } from './world.js';

const NODES = ['a', 'b', 'c'];

type Step = { readonly operations: Operation[] } | { readonly node: number; readonly vifs: VifObservation[] } | { readonly relist: number };

const nic = fc.tuple(
  fc.constantFrom('tap1', 'tap2', 'tap3'),
  fc.constantFrom(null, 'if-1', 'if-1', 'if-2', 'if-2', 'if-3', 'if-3', 'other'),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: operations.map((list) => ({ operations: list })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat(2), fc.uniqueArray(nic, { selector: ([port]) => port, maxLength: 3 }))
      .map(([node, nics]) => ({ node, vifs: nics.map(([port, iface]) => vif(port, iface)) })),
  },
  { weight: 1, arbitrary: fc.nat(2).map((relist) => ({ relist })) },
);

/** The slice of a datapath by its definition, from all entities and all bindings. */
function sliceByDefinition(datapath: string, entities: readonly Entity[], bindings: readonly Binding[]): SliceRecord[] {
  const all = <K extends EntityKind>(kind: K) => entities.filter((entity): entity is EntityOf<K> => entity.kind === kind);
  const networkDomain = new Map(all('network').map(({ uuid, vrf_key }) => [uuid, vrf_key]));
  const segmentDomain = new Map(all('segment').map(({ uuid, vrf_key }) => [uuid, vrf_key]));
  const domainsOf = (iface: string) =>
    new Set([
      ...all('ip_lease').flatMap((lease) => (lease.interface_uuid === iface ? [networkDomain.get(lease.network_uuid)!] : [])),
      ...all('mac_lease').flatMap((lease) =>
        lease.interface_uuid === iface && lease.segment_uuid ? [segmentDomain.get(lease.segment_uuid)!] : [],
      ),
    ]);
  const pluggedAt = (place: string) =>
    bindings.filter(({ datapath_uuid }) => datapath_uuid === place).map(({ interface_uuid }) => interface_uuid);
  const domainsAt = (place: string) => new Set(pluggedAt(place).flatMap((iface) => [...domainsOf(iface)]));
  const local = new Set(pluggedAt(datapath));
  const domains = domainsAt(datapath);

  const interfaces = all('interface').filter(({ uuid }) => {
    const own = domainsOf(uuid);
    return own.size > 0 ? [...own].some((domain) => domains.has(domain)) : local.has(uuid);
  });
  const chosen = new Set(interfaces.map(({ uuid }) => uuid));
  const had = new Set(interfaces.flatMap(({ security_group_uuids }) => security_group_uuids));
  const mentioned = all('security_group').flatMap(({ uuid, rules }) =>
    had.has(uuid)
      ? rules.flatMap(({ remote }) =>
          'security_group_uuid' in remote ? [remote.security_group_uuid] : 'address_set_uuid' in remote ? [remote.address_set_uuid] : [],
        )
      : [],
  );
  const groups = new Set([...had, ...mentioned]);
  const classes = new Set(interfaces.map(({ policy_class_key }) => `pc-${policy_class_key}`));
  const inDomain = (network: string) => domains.has(networkDomain.get(network)!);
  const leaseDomain = (uuid: string, segment: string | null) => {
    const address = all('ip_lease').find(({ mac_lease_uuid }) => mac_lease_uuid === uuid);
    return segment !== null ? segmentDomain.get(segment) : address && networkDomain.get(address.network_uuid);
  };
  const linkInDomain = (link: string) =>
    all('route').some((route) => route.route_link_uuid === link && route.network_uuid !== null && inDomain(route.network_uuid));
  const wanted = entities.filter((entity) => {
    switch (entity.kind) {
      case 'datapath':
        return entity.uuid === datapath;
      case 'network':
      case 'segment':
        return domains.has(entity.vrf_key);
      case 'ip_lease':
        return inDomain(entity.network_uuid);
      case 'route':
        return entity.network_uuid === null ? linkInDomain(entity.route_link_uuid) : inDomain(entity.network_uuid);
      case 'floating_ip':
        return inDomain(entity.network_uuid);
      case 'nat_rule':
      case 'policy_route':
        return linkInDomain(entity.route_link_uuid);
      case 'route_link':
        return linkInDomain(entity.uuid);
      case 'datapath_network':
        return inDomain(entity.network_uuid);
      case 'datapath_segment':
        return domains.has(segmentDomain.get(entity.segment_uuid)!);
      case 'datapath_route_link':
        return linkInDomain(entity.route_link_uuid);
      case 'tunnel':
        return [entity.datapath_uuid, entity.peer_datapath_uuid].includes(datapath);
      case 'interface_port':
        return false;
      case 'mac_lease': {
        const domain = leaseDomain(entity.uuid, entity.segment_uuid);
        return domain === undefined ? chosen.has(entity.interface_uuid) : domains.has(domain);
      }
      case 'interface':
        return chosen.has(entity.uuid);
      case 'network_service':
        return entity.interface_uuid !== null && chosen.has(entity.interface_uuid);
      case 'filter':
      case 'translation':
        return chosen.has(entity.interface_uuid);
      case 'security_group':
      case 'address_set':
        return groups.has(entity.uuid);
      case 'policy_class':
        return classes.has(entity.uuid);
      case 'router':
      case 'vif':
        return false;
      case 'chassis':
        return entity.datapath_uuid === datapath || [...domainsAt(entity.datapath_uuid)].some((domain) => domains.has(domain));
    }
  });
  return [...wanted, ...bindings.filter(({ interface_uuid }) => chosen.has(interface_uuid))];
}

/** What is plugged where, as each vna is told of its own. */
function ownBindings(vnas: readonly Vna[]): Binding[] {
  return vnas.flatMap((vna) =>
    [...vna.slice.values()].filter(
      (record): record is Binding => record.kind === 'binding' && record.datapath_uuid === vna.attachment.datapath_uuid,
    ),
  );
}

/** Where an interface may be: nowhere in particular when it names no place. */
function placesOf(entities: readonly Entity[], { uuid, owner_datapath_uuid, port_name }: EntityOf<'interface'>) {
  const further = entities.filter((entity) => entity.kind === 'interface_port').filter(({ interface_uuid }) => interface_uuid === uuid);
  return owner_datapath_uuid === null && port_name === null ? further : [{ datapath_uuid: owner_datapath_uuid, port_name }, ...further];
}

const sorted = (records: Iterable<SliceRecord>) => [...records].sort((a, b) => (a.uuid < b.uuid ? -1 : 1));

describe('slices after random steps', () => {
  it('are what they would be by definition, told in deltas that each change something', async () => {
    let deltas = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), async (steps) => {
        const world = await World.start();
        const vnas: Vna[] = [];
        for (const node of NODES) vnas.push(await world.attach(node));
        const plugged: (readonly VifObservation[])[] = [[vif('tap1', 'if-1')], [vif('tap2', 'if-2'), vif('tap3', 'if-3')], []];
        for (const [index, vna] of vnas.entries()) await vna.see(plugged[index]!);

        for (const one of [{ operations: beginning }, ...steps]) {
          const before = vnas.map((vna) => new Map(vna.slice));
          const told = vnas.map((vna) => vna.messages.length);
          if ('operations' in one) {
            await world.vnmgr.execute(one.operations).catch((error: unknown) => {
              if (!(error instanceof HotoriError)) throw error;
            });
          } else if ('node' in one) {
            plugged[one.node] = one.vifs;
            await vnas[one.node]!.see(one.vifs);
          } else vnas[one.relist]!.attachment.relist();

          const entities = [...world.disk.entities.values()];
          const bindings = ownBindings(vnas);
          expect(new Set(bindings.map(({ interface_uuid }) => interface_uuid)).size).toBe(bindings.length);
          for (const [index, vna] of vnas.entries()) {
            expect(sorted(vna.slice.values())).toEqual(sorted(sliceByDefinition(vna.attachment.datapath_uuid, entities, bindings)));
            for (const message of vna.messages.slice(told[index])) {
              if (message.kind !== 'delta') continue;
              deltas++;
              expect(message.puts.length + message.deletes.length).toBeGreaterThan(0);
              for (const record of message.puts) expect(before[index]!.get(record.uuid)).not.toEqual(record);
            }
          }
          for (const { interface_uuid, datapath_uuid, port_name } of bindings) {
            const at = vnas.findIndex((vna) => vna.attachment.datapath_uuid === datapath_uuid);
            const seen = plugged[at]!.find((observation) => observation.port_name === port_name)!;
            const iface = entities.find((entity) => entity.uuid === interface_uuid) as EntityOf<'interface'>;
            const places = placesOf(entities, iface);
            const fitting = places.filter((place) => [null, datapath_uuid].includes(place.datapath_uuid));
            expect(fitting.length > 0 || places.length === 0).toBe(true);
            expect(seen.iface_id === interface_uuid || fitting.some((place) => place.port_name === port_name)).toBe(true);
            expect(iface.mode).toBe('vif');
          }
        }
      }),
      { numRuns: 60 },
    );
    expect(deltas).toBeGreaterThan(60 * 5);
  }, 60_000);
});
