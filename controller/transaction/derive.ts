/**
 * What follows from a transaction's changes: parts of routers, segments of new MACs, keys of L2 domains, policy classes, underlay endpoints,
 * MACs in several L2 domains, routing domains.
 *
 * Assumes: all operations were applied. They may have left references to nothing, which the invariants refuse afterwards.
 */
import type { Draft } from '../../flows/model/draft.js';
import type { Interface } from '../../flows/model/entities/interface.js';
import { classKey, groupSetKey } from '../../flows/model/indexes.js';
import { assignRoutingDomains } from '../../flows/model/routing-domain.js';
import { entityOf, ipLeasesOf, referrers } from '../../flows/model/view.js';
import { assignEndpoints } from './endpoints.js';
import { markSharedMacs } from './shared-macs.js';
import type { KeyRing } from './keys.js';
import { assignFloatingRouters } from './nat.js';
import { followRouters } from './routers.js';
import type { Workspace } from './workspace.js';

export function derive(work: Workspace): void {
  const { draft, keys, segmentFollowsNetwork } = work;
  followRouters(work);
  assignFloatingRouters(work);
  for (const uuid of segmentFollowsNetwork) followNetwork(draft, uuid);
  assignSegmentKeys(draft, keys);
  assignPolicyClasses(draft, keys);
  assignEndpoints(draft);
  markSharedMacs(draft);
  assignRoutingDomains(draft, () => keys.next('vrf_key'));
}

function followNetwork(draft: Draft, uuid: string): void {
  const lease = entityOf(draft, 'mac_lease', uuid);
  if (lease === undefined) return;
  const [address] = ipLeasesOf(draft, uuid);
  const segment = entityOf(draft, 'network', address?.network_uuid ?? null)?.segment_uuid ?? lease.segment_uuid;
  if (segment !== lease.segment_uuid) draft.put({ ...lease, segment_uuid: segment });
}

/** A network in a segment has the segment's key, any other its own. */
function assignSegmentKeys(draft: Draft, keys: KeyRing): void {
  const networks = new Set<string>();
  for (const { uuid, after } of draft.touchedOf('network')) if (after) networks.add(uuid);
  for (const { uuid, after } of draft.touchedOf('segment'))
    if (after) for (const network of referrers(draft, 'network', uuid)) networks.add(network.uuid);
  for (const uuid of networks) {
    const network = entityOf(draft, 'network', uuid)!;
    const segment = entityOf(draft, 'segment', network.segment_uuid);
    const key = segment?.segment_key ?? (network.segment_key === 0 ? keys.next('segment_key') : network.segment_key);
    if (key !== network.segment_key) draft.put({ ...network, segment_key: key });
  }
}

/** One policy class per distinct set of groups that interfaces have. */
function assignPolicyClasses(draft: Draft, keys: KeyRing): void {
  const left = new Set<number>();
  for (const { before, after: iface } of draft.touchedOf('interface')) {
    if (before) left.add(before.policy_class_key);
    if (iface === undefined) continue;
    const policy_class_key = classOf(draft, keys, iface);
    if (policy_class_key !== iface.policy_class_key) draft.put({ ...iface, policy_class_key });
  }
  for (const key of left) if (key !== 0 && draft.count(classKey(key)) === 0) draft.delete(`pc-${key}`);
}

function classOf(draft: Draft, keys: KeyRing, { security_group_uuids: groups }: Interface): number {
  if (groups.length === 0) return 0;
  for (const uuid of draft.lookup(groupSetKey(groups))) return entityOf(draft, 'policy_class', uuid)!.policy_class_key;
  const policy_class_key = keys.next('policy_class_key');
  draft.put({ kind: 'policy_class', uuid: `pc-${policy_class_key}`, policy_class_key, security_group_uuids: groups });
  return policy_class_key;
}
