/**
 * Packets for services that answer by packet-out: DHCPv4 and router solicitations.
 */
import { isNd, isUdp, ND, punt } from '../build.js';
import { routerPortsOfInterface } from '../indexes.js';
import { regMatch } from '../registers.js';
import { rule } from '../rule.js';

export const dhcpFlows = rule('dhcp', 'network_service', (service, look, emit) => {
  if (service.mode !== 'dhcp' || service.interface_uuid === null) return;
  emit.owners(service.uuid, service.interface_uuid);
  for (const port of look.all(routerPortsOfInterface, service.interface_uuid)) {
    if (!port.addresses.some((a) => a.ip.family === 'ipv4')) continue;
    emit.flow('LOCAL', 110, [regMatch('segment', port.segment_key), ...isUdp('ipv4', 68, 67)], punt({ kind: 'dhcpv4' }));
  }
});

export const routerSolicitFlows = rule('router solicitation', 'router_port', (port, _look, emit) => {
  if (!port.addresses.some((a) => a.ip.family === 'ipv6')) return;
  emit.owners(port.interface_uuid);
  emit.flow('LOCAL', 110, [regMatch('segment', port.segment_key), ...isNd(ND.router_solicit)], punt({ kind: 'router_solicit' }));
});
