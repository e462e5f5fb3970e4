import { jest } from '@jest/globals';
import type { Applied } from '../../../controller/applied/board.js';
import { BusAppliedBoard } from '../../../controller/applied/bus-board.js';
import { MemoryBroker } from '../../../controller/bus/memory-bus.js';

const row = (served_by: string, revision: number): Applied => ({
  datapath_uuid: 'dp-a',
  served_by,
  attached_at: 1,
  incarnation: 'i',
  revision,
  attached: true,
  connected: true,
  flow_count: 0,
  flow_mods: 0,
  drift_repairs: 0,
  error: null,
});

/** Everything that does not wait for a time to pass. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
}

let broker: MemoryBroker;
let boards: Map<string, BusAppliedBoard>;
beforeEach(() => {
  // No time passes unless a test says so.
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'performance'] });
  broker = new MemoryBroker();
  boards = new Map(['v1', 'v2'].map((name) => [name, new BusAppliedBoard(broker.join(name))]));
});
afterEach(async () => {
  for (const board of boards.values()) await board.close();
  jest.useRealTimers();
});

describe('the board of several vnmgr', () => {
  it('shows a row to the others at once, also when it is published again before it is written', async () => {
    const [v1, v2] = [boards.get('v1')!, boards.get('v2')!];
    await settle();
    v1.publish(row('v1', 1));
    v1.publish(row('v1', 2));
    await settle();
    expect(v2.get('dp-a')).toEqual(row('v1', 2));
  });

  it('writes again what the bus did not take', async () => {
    const [v1, v2] = [boards.get('v1')!, boards.get('v2')!];
    await settle();
    broker.cut('v1');
    v1.publish(row('v1', 1));
    await settle();
    broker.restore('v1');
    await settle();
    expect(v2.get('dp-a')).toBeUndefined();
    jest.advanceTimersByTime(1_000);
    await settle();
    expect(v2.get('dp-a')).toEqual(row('v1', 1));
  });
});
