import type { Response } from 'supertest';
import { startApi, startController, type Api } from '../webapi/support.js';
import { FakeVna } from '../webapi/fake-vna.js';
import { expectGenerated } from './generated.js';

interface Step {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** A jq program that the answer goes through, and what it does. */
  readonly jq?: readonly [program: string, apply: (body: Body) => unknown];
  /** Headers of the answer worth showing. */
  readonly show?: readonly string[];
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- JSON of the API, of which examples pick parts
type Body = any;

const BASE = '/api/1.0';
const WIDTH = 120;

/** A command line and what it prints; the API takes the place of curl. */
async function perform(api: Api, { method, path, body, headers = {}, show = [], jq }: Step): Promise<string> {
  const request = api[method.toLowerCase() as 'get'](`${BASE}${path}`).set(headers);
  const response: Response = await (body === undefined ? request : request.send(body as object));
  const words = [
    'curl -s',
    ...(show.length > 0 ? ['-i'] : []),
    ...(method === 'GET' || (method === 'POST' && body !== undefined) ? [] : [`-X ${method}`]),
    ...Object.entries(headers).map(([name, value]) => `-H '${name}: ${value}'`),
    `'localhost:9090${BASE}${path}'`,
    ...(body === undefined ? [] : [`--json '${layOut(body)}'`]),
    ...(jq === undefined ? [] : [`| jq '${jq[0]}'`]),
  ];
  const head = show.map((name) => `${name}: ${String(response.headers[name.toLowerCase()])}`);
  const top = show.length === 0 ? [] : [`HTTP/1.1 ${response.status} …`, ...head, ''];
  return [`$ ${words.join(' ')}`, ...top, layOut(jq === undefined ? response.body : jq[1](response.body))].join('\n');
}

/** JSON with what fits on a line on one. */
function layOut(value: unknown, indent = ''): string {
  const flat = JSON.stringify(value, null, 1).replaceAll(/\n\s*/g, ' ');
  if (value === null || typeof value !== 'object' || indent.length + flat.length <= WIDTH) return flat;
  const deeper = `${indent}  `;
  const items = Array.isArray(value)
    ? value.map((item) => deeper + layOut(item, deeper))
    : Object.entries(value).map(([key, item]) => `${deeper}"${key}": ${layOut(item, deeper)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return `${open!}\n${items.join(',\n')}\n${indent}${close!}`;
}

const UUIDS = [
  '{revision, results: [.results[].uuid]}',
  ({ revision, results }: Body) => ({ revision, results: results.map(({ uuid }: Body) => uuid) }),
] as const;

const EXAMPLES: Readonly<Record<string, readonly Step[]>> = {
  network: [
    {
      method: 'POST',
      path: '/networks',
      body: { uuid: 'nw-blue', ipv4_network: '10.0.0.0', ipv4_prefix: 24, ipv6_network: '2001:db8::', dns_servers: ['10.0.0.2'] },
      show: ['Hotori-Revision', 'ETag'],
    },
  ],
  interface: [
    { method: 'POST', path: '/interfaces', body: { uuid: 'if-vm1', mode: 'vif', network_uuid: 'nw-blue', ipv4_address: '10.0.0.5' } },
  ],
  second_address: [
    {
      method: 'POST',
      path: '/ip_leases',
      body: { uuid: 'il-vm1-v6', interface_uuid: 'if-vm1', network_uuid: 'nw-blue', ipv6_address: '2001:db8::5' },
    },
  ],
  dhcp: [
    {
      method: 'POST',
      path: '/batch',
      jq: UUIDS,
      body: {
        operations: [
          {
            method: 'POST',
            path: '/interfaces',
            body: { uuid: 'if-dhcp', mode: 'simulated', network_uuid: 'nw-blue', ipv4_address: '10.0.0.3' },
          },
          { method: 'POST', path: '/network_services', body: { uuid: 'ns-dhcp', mode: 'dhcp', interface_uuid: 'if-dhcp' } },
        ],
      },
    },
  ],
  router: [
    {
      method: 'POST',
      path: '/batch',
      jq: UUIDS,
      body: {
        operations: [
          { method: 'POST', path: '/networks', body: { uuid: 'nw-red', ipv4_network: '10.1.0.0' } },
          ...['blue', 'red'].map((colour, i) => ({
            method: 'POST',
            path: '/interfaces',
            body: {
              uuid: `if-gw-${colour}`,
              mode: 'simulated',
              enable_routing: true,
              network_uuid: `nw-${colour}`,
              ipv4_address: `10.${i}.0.1`,
            },
          })),
          { method: 'POST', path: '/route_links', body: { uuid: 'rl-main' } },
          ...['blue', 'red'].map((colour, i) => ({
            method: 'POST',
            path: '/routes',
            body: {
              uuid: `r-${colour}`,
              interface_uuid: `if-gw-${colour}`,
              network_uuid: `nw-${colour}`,
              route_link_uuid: 'rl-main',
              ipv4_network: `10.${i}.0.0`,
            },
          })),
        ],
      },
    },
  ],
  security_group: [
    {
      method: 'POST',
      path: '/security_groups',
      body: {
        uuid: 'sg-web',
        rules: [
          { direction: 'ingress', protocol: 'tcp', ports: ['80', '8000-8100'], remote: { any: true } },
          { direction: 'ingress', protocol: 'icmp', remote: { security_group_uuid: 'sg-web' } },
        ],
      },
    },
    {
      method: 'PUT',
      path: '/interfaces/if-vm1?wait=installed',
      body: { security_group_uuids: ['sg-web'] },
      jq: [
        '{uuid, security_group_uuids, installed, datapaths}',
        ({ uuid, security_group_uuids, installed, datapaths }: Body) => ({ uuid, security_group_uuids, installed, datapaths }),
      ],
    },
  ],
  wait_timeout: [{ method: 'PUT', path: '/networks/nw-blue?wait=installed&timeout=0.1', body: { mtu: 1400 } }],
  refused: [{ method: 'POST', path: '/networks?mtu=9', body: { ipv4_network: '10.0.0.x', colour: 'red' } }],
  still_referenced: [{ method: 'DELETE', path: '/security_groups/sg-web' }],
  if_match: [{ method: 'PUT', path: '/networks/nw-blue', body: { mtu: 1400 }, headers: { 'If-Match': '"older"' } }],
  list: [{ method: 'GET', path: '/ip_leases?limit=1' }],
  status: [{ method: 'GET', path: '/status' }],
  connect: [
    {
      method: 'POST',
      path: '/batch',
      jq: UUIDS,
      body: {
        operations: [
          { method: 'POST', path: '/networks', body: { uuid: 'nw-public', mode: 'physical', ipv4_network: '172.16.90.0' } },
          {
            method: 'POST',
            path: '/interfaces',
            body: {
              uuid: 'if-hv1eth0',
              mode: 'host',
              owner_datapath_uuid: 'dp-hv1',
              network_uuid: 'nw-public',
              ipv4_address: '172.16.90.10',
            },
          },
        ],
      },
    },
    { method: 'POST', path: '/datapaths/dp-hv1/networks/nw-blue', body: { interface_uuid: 'if-hv1eth0' } },
  ],
};

/** What a run of this very test cannot know beforehand. */
function settle(text: string): string {
  return text.replaceAll(/"incarnation": "[^"]*"/g, '"incarnation": "…"').replaceAll(/"version": "[^"]*"/g, '"version": "…"');
}

describe('docs/rest.md', () => {
  it('shows what the API answers', async () => {
    const vnmgr = await startController();
    const { api } = await startApi({ controller: vnmgr });
    let hangs = false;
    await FakeVna.attach(
      vnmgr,
      { node_id: 'hv1', dpid: '0x0000000000000001', bridge: 'br-int', vifs: [{ port_name: 'tap1', iface_id: 'if-vm1' }] },
      () => (hangs ? 'hangs' : 'applies'),
    );
    for (const [name, steps] of Object.entries(EXAMPLES)) {
      hangs = name === 'wait_timeout';
      const shown: string[] = [];
      for (const step of steps) shown.push(await perform(api, step));
      expectGenerated('docs/rest.md', `example ${name}`, `\`\`\`\n${settle(shown.join('\n\n'))}\n\`\`\``);
    }
  });
});
