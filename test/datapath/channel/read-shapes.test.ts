import { ReadShapes } from '../../../datapath/channel/read-shapes.js';
import type { TableMod } from '../../../datapath/channel/contract.js';
import type { Action } from '../../../flows/openflow/action.js';
import type { Match } from '../../../flows/openflow/match.js';

function add(match: Match, ...actions: readonly Action[]): TableMod {
  return { kind: 'flow_add', flow: { table: 4, priority: 9, cookie: 1n, match, instructions: [{ kind: 'apply_actions', actions }] } };
}

const tcp: Match = [
  { field: 'eth_type', value: 0x0800 },
  { field: 'nw_proto', value: 6 },
  { field: 'ip_src', value: 1 },
];

describe('shapes that were read', () => {
  const shapes = new ReadShapes();
  shapes.learn([
    add(tcp, { kind: 'output', port: 3 }),
    add([], { kind: 'move', src: { field: 'reg1', offset: 0, bits: 8 }, dst: { field: 'reg2', offset: 0, bits: 8 } }),
  ]);

  it.each<[string, TableMod, boolean]>([
    ['another address and port', add([tcp[0]!, tcp[1]!, { field: 'ip_src', value: 2 }], { kind: 'output', port: 4 }), true],
    ['a port just below the reserved ones', add(tcp, { kind: 'output', port: 0xffff_feff }), true],
    ['a reserved port', add(tcp, { kind: 'output', port: 0xffff_fff8 }), false],
    ['another protocol', add([tcp[0]!, { field: 'nw_proto', value: 17 }, tcp[2]!], { kind: 'output', port: 3 }), false],
    ['a mask', add([tcp[0]!, tcp[1]!, { field: 'ip_src', value: 0, mask: 0xff }], { kind: 'output', port: 3 }), false],
    [
      'another part of a field',
      add([], { kind: 'move', src: { field: 'reg1', offset: 8, bits: 8 }, dst: { field: 'reg2', offset: 0, bits: 8 } }),
      false,
    ],
    ['one action more', add(tcp, { kind: 'output', port: 3 }, { kind: 'output', port: 4 }), false],
  ])('are asked about a modification with %s', (_what, mod, isCovered) => {
    expect(shapes.covers([mod])).toBe(isCovered);
  });

  it('cover nothing any more once forgotten', () => {
    const others = new ReadShapes();
    others.learn([add(tcp)]);
    others.forget();
    expect(others.covers([add(tcp)])).toBe(false);
  });
});
