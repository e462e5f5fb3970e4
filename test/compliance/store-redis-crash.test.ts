import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../lab/eventually.js';
import { withRedis } from './redis-world.js';
import { Follower, Writer } from './store-users.js';
import { change, segment } from './store-values.js';

const KILLS = 50;

it(`Redis store survives kill -9 of Redis at ${KILLS} moments during writes: nothing acknowledged is lost, nothing refused is there, nothing is half-written`, async () => {
  await withRedis(async (server, open) => {
    const [first, second, third] = [await open(), await open(), await open()];
    const { revision } = await first.load();
    await first.commit([change(1, [segment('seg-a', 'start')])], revision);
    const writers = [new Writer(first, 'a'), new Writer(second, 'b')];
    const acknowledged = () => writers.reduce((sum, writer) => sum + writer.acknowledged.length, 0);
    const followers = [new Follower(second), new Follower(third)];
    const working = [...writers, ...followers].map((one) => one.run());
    for (let kill = 0; kill < KILLS; kill++) {
      const before = acknowledged();
      await eventually('something to be committed', () => acknowledged() > before, { everyMs: 1 });
      await sleep(Math.random() * 30);
      await server.kill9();
      await server.run();
    }
    for (const writer of writers) writer.stop();
    await Promise.all(working.slice(0, writers.length));

    const end = await third.load();
    const history = await third.changesSince({ ...end.revision, number: 0 });
    for (const follower of followers) await follower.reach(end);
    await Promise.all(working);
    for (const writer of writers) writer.expectTruth(history);
    expect(history.map((one) => one.revision)).toEqual(Array.from({ length: end.revision.number }, (_, i) => i + 1));
  });
}, 120_000);
