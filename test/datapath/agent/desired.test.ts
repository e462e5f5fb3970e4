import { Desired } from '../../../datapath/agent/desired.js';
import type { SliceChange } from '../../../datapath/agent/slice-intake.js';
import type { Compiler } from '../../../flows/compile/contract.js';
import { createCompiler } from '../../../flows/compile/compiler.js';
import type { SliceRecord } from '../../../controller/messages/slice.js';
import { iface, ipLease, macLease, network } from '../../flows/compile/slice-builder.js';

const slice: SliceRecord[] = [network('a', 1), iface('vm', 2), macLease('vm', '0a:00:00:00:00:01'), ipLease('vm', 'a', '10.0.1.5')];
const bindingOf = (datapath_uuid: string): SliceRecord => ({
  kind: 'binding',
  uuid: 'bind-if-vm',
  interface_uuid: 'if-vm',
  datapath_uuid,
  port_name: 'tap1',
});

const change = (over: Partial<SliceChange>): SliceChange => ({
  isComplete: false,
  puts: [],
  deletes: [],
  firstSeq: 1,
  seq: 1,
  revision: { incarnation: 'i', number: 10 },
  datapath_uuid: 'dp-1',
  ...over,
});

/** What the parts around it are told, in order. */
function setUp(compilers: () => Compiler = createCompiler, onPorts: (seq: number) => void = () => undefined) {
  const told: unknown[] = [];
  let pendingSince: number | undefined;
  const desired = new Desired({
    createCompiler: compilers,
    reconciler: {
      change: (delta) => void told.push(['change', delta.flows_put.size, delta.flows_deleted.size]),
      replace: (tables) => void told.push(['replace', tables.flows.size]),
      begin: () => void told.push('begin'),
      suspect: () => void told.push('suspect'),
      mark: (seq) => void told.push(['mark', seq]),
      aim: (revision) => void told.push(['aim', revision]),
      restartSeq: () => void told.push('restart'),
    },
    ports: {
      update: (_vifs, bindings, seq) => {
        told.push(['ports', [...bindings].length, seq]);
        onPorts(seq);
      },
      live: () => [],
      get pendingSince() {
        return pendingSince;
      },
      restartSeq: () => undefined,
    },
    context: {
      apply: (puts, deletes) => void told.push(['context', puts.length, deletes.length]),
      replace: (records) => void told.push(['context', records.length]),
    },
    natZones: { update: () => undefined, pendingSince: undefined, restartSeq: () => undefined },
    vifs: () => new Map(),
    own: () => [],
    onCompiled: () => undefined,
    onFailure: () => void told.push('failure'),
    clock: { now: () => 0 },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  const heard = (): unknown[] => told.splice(0);
  return { desired, heard, pend: (seq: number | undefined) => (pendingSince = seq) };
}

const fixed = createCompiler().tables.flows.size;

describe('what is desired', () => {
  it('is nothing before the first snapshot, and everything at once with it', () => {
    const { desired, heard } = setUp();
    expect([desired.take(change({ puts: slice })), heard()]).toEqual([false, []]);
    expect(desired.take(change({ isComplete: true, puts: [...slice, bindingOf('dp-1')], seq: 4, firstSeq: 3 }))).toBe(true);
    expect(heard()).toEqual([
      ['ports', 1, 4],
      ['context', 5],
      ['replace', expect.any(Number)],
      'begin',
      'suspect',
      ['aim', 10],
      ['mark', 4],
    ]);
  });

  it('follows deltas, and counts only bindings to this datapath', () => {
    const { desired, heard } = setUp();
    desired.take(change({ isComplete: true, puts: slice }));
    heard();
    desired.take(change({ puts: [bindingOf('dp-other')], seq: 2 }));
    desired.take(change({ puts: [bindingOf('dp-1')], seq: 3 }));
    desired.take(change({ deletes: ['bind-if-vm'], seq: 4 }));
    expect(heard().filter((said) => Array.isArray(said) && said[0] === 'ports')).toEqual([
      ['ports', 0, 2],
      ['ports', 1, 3],
      ['ports', 0, 4],
    ]);
  });

  it('compiles a change together with what it does to the local ports', () => {
    const { desired, heard } = setUp(undefined, (seq) => {
      if (seq === 2) desired.applyPorts([{ kind: 'local_port', uuid: 'port-if-vm', interface_uuid: 'if-vm', ofport: 3, ct_zone: 9 }], []);
    });
    desired.take(change({ isComplete: true, puts: [network('a', 1)] }));
    heard();
    desired.take(change({ puts: [...slice, bindingOf('dp-1')], seq: 2 }));
    expect(heard().map((said) => (Array.isArray(said) ? said[0] : said))).toEqual(['ports', 'change', 'context', 'aim', 'mark']);
  });

  it('loses with a later snapshot what that leaves out, but not the local ports', () => {
    const { desired } = setUp();
    desired.take(change({ isComplete: true, puts: [...slice, bindingOf('dp-1')] }));
    desired.applyPorts([{ kind: 'local_port', uuid: 'port-if-vm', interface_uuid: 'if-vm', ofport: 3, ct_zone: 9 }], []);
    expect(desired.compiler.tables.flows.size).toBeGreaterThan(fixed);
    desired.take(change({ isComplete: true, puts: [network('a', 1)], seq: 2, firstSeq: 2 }));
    expect([...desired.compiler.records()].map((record) => record.uuid).sort()).toEqual(['nw-a', 'port-if-vm']);
  });

  it('is complete only up to the message before one whose ports are still being prepared', () => {
    const { desired, heard, pend } = setUp();
    desired.take(change({ isComplete: true, puts: slice }));
    heard();
    pend(3);
    desired.take(change({ seq: 4, firstSeq: 3 }));
    const during = heard().filter((said) => Array.isArray(said) && said[0] === 'mark');
    pend(undefined);
    desired.markComplete();
    desired.markComplete();
    expect([during, heard()]).toEqual([
      [['mark', 2]],
      [
        ['aim', 10],
        ['mark', 4],
      ],
    ]);
  });

  it('stays as it was when compiling fails, says so, and starts again with a snapshot', () => {
    let isBroken = false;
    const { desired, heard } = setUp(() => {
      const compiler = createCompiler();
      return {
        tables: compiler.tables,
        look: compiler.look,
        records: () => compiler.records(),
        gateways: () => compiler.gateways(),
        provenance: (cookie) => compiler.provenance(cookie),
        update: (puts, deletes) => {
          if (isBroken) throw new Error('a rule broke');
          return compiler.update(puts, deletes);
        },
      };
    });
    desired.take(change({ isComplete: true, puts: slice }));
    heard();
    isBroken = true;
    expect([desired.take(change({ puts: [network('b', 2)], seq: 2 })), heard(), desired.error]).toEqual([
      false,
      [['ports', 0, 2], 'failure'],
      { seq: 2, message: 'compiling failed: a rule broke', uuids: [] },
    ]);
    isBroken = false;
    expect([
      desired.take(change({ seq: 3 })),
      desired.take(change({ isComplete: true, puts: slice, seq: 4, firstSeq: 4 })),
      desired.error,
    ]).toEqual([false, true, null]);
    expect(heard()).toEqual([
      ['ports', 0, 4],
      ['context', 4],
      ['replace', expect.any(Number)],
      'begin',
      'suspect',
      ['aim', 10],
      ['mark', 4],
    ]);
  });
});
