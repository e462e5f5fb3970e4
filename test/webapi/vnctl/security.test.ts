import { TABLES } from '../../../flows/pipeline/tables.js';
import type { FlowEntry } from '../../../controller/messages/slice.js';
import { Bench } from './run.js';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(() => bench.server.stop(0));

describe('vnctl filters', () => {
  it('adds, shows and deletes rows as OpenVNet did', async () => {
    await bench.ok('interfaces add --uuid if-a --mode vif --enable_filtering');
    await bench.ok('filters add --uuid fil-a --interface_uuid if-a --mode static --egress_passthrough');
    await bench.ok('filters static add fil-a --protocol tcp --action pass --src_address 10.0.0.1 --dst_port 22');
    await bench.ok('filters static add fil-a --protocol ip --action conn --src_address 0.0.0.0/0');
    const twice = await bench.run(
      'filters static add fil-a --protocol tcp --action drop --src_address 10.0.0.1/32 --src_port 0 --dst_port 22',
    );
    const shown = await bench.ok('filters static show fil-a');
    await bench.ok('filters static del fil-a --protocol tcp --src_address 10.0.0.1/32 --dst_port 22');
    const gone = await bench.run('filters static del fil-a --protocol tcp --dst_port 22');
    const left = bench.controller.get('filter', 'fil-a')?.view;
    expect({
      twice: [twice.code, twice.err],
      shown: shown.match(/10\.0\.0\.1\/32/g)?.length,
      gone: gone.code,
      left: left?.['statics'],
    }).toEqual({
      twice: [1, expect.stringContaining('matches what row 0 matches')],
      shown: 1,
      gone: 1,
      left: [{ protocol: 'ip', action: 'conn', src_address: null, dst_address: null, src_port: null, dst_port: null }],
    });
  });
});

describe('vnctl statistics', () => {
  it('sums what datapaths have counted, and names those that have a part in it and did not answer', async () => {
    await bench.ok('datapaths add --uuid dp-1 --display_name one --dpid 1 --node_id one');
    await bench.ok('datapaths add --uuid dp-2 --display_name two --dpid 2 --node_id two');
    await bench.ok('datapaths add --uuid dp-3 --display_name three --dpid 3 --node_id three');
    await bench.controller.execute([
      {
        verb: 'create',
        kind: 'security_group',
        params: {
          uuid: 'sg-a',
          rules: ['sgr-x', 'sgr-y'].map((uuid) => ({ uuid, direction: 'ingress', protocol: 'tcp', remote: { any: true } })),
        },
      },
      { verb: 'create', kind: 'network', params: { uuid: 'nw-a', ipv4_network: '10.0.0.0', ipv4_prefix: 24 } },
      ...[1, 2].map((n) => ({
        verb: 'create' as const,
        kind: 'interface' as const,
        params: {
          uuid: `if-${'_ab'[n]!}`,
          mode: 'vif',
          network_uuid: 'nw-a',
          ipv4_address: `10.0.0.1${n}`,
          security_group_uuids: ['sg-a'],
        },
      })),
    ]);
    const attach = (n: number, signal: AbortSignal) => {
      const iface_id = `if-${'_ab'[n]!}`;
      const hello = { node_id: `n${n}`, dpid: `0x000000000000000${n}`, bridge: 'br', vifs: [{ port_name: 'tap', iface_id }] };
      return bench.controller.attach({ ...hello, chassis: undefined }, () => undefined, signal);
    };
    const leaving = new AbortController();
    await attach(2, leaving.signal);
    leaving.abort();
    const attached = await attach(1, new AbortController().signal);
    const flow = (table: number, text: string, owners: string[], packets: number): FlowEntry => {
      return { table, table_name: '', priority: 1, text, cookie: '0x0', owners, rule: '', packets, bytes: packets * 100 };
    };
    attached.serveFlows((owner) =>
      Promise.resolve(
        owner === 'sg-a'
          ? [
              flow(TABLES.IN_POLICY.id, 'actions=goto', ['sg-a', 'sgr-x'], 5),
              flow(TABLES.IN_POLICY.id, 'actions=goto', ['sg-a', 'sgr-x'], 6),
              flow(TABLES.IN_POLICY.id, 'actions=conjunction(1,1/2)', ['sg-a', 'sgr-x', 'sgr-y'], 99),
              flow(TABLES.IN_METRIC.id, 'ct_label=0/0xffffffff actions=goto', ['sg-a', 'sgr-x'], 2),
              flow(TABLES.IN_METRIC.id, 'actions=goto', ['sg-a', 'sgr-x'], 7),
            ]
          : [flow(TABLES.DROP.id, 'priority=20,reg2=0x1,reg15=0x11/0xffff', ['if-a'], 3)],
      ),
    );
    const lines = async (line: string) => (await bench.ok(line)).split('\n').map((row) => row.trim().replaceAll(/ +/g, ' '));
    expect([await lines('security_groups statistics sg-a'), await lines('interfaces statistics if-a')]).toEqual([
      expect.arrayContaining(['sgr-x 11 1100 2', 'sgr-y 0 0 0', 'did not answer: dp-2']),
      expect.arrayContaining([expect.stringMatching(/^ingress_policy .* 3 300$/), 'did not answer: dp-2']),
    ]);
  });
});
