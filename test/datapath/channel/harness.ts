/**
 * A channel and the fake switch at its other end.
 *
 * Promises: `closeAll` leaves no socket, timer or file behind.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectChannel } from '../../../datapath/channel/connect.js';
import type { OpenFlowChannel } from '../../../datapath/channel/openflow-channel.js';
import type { ChannelLimits, ChannelOptions } from '../../../datapath/channel/options.js';
import type { Flow } from '../../../flows/openflow/flow.js';
import { FakeSwitch } from '../../fakes/fake-switch.js';
import type { FakeSwitchOptions } from '../../fakes/fake-switch.js';

/** Timers short enough for tests, long enough for a busy machine. */
export const TEST_LIMITS: Partial<ChannelLimits> = { handshakeTimeout: 1_000, requestTimeout: 2_000, multipartTimeout: 500 };

export class Bench {
  readonly #closing: (() => Promise<unknown>)[] = [];

  async directory(): Promise<string> {
    const directory = await mkdtemp(path.join(tmpdir(), 'hotori-channel-'));
    this.#closing.push(() => rm(directory, { recursive: true, force: true }));
    return directory;
  }

  onClose(close: () => Promise<unknown>): void {
    this.#closing.push(close);
  }

  /** A fake switch with a `.mgmt` socket. */
  async fakeSwitch(options: FakeSwitchOptions = {}): Promise<{ fake: FakeSwitch; socketPath: string }> {
    const socketPath = path.join(await this.directory(), 'br0.mgmt');
    const fake = new FakeSwitch(options);
    await fake.listen({ path: socketPath });
    this.#closing.push(() => fake.close());
    return { fake, socketPath };
  }

  /** A channel to a fake switch of its own. */
  async connected(
    options: FakeSwitchOptions = {},
    channelOptions: ChannelOptions = {},
  ): Promise<{ fake: FakeSwitch; channel: OpenFlowChannel }> {
    const { fake, socketPath } = await this.fakeSwitch(options);
    return { fake, channel: await this.connect(socketPath, channelOptions) };
  }

  async connect(socketPath: string, options: ChannelOptions = {}): Promise<OpenFlowChannel> {
    const channel = await connectChannel(`unix:${socketPath}`, { ...options, limits: { ...TEST_LIMITS, ...options.limits } });
    this.#closing.push(() => {
      channel.close();
      return channel.closed;
    });
    return channel;
  }

  async closeAll(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
  }
}

export function aFlow(n: number, overrides: Partial<Flow> = {}): Flow {
  return {
    table: 0,
    priority: 100,
    match: [
      { field: 'eth_type', value: 0x0800 },
      { field: 'ip_dst', value: 0x0a000000 + n },
    ],
    instructions: [{ kind: 'apply_actions', actions: [{ kind: 'output', port: 1 }] }],
    cookie: BigInt(n),
    ...overrides,
  };
}

/** Resolves when `condition` holds; rejects after two seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 2_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** What a promise rejects with; throws when it does not. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('was expected to reject');
}
