/**
 * Whose an address is.
 *
 * Owns: IN_ID and EG_ID: the policy class of the interface an address is leased to, wherever that interface is plugged.
 * Promises: one row per address and direction in which some rule names one of its groups; nothing for addresses that no rule can mean.
 */
import { parseIpv4, parseIpv6, type Ip } from '../../net/ip.js';
import { apply, fromAddress, goto, toAddress } from '../build.js';
import { namedGroupUuid } from '../indexes.js';
import { regLoad, regMatch } from '../registers.js';
import { rule } from '../rule.js';

export const identityFlows = rule('identity', 'ip_lease', (lease, look, emit) => {
  const iface = lease.interface_uuid === null ? undefined : look.get('interface', lease.interface_uuid);
  if (iface === undefined || iface.policy_class_key === 0) return;
  const groups = look.get('policy_class', `pc-${iface.policy_class_key}`)?.security_group_uuids ?? [];
  const isNamed = (direction: 'ingress' | 'egress') =>
    groups.some((uuid) => look.get('named_group', namedGroupUuid(direction, uuid)) !== undefined);
  const [byIngress, byEgress] = [isNamed('ingress'), isNamed('egress')];
  if (!byIngress && !byEgress) return;
  const network = look.get('network', lease.network_uuid);
  if (network === undefined) return;

  const ip: Ip =
    lease.ipv4_address !== null
      ? { family: 'ipv4', value: parseIpv4(lease.ipv4_address) }
      : { family: 'ipv6', value: parseIpv6(lease.ipv6_address!) };
  const domain = regMatch('vrf', network.vrf_key);
  const key = iface.policy_class_key;
  emit.owners(iface.uuid, lease.uuid);
  if (byIngress) emit.flow('IN_ID', 100, [domain, ...fromAddress(ip)], [apply(regLoad('source_identity', key)), goto('IN_POLICY')]);
  if (byEgress) emit.flow('EG_ID', 100, [domain, ...toAddress(ip)], [apply(regLoad('destination_identity', key)), goto('EG_POLICY')]);
});
