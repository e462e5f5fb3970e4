/**
 * Whose an address is.
 *
 * Owns: IDENTITY (the policy class of the interface an address is leased to, wherever that interface is plugged), IN_ID and EG_ID, which ask it.
 * Assumes: PORT_SEC has written the identity of senders that are plugged here. An address of a network is looked up in no other of its routing domain.
 * Promises: one row per address, for both directions; none for addresses that no rule can mean, and none for those plugged here while only ingress rules mean
 * them. Whatever lies outside the networks of members is told apart by prefix alone, so that one cached flow serves many such addresses.
 */
import { parseIpv4, parseIpv6, type Ip } from '../../net/ip.js';
import { networkIp } from '../../net/cidr.js';
import { ipv4Subnet, ipv6Subnet } from '../../model/subnets.js';
import { apply, fromAddress, goto, is, isFamily, resubmit, toAddress } from '../build.js';
import { namedGroupUuid } from '../indexes.js';
import { ASKED_ADDRESS, regField, regLoad, regMatch } from '../registers.js';
import { rule, type Lookup, type Rule } from '../rule.js';

export const identityFixedFlows = rule('identity', 'pipeline', (_root, _look, emit) => {
  emit.flow('IDENTITY', 0, [], [apply(regLoad('found_identity', 0))]);
});

export const identityFlows = rule('identity', 'ip_lease', (lease, look, emit) => {
  const iface = lease.interface_uuid === null ? undefined : look.get('interface', lease.interface_uuid);
  if (iface === undefined || iface.policy_class_key === 0) return;
  const byEgress = isNamed('egress', iface.policy_class_key, look);
  // What is plugged here needs no row to be known as a sender.
  const byIngress = isNamed('ingress', iface.policy_class_key, look) && look.get('local_port', `port-${iface.uuid}`) === undefined;
  if (!byIngress && !byEgress) return;
  const network = look.get('network', lease.network_uuid);
  if (network === undefined) return;

  const ip: Ip =
    lease.ipv4_address !== null
      ? { family: 'ipv4', value: parseIpv4(lease.ipv4_address) }
      : { family: 'ipv6', value: parseIpv6(lease.ipv6_address!) };
  emit.owners(iface.uuid, lease.uuid);
  const asked = [isFamily(ip.family), is(ASKED_ADDRESS[ip.family].field, ip.value)];
  emit.flow('IDENTITY', 100, [regMatch('vrf', network.vrf_key), ...asked], [apply(regLoad('found_identity', iface.policy_class_key))]);
});

const memberNetworkFacts = rule('member network', 'ip_lease', ({ interface_uuid, network_uuid, ipv4_address }, look, emit) => {
  const policy_class_key = interface_uuid === null ? 0 : (look.get('interface', interface_uuid)?.policy_class_key ?? 0);
  if (policy_class_key === 0) return;
  const family = ipv4_address !== null ? 'ipv4' : 'ipv6';
  emit.fact({
    kind: 'member_network',
    uuid: `mn-${network_uuid}-${family}-${policy_class_key}`,
    network_uuid,
    family,
    policy_class_key,
  });
});

export const IDENTITY_FACT_RULES: readonly Rule[] = [memberNetworkFacts] as unknown as readonly Rule[];

export const memberNetworkFlows = rule('member network', 'member_network', ({ network_uuid, family, policy_class_key }, look, emit) => {
  const network = look.get('network', network_uuid);
  const subnet = network === undefined ? undefined : family === 'ipv4' ? ipv4Subnet(network) : ipv6Subnet(network);
  if (network === undefined || subnet === undefined) return;
  const prefix = [networkIp(subnet.cidr), subnet.cidr.prefix] as const;
  const asked = ASKED_ADDRESS[family];
  const bits = { offset: 0, bits: asked.bits };
  const ask = (field: 'ip_src' | 'ip_dst' | 'ipv6_src' | 'ipv6_dst') =>
    [
      { kind: 'stack_push', subfield: asked },
      { kind: 'move', src: { field, ...bits }, dst: asked },
      resubmit('IDENTITY'),
      { kind: 'stack_pop', subfield: asked },
    ] as const;
  const domain = regMatch('vrf', network.vrf_key);
  // Every class with members in the network emits the same rows.
  emit.owners(network_uuid);
  if (isNamed('egress', policy_class_key, look))
    emit.flow(
      'EG_ID',
      100,
      [domain, ...toAddress(...prefix)],
      [apply(...ask(family === 'ipv4' ? 'ip_dst' : 'ipv6_dst')), goto('EG_POLICY')],
    );
  if (isNamed('ingress', policy_class_key, look))
    emit.flow(
      'IN_ID',
      100,
      [domain, regMatch('source_identity', 0), ...fromAddress(...prefix)],
      [
        apply(...ask(family === 'ipv4' ? 'ip_src' : 'ipv6_src'), {
          kind: 'move',
          src: regField('found_identity'),
          dst: regField('source_identity'),
        }),
        goto('IN_POLICY'),
      ],
    );
});

/** Whether a rule of that direction means one of the groups of the class. */
function isNamed(direction: 'ingress' | 'egress', policyClassKey: number, look: Lookup): boolean {
  const groups = look.get('policy_class', `pc-${policyClassKey}`)?.security_group_uuids ?? [];
  return groups.some((uuid) => look.get('named_group', namedGroupUuid(direction, uuid)) !== undefined);
}
