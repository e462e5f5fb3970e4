import { createCompiler } from '../../../flows/compile/compiler.js';
import type { FlowDelta } from '../../../flows/compile/contract.js';
import type { SecurityGroupRule } from '../../../flows/model/entities/security-group.js';
import { NOMINAL } from '../../../flows/pipeline/registers.js';
import type { InputRecord } from '../../../flows/pipeline/rule.js';
import { TABLES, USER_TABLES, type TableName } from '../../../flows/pipeline/tables.js';
import { checkTables } from '../../../flows/trace/checkers.js';
import {
  addressSet,
  binding,
  groupRule,
  iface,
  ipLease,
  localPort,
  macLease,
  network,
  policyClass,
  securityGroup,
} from '../compile/slice-builder.js';

const NAMES = new Map<number, string>(Object.entries(TABLES).map(([name, { id }]) => [id, name]));
const POLICY: readonly TableName[] = [
  'EG_CT',
  'EG_STATE',
  'IDENTITY',
  'EG_ID',
  'EG_POLICY',
  'EG_METRIC',
  'EG_COMMIT',
  'EG_DENY',
  'IN_CT',
  'IN_STATE',
  'IN_ID',
  'IN_POLICY',
  'IN_METRIC',
  'IN_COMMIT',
  'IN_DENY',
];

/** Flows touched, by table. */
function touched({ flows_put, flows_deleted }: FlowDelta): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { table } of [...flows_put.values(), ...[...flows_deleted].filter(([key]) => !flows_put.has(key)).map(([, flow]) => flow)])
    counts[NAMES.get(table)!] = (counts[NAMES.get(table)!] ?? 0) + 1;
  return counts;
}

function mac(n: number): string {
  return `0a:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`;
}

function member(n: number, cls: number, isLocal: boolean): InputRecord[] {
  return [
    iface(`vm${n}`, n, { policy_class_key: cls }),
    macLease(`vm${n}`, mac(n)),
    ipLease(`vm${n}`, 'n', `10.1.${n >> 8}.${n & 255}`),
    isLocal ? localPort(`vm${n}`, n) : binding(`vm${n}`, 'dp-other'),
  ];
}

/** Ports and ranges, from prefixes, groups and anywhere; one in five egress, by prefix or towards the group all members are in. */
function rules(count: number, egressTo: 'prefixes' | 'group'): SecurityGroupRule[] {
  return Array.from({ length: count }, (_, n) =>
    groupRule(`r${n}`, n + 1, {
      direction: n % 5 === 4 ? 'egress' : 'ingress',
      action: n % 10 === 7 ? 'drop' : 'allow',
      priority: 500 + (n % 10 === 7 ? 1 : 0),
      protocol: n % 2 === 0 ? 'tcp' : 'udp',
      ports: n % 3 === 0 ? [`${1000 + n}-${1009 + n}`] : [`${1000 + n}`, `${3000 + n}`],
      remote:
        n % 5 === 4
          ? egressTo === 'group'
            ? { security_group_uuid: 'sg-g' }
            : { cidr: `10.${n % 200}.0.0/16` }
          : n % 4 === 0
            ? { security_group_uuid: 'sg-g' }
            : n % 4 === 1
              ? { cidr: `10.${n % 200}.0.0/16` }
              : n % 4 === 2
                ? { security_group_uuid: 'sg-h' }
                : { any: true },
    }),
  );
}

function countPolicy(records: readonly InputRecord[]): number {
  const compiler = createCompiler();
  compiler.update(records, []);
  const ids = POLICY.map((name) => TABLES[name].id as number);
  return [...compiler.tables.flows.values()].filter(({ table }) => ids.includes(table)).length;
}

