/** A packet seen somewhere in a live trace, for tests. */
import type { Sighting } from '../../../controller/live/journeys.js';

const PACKET: Sighting['packet'] = {
  line: 'udp 10.0.0.1:1 → 10.0.0.2:2',
  protocol: 'udp',
  source: { address: '10.0.0.1', port: 1 },
  destination: { address: '10.0.0.2', port: 2 },
  icmp_type: null,
  icmp_code: null,
  tcp_flags: null,
  ttl: 64,
  size: 60,
  eth_src: '0a:00:00:00:00:01',
  eth_dst: '0a:00:00:00:00:02',
};

export const sighting = (datapath_uuid: string, point: Sighting['point'], over: Partial<Sighting> = {}): Sighting => ({
  datapath_uuid,
  point,
  identity: 'one',
  at: 0,
  packet: PACKET,
  table: null,
  cookie: null,
  rule: null,
  uuids: [],
  reason: null,
  egress_rule: null,
  ingress_rule: null,
  interface_uuid: null,
  receivers: [],
  branch: 0,
  peer_uuid: null,
  routers_crossed: 0,
  ct_state: 0,
  ...over,
});
