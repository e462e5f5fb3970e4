import type { Binding } from '../../../flows/model/binding.js';
import type { SliceDelta, SliceSnapshot } from '../../../controller/messages/slice.js';
import { SliceIntake } from '../../../datapath/agent/slice-intake.js';

const binding = (name: string, port = 'tap0'): Binding => ({
  kind: 'binding',
  uuid: `bind-if-${name}`,
  interface_uuid: `if-${name}`,
  datapath_uuid: 'dp-1',
  port_name: port,
});
const common = (seq: number) => ({ schema_version: 1, datapath_uuid: 'dp-1', seq, revision: { incarnation: 'i', number: 100 + seq } });
const snapshot = (seq: number, ...entities: Binding[]): SliceSnapshot => ({ kind: 'snapshot', ...common(seq), entities });
const delta = (seq: number, puts: Binding[], deletes: string[] = []): SliceDelta => ({ kind: 'delta', ...common(seq), puts, deletes });

describe('the intake of slice messages', () => {
  it('takes nothing before the first snapshot', () => {
    const intake = new SliceIntake();
    expect([intake.accept(delta(1, [binding('a')])), intake.take()]).toEqual(['waiting', undefined]);
  });

  it('merges a snapshot and the deltas behind it into one complete change', () => {
    const intake = new SliceIntake();
    intake.accept(snapshot(5, binding('a'), binding('b')));
    intake.accept(delta(6, [binding('c'), binding('a', 'tap9')], ['bind-if-b']));
    expect(intake.take()).toEqual({
      isComplete: true,
      puts: [binding('a', 'tap9'), binding('c')],
      deletes: ['bind-if-b'],
      firstSeq: 5,
      seq: 6,
      revision: { incarnation: 'i', number: 106 },
      datapath_uuid: 'dp-1',
    });
  });

  it('merges deltas, the later word on a record standing', () => {
    const intake = new SliceIntake();
    intake.accept(snapshot(1));
    intake.take();
    intake.accept(delta(2, [binding('a')], ['bind-if-b']));
    intake.accept(delta(3, [binding('b')], ['bind-if-a']));
    expect(intake.take()).toMatchObject({ isComplete: false, puts: [binding('b')], deletes: ['bind-if-a'], firstSeq: 2, seq: 3 });
  });

  it('drops what waits and asks for a snapshot when a message is missing', () => {
    const intake = new SliceIntake();
    intake.accept(snapshot(1, binding('a')));
    expect([intake.accept(delta(3, [])), intake.take(), intake.accept(delta(4, [])), intake.accept(snapshot(5))]).toEqual([
      'gap',
      undefined,
      'waiting',
      'accepted',
    ]);
  });

  it('refuses another schema version and keeps what it has', () => {
    const intake = new SliceIntake();
    intake.accept(snapshot(1));
    expect([intake.accept({ ...delta(2, []), schema_version: 2 }), intake.take()?.seq]).toEqual(['unsupported', 1]);
  });
});
