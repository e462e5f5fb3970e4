import { setImmediate } from 'node:timers/promises';
import type { WatchEvent } from '../../controller/contract.js';
import { World } from './world.js';

let world: World;
let seen: WatchEvent[];
let stop: AbortController;
beforeEach(async () => {
  world = await World.start({ logRevisions: 5 });
  seen = [];
  stop = new AbortController();
});

const watch = (from: number) => world.vnmgr.watch(from, (event) => seen.push(event), stop.signal);
const rename = (display_name: string) => world.update('segment', 'seg-1', { display_name });
const numbers = () => seen.map(({ revision }) => revision.number);

describe('watching', () => {
  it('shows every commit after a revision once and in order, past and to come, until it stops', async () => {
    await world.create('segment', { uuid: 'seg-1', mode: 'virtual' });
    await rename('a');
    watch(1);
    await rename('b');
    await world.delete('segment', 'seg-1');
    stop.abort();
    await world.create('segment', { uuid: 'seg-2', mode: 'virtual' });
    expect(seen).toMatchObject([
      { revision: { number: 2 }, changes: [{ op: 'put', kind: 'segment', uuid: 'seg-1', value: { uuid: 'seg-1', display_name: 'a' } }] },
      { revision: { number: 3 }, changes: [{ op: 'put', value: { display_name: 'b' } }] },
      { revision: { number: 4 }, changes: [{ op: 'delete', kind: 'segment', uuid: 'seg-1' }] },
    ]);
  });

  it('shows what users know: no policy classes, no keys, leases with their interface', async () => {
    watch(0);
    await world.create('network', { uuid: 'nw-1', ipv4_network: '10.0.0.0' });
    await world.create('security_group', { uuid: 'sg-1' });
    await world.create('interface', {
      uuid: 'if-1',
      mode: 'vif',
      network_uuid: 'nw-1',
      ipv4_address: '10.0.0.5',
      security_group_uuids: ['sg-1'],
    });
    const [iface, ...rest] = seen[2]!.changes;
    expect(iface).toMatchObject({ kind: 'interface', value: { ipv4_address: '10.0.0.5' } });
    expect(rest.map(({ kind }) => kind).sort()).toEqual(['ip_lease', 'mac_lease']);
    expect(JSON.stringify(seen)).not.toMatch(/_key|pc-1/);
  });

  it('goes back to before a restart', async () => {
    await world.create('segment', { uuid: 'seg-1', mode: 'virtual' });
    await rename('a');
    world = await world.restart();
    watch(0);
    await rename('b');
    await setImmediate();
    expect(numbers()).toEqual([1, 2, 3]);
  });

  it('is refused from where changes are gone, and from the future', async () => {
    await world.create('segment', { uuid: 'seg-1', mode: 'virtual' });
    for (let n = 2; n <= 7; n++) await rename(String(n));
    expect(() => watch(1)).toThrow(expect.objectContaining({ code: 'compacted' }) as Error);
    expect(() => watch(8)).toThrow(expect.objectContaining({ code: 'compacted' }) as Error);
    watch(2);
    await setImmediate();
    expect(numbers()).toEqual([3, 4, 5, 6, 7]);
  });
});
