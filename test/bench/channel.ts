/**
 * The OpenFlow channel against real switches and many of them: see the folder channel.
 */
import { benchPacketIn } from './channel/packet-in.js';
import { benchPush } from './channel/push.js';
import type { BenchResult } from './result.js';

export async function* benchChannel(): AsyncGenerator<BenchResult> {
  yield* benchPush();
  yield* benchPacketIn();
}
