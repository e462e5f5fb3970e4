/**
 * Flows as a network has them, for benchmarks: half of them Ethernet destinations, a fifth routes, a fifth conntrack policy, a tenth conjunctive clauses.
 */
import type { Flow } from '../../../flows/openflow/flow.js';

export function mixedFlows(count: number): Flow[] {
  return Array.from({ length: count }, (_, n) => mixedFlow(n));
}

function mixedFlow(n: number): Flow {
  const cookie = BigInt(n + 1);
  switch (n % 10) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return {
        table: n % 10,
        priority: 100,
        cookie,
        match: [
          { field: 'metadata', value: BigInt(n % 50) },
          { field: 'eth_dst', value: 0x0200_0000_0000 + n },
        ],
        instructions: [
          { kind: 'apply_actions', actions: [{ kind: 'set_field', field: 'reg7', value: n }] },
          { kind: 'goto_table', table: 30 },
        ],
      };
    case 5:
    case 6:
      return {
        table: 10,
        priority: 200 + (n % 3),
        cookie,
        match: [
          { field: 'eth_type', value: 0x0800 },
          { field: 'ip_dst', value: 0x0a00_0000 + n * 16, mask: 0xffff_fff0 },
        ],
        instructions: [
          {
            kind: 'apply_actions',
            actions: [
              { kind: 'dec_ttl' },
              { kind: 'set_field', field: 'eth_src', value: 0x0200_0000_0001 },
              { kind: 'set_field', field: 'reg1', value: n },
            ],
          },
          { kind: 'goto_table', table: 40 },
        ],
      };
    case 7:
    case 8:
      return {
        table: 20,
        priority: 1_000,
        cookie,
        match: [
          { field: 'ct_state', value: 0x21, mask: 0x21 },
          { field: 'eth_type', value: 0x0800 },
          { field: 'nw_proto', value: 6 },
          { field: 'ip_src', value: 0x0a00_0000 + n },
          { field: 'tcp_dst', value: n % 60_000 },
        ],
        instructions: [{ kind: 'apply_actions', actions: [{ kind: 'ct', commit: true, zone: n % 4_096, table: 30 }] }],
      };
    default:
      return {
        table: 21,
        priority: 1_001,
        cookie,
        match: [
          { field: 'eth_type', value: 0x0800 },
          { field: 'ip_src', value: 0x0a00_0000 + n },
        ],
        instructions: [{ kind: 'apply_actions', actions: [{ kind: 'conjunction', clause: n % 2, n_clauses: 2, id: (n % 500) + 1 }] }],
      };
  }
}
