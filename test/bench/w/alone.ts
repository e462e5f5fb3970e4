/**
 * One side at a time.
 *
 * Promises: what was started is stopped and gone before it resolves, whatever happened.
 */
import { Lab } from '../../lab/lab.js';
import type { Side } from './side.js';

export async function alone<T>(start: (lab: Lab) => Promise<Side>, work: (side: Side) => Promise<T>): Promise<T> {
  const lab = await Lab.create();
  try {
    const side = await start(lab);
    try {
      return await work(side);
    } finally {
      await side.stop();
    }
  } finally {
    await lab.destroy();
  }
}