describe('flows of security groups', () => {
  it.each(['prefixes', 'group'] as const)(
    'stay below 5,000 on a datapath with 500 rules, 1,000 members and 100 local ports, in few classes or in many, with egress rules for %s',
    (egressTo) => {
      const counts = [2, 16].map((classes) => {
        const groups = Array.from({ length: classes }, (_, n) => `x${n}`);
        const records: InputRecord[] = [
          network('n', 1, { ipv4_network: '10.1.0.0', ipv4_prefix: 16 }),
          securityGroup('g', rules(500, egressTo)),
          securityGroup('h', []),
          ...groups.map((name) => securityGroup(name, [])),
          ...groups.map((name, n) => policyClass(n + 1, n % 2 === 0 ? ['g', name] : ['g', 'h', name])),
        ];
        for (let n = 1; n <= 1000; n++) records.push(...member(n, 1 + (n % classes), n <= 100));
        return countPolicy(records);
      });
      expect(counts.filter((count) => count > 5000)).toEqual([]);
    },
  );

  it.each(['ingress', 'egress', 'both'] as const)(
    'of a member that joins, leaves, comes or changes address are one address flow where nothing of it is local, when %s rules mean its group',
    (named) => {
      const compiler = createCompiler();
      const directions = named === 'both' ? (['ingress', 'egress'] as const) : [named];
      const meant = directions.flatMap((direction, n) => [
        groupRule(`a${n}`, 2 * n + 1, { direction, remote: { security_group_uuid: 'sg-g' }, protocol: 'tcp', ports: ['1-1000'] }),
        groupRule(`b${n}`, 2 * n + 2, { direction, remote: { security_group_uuid: 'sg-h' }, action: 'drop', priority: 900 }),
      ]);
      compiler.update(
        [
          network('n', 1, { ipv4_network: '10.1.0.0', ipv4_prefix: 16 }),
          policyClass(1, ['g']),
          policyClass(2, ['g', 'h']),
          policyClass(3, ['h']),
          securityGroup('g', meant),
          securityGroup('h', []),
          ...member(1, 1, true),
          ...member(2, 2, false),
          ...member(3, 3, false),
        ],
        [],
      );
      const policy = (delta: FlowDelta) =>
        Object.fromEntries(Object.entries(touched(delta)).filter(([table]) => POLICY.includes(table as TableName)));
      const set = (cls: number) => policy(compiler.update([iface('vm2', 2, { policy_class_key: cls })], []));
      expect({
        leaves: set(3),
        'leaves all': set(0),
        joins: set(2),
        comes: policy(compiler.update(member(4, 2, false), [])),
        moves: policy(compiler.update([ipLease('vm4', 'n', '10.1.9.9')], [])),
      }).toEqual({
        leaves: { IDENTITY: 1 },
        'leaves all': { IDENTITY: 1 },
        joins: { IDENTITY: 1 },
        comes: { IDENTITY: 1 },
        // The old row goes, the new one comes.
        moves: { IDENTITY: 2 },
      });
    },
  );

  it('of a rule that changes are its own, of an address set those of its rules', () => {
    const base = (over: Partial<SecurityGroupRule>) =>
      securityGroup('g', [
        groupRule('a', 1, { protocol: 'tcp', ports: ['22'] }),
        groupRule('b', 2, { protocol: 'udp', ports: ['53'], ...over }),
        groupRule('c', 3, { protocol: 'tcp', remote: { address_set_uuid: 'as-s' } }),
      ]);
    const compiler = createCompiler();
    compiler.update([network('n', 1), policyClass(1, ['g']), addressSet('s', ['10.9.0.0/16']), base({}), ...member(1, 1, true)], []);
    const change = (record: InputRecord) => touched(compiler.update([record], []));
    expect({
      'another port': change(base({ ports: ['54'] })),
      'a drop': change(base({ ports: ['54'], action: 'drop' })),
      'another priority': change(base({ ports: ['54'], action: 'drop', priority: 7 })),
      'gone, with its key': touched(
        compiler.update(
          [
            securityGroup(
              'g',
              base({}).rules.filter((rule) => rule.uuid !== 'sgr-b'),
            ),
          ],
          [],
        ),
      ),
      'one prefix more': change(addressSet('s', ['10.9.0.0/16', '10.10.0.0/16'])),
    }).toEqual({
      // One row per family; the old ones go.
      'another port': { IN_POLICY: 4 },
      // A group that refuses has ports with one more reason to count.
      'a drop': { IN_POLICY: 4, IN_METRIC: 1, DROP: 1 },
      'another priority': { IN_POLICY: 4 },
      'gone, with its key': { IN_POLICY: 2, DROP: 1 },
      'one prefix more': { IN_POLICY: 1 },
    });
  });

  it('match no more port masks than a range needs', () => {
    const compiler = createCompiler();
    const rows = (ports: string[]) => {
      compiler.update(
        [
          network('n', 1),
          policyClass(1, ['g']),
          securityGroup('g', [groupRule('a', 1, { family: 'ipv4', protocol: 'tcp', ports })]),
          ...member(1, 1, true),
        ],
        [],
      );
      return [...compiler.tables.flows.values()].filter(
        (flow) => flow.table === TABLES.IN_POLICY.id && flow.priority >= 1000 && flow.match.some((m) => m.field === 'nw_proto'),
      ).length;
    };
    expect([rows(['1-65535']), rows(['80']), rows(['65535']), rows(['1024-2047']), rows(['80', '80-81', '81'])]).toEqual([16, 1, 1, 1, 1]);
  });

  it('pass the checks with every action at one priority', () => {
    const compiler = createCompiler();
    const mixed = (['allow', 'drop', 'reject'] as const).flatMap((action, at) =>
      [true, false].flatMap((log, n) => [
        groupRule(`${action}${n}`, at * 10 + n + 1, { action, log: log ? { rate: 1 } : null, protocol: 'tcp', ports: ['1-1000'] }),
        groupRule(`${action}${n}x`, at * 10 + n + 5, {
          action,
          log: log ? { rate: 1 } : null,
          protocol: 'tcp',
          remote: { cidr: '10.0.0.0/8' },
        }),
      ]),
    );
    compiler.update([network('n', 1), policyClass(1, ['g']), securityGroup('g', mixed), ...member(1, 1, true)], []);
    expect(checkTables(compiler.tables, { dropTables: [TABLES.DROP.id], userTables: USER_TABLES, nominal: NOMINAL })).toEqual([]);
  });
});
