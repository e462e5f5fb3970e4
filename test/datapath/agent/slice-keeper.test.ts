import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SliceRecord } from '../../../controller/messages/slice.js';
import { SliceFile } from '../../../datapath/agent/slice-file.js';
import type { SliceChange } from '../../../datapath/agent/slice-intake.js';
import { SliceKeeper } from '../../../datapath/agent/slice-keeper.js';
import { iface, network } from '../../flows/compile/slice-builder.js';
import { ManualClock } from './manual-clock.js';

const DPID = '0x00000000000000aa';
const records = (count: number): SliceRecord[] => [
  network('a', 1),
  ...Array.from({ length: count - 1 }, (_, index) => iface(`i${index}`, index + 2)),
];
const change = (over: Partial<SliceChange>): SliceChange => ({
  isComplete: true,
  puts: records(20),
  deletes: [],
  firstSeq: 1,
  seq: 1,
  revision: { incarnation: 'x', number: 10 },
  datapath_uuid: 'dp-1',
  ...over,
});

let dir: string;
let warnings: string[];
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'hotori-slice-'));
  warnings = [];
});
afterEach(() => rmSync(dir, { recursive: true }));

const keeperOn = (file: SliceFile | undefined, clock = new ManualClock()): SliceKeeper => {
  const warn = (fields: object): void => void warnings.push(String((fields as { reason?: string }).reason));
  return new SliceKeeper({ file, dpid: DPID, clock, log: { info: () => undefined, warn, error: warn } });
};
const used = (keeper: SliceKeeper, one: SliceChange): boolean => {
  const admitted = keeper.admit(one);
  if (admitted !== undefined) keeper.keep(admitted);
  return admitted !== undefined;
};

describe('the kept slice', () => {
  it('is written a little at a time, and encodes only what is near to what changed', async () => {
    const file = new SliceFile(path.join(dir, 'slice'));
    let encoded = 0;
    const counted = records(5_000).map((record) =>
      Object.defineProperty({ ...record }, 'kind', { enumerable: true, get: () => (encoded++, record.kind) }),
    ) as SliceRecord[];
    const slice = { datapath_uuid: 'dp-1', dpid: DPID, revision: { incarnation: 'x', number: 10 }, records: counted };
    const turns: number[] = [];
    let isOver = false;
    const look = (): void => {
      turns.push(encoded);
      if (!isOver) setImmediate(look);
    };
    look();
    await file.write(slice);
    isOver = true;
    const most = Math.max(...turns.map((count, i) => count - (turns[i - 1] ?? 0)));
    const whole = encoded;
    const changed = counted.with(2_500, iface('other', 9_998)).concat(iface('late', 9_999));
    await file.write({ ...slice, records: changed });
    const again = encoded - whole;
    expect({ isGradual: most * 10 <= whole, isPartial: again > 0 && again * 10 <= whole }).toEqual({ isGradual: true, isPartial: true });
    expect(file.read()).toEqual({ ...slice, records: records(5_000).with(2_500, iface('other', 9_998)).concat(iface('late', 9_999)) });
  });

  it('holds back a snapshot that takes most away and does not follow, with what comes after it, until it is accepted', () => {
    const keeper = keeperOn(undefined);
    expect(used(keeper, change({}))).toBe(true);
    const other = { incarnation: 'y', number: 3 };
    expect(used(keeper, change({ puts: records(2), revision: other, seq: 2 }))).toBe(false);
    expect(used(keeper, change({ isComplete: false, puts: [iface('late', 99)], revision: other, seq: 3 }))).toBe(false);
    expect(keeper.held).toContain('a slice of 3 records (revision 3 of y)');
    expect(keeper.held).toContain('vnctl datapaths accept-slice dp-1');
    const accepted = keeper.accept()!;
    expect([accepted.puts.map(({ uuid }) => uuid), accepted.seq, accepted.isComplete]).toEqual([['nw-a', 'if-i0', 'if-late'], 3, true]);
    keeper.keep(accepted);
    expect([keeper.held, keeper.accept()]).toEqual([null, undefined]);
    expect(used(keeper, change({ isComplete: false, puts: [iface('next', 98)], revision: { ...other, number: 4 }, seq: 4 }))).toBe(true);
    expect(keeper.restored([])!.puts.map(({ uuid }) => uuid)).toEqual(['nw-a', 'if-i0', 'if-late', 'if-next']);
  });

  it('follows commits wherever they lead, and another incarnation that is not much smaller', () => {
    const keeper = keeperOn(undefined);
    const verdicts = [
      change({}),
      change({ puts: [], revision: { incarnation: 'x', number: 11 } }),
      change({ revision: { incarnation: 'x', number: 12 } }),
      change({ puts: records(12), revision: { incarnation: 'y', number: 1 } }),
      change({ puts: records(1), revision: { incarnation: 'y', number: 0 } }),
    ].map((one) => used(keeper, one));
    expect(verdicts).toEqual([true, true, true, true, false]);
    expect(used(keeper, change({ puts: records(12), revision: { incarnation: 'y', number: 2 } }))).toBe(true);
    expect(keeper.held).toBeNull();
  });

  it('is there after a restart, for the NICs as they are then', async () => {
    const file = new SliceFile(path.join(dir, 'slice'));
    const stop = new AbortController();
    const keeper = keeperOn(file);
    const running = keeper.run(stop.signal);
    const bound: SliceRecord = { kind: 'binding', uuid: 'bind-if-i0', interface_uuid: 'if-i0', datapath_uuid: 'dp-1', port_name: 'tap0' };
    const away: SliceRecord = { kind: 'binding', uuid: 'bind-if-i1', interface_uuid: 'if-i1', datapath_uuid: 'dp-2', port_name: 'tap1' };
    used(keeper, change({ puts: [...records(20), bound, away] }));
    stop.abort();
    await running;
    const nics = [
      { port_name: 'tap7', iface_id: 'if-i0' },
      { port_name: 'tap8', iface_id: 'if-i1' },
      { port_name: 'tap9', iface_id: 'if-i2' },
    ];
    const restored = keeperOn(file).restored(nics)!;
    const bindings = restored.puts.filter((record) => record.kind === 'binding');
    expect(bindings.map(({ uuid, datapath_uuid, port_name }) => [uuid, datapath_uuid, port_name])).toEqual([
      ['bind-if-i1', 'dp-2', 'tap1'],
      ['bind-if-i0', 'dp-1', 'tap7'],
      ['bind-if-i2', 'dp-1', 'tap9'],
    ]);
    expect([restored.puts.length, restored.revision, warnings]).toEqual([23, { incarnation: 'x', number: 10 }, []]);
  });

  it('is none when the file is damaged, of another form or another bridge', async () => {
    const file = new SliceFile(path.join(dir, 'slice'));
    await file.write({ datapath_uuid: 'dp-1', dpid: DPID, revision: { incarnation: 'x', number: 1 }, records: records(3) });
    const good = readFileSync(file.path);
    const broken = Buffer.from(good);
    broken[good.length - 4]! ^= 1;
    for (const bytes of [broken, good.subarray(0, 100), Buffer.from('hotori-slice/99 x\n'), Buffer.alloc(0)]) {
      writeFileSync(file.path, bytes);
      expect(keeperOn(file).restored([])).toBeUndefined();
    }
    expect(warnings).toHaveLength(4);
    await file.write({ datapath_uuid: 'dp-1', dpid: '0x1', revision: { incarnation: 'x', number: 1 }, records: [] });
    expect(keeperOn(file).restored([])).toBeUndefined();
  });
});
