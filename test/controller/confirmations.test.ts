import { create, refused, vif, World, type Vna } from './world.js';

const never = new AbortController().signal;
let world: World;
let a: Vna;
let b: Vna;

/** Two datapaths with a VM each in networks of their own. */
beforeEach(async () => {
  world = await World.start();
  await world.vnmgr.execute(
    ['a', 'b'].flatMap((name, n) => [
      create('network', { uuid: `nw-${name}`, ipv4_network: `10.0.${n}.0` }),
      create('interface', { uuid: `if-${name}`, mode: 'vif', network_uuid: `nw-${name}`, ipv4_address: `10.0.${n}.10` }),
    ]),
  );
  a = await world.attach('a', [vif('tap1', 'if-a')]);
  b = await world.attach('b', [vif('tap1', 'if-b')]);
});

const wait = (revision: number, timeoutMs = 1000, signal = never) => world.vnmgr.waitInstalled(revision, timeoutMs, signal);
async function rename(network: string): Promise<number> {
  await world.update('network', network, { display_name: `renamed at ${world.vnmgr.revision().number}` });
  return world.vnmgr.revision().number;
}

describe('waiting until a revision is installed', () => {
  it('ends at once when it concerns nobody', async () => {
    await world.create('network', { uuid: 'nw-lonely', ipv4_network: '10.9.0.0' });
    expect(await wait(world.vnmgr.revision().number)).toEqual({ installed: true, datapaths: [] });
  });

  it('ends when everyone concerned has confirmed it, and nobody else', async () => {
    const revision = await rename('nw-a');
    let done = false;
    const waiting = wait(revision).then((result) => ((done = true), result));
    a.confirm(null, a.lastSeq - 1);
    b.confirm();
    await Promise.resolve();
    expect(done).toBe(false);
    a.confirm();
    expect(await waiting).toEqual({ installed: true, datapaths: ['dp-a'] });
    expect(await wait(revision)).toEqual({ installed: true, datapaths: ['dp-a'] });
  });

  it('counts what confirms a later one', async () => {
    const first = await rename('nw-a');
    await rename('nw-a');
    a.confirm();
    expect(await wait(first)).toEqual({ installed: true, datapaths: ['dp-a'] });
  });

  it('names the laggards in the end, the disconnected among them', async () => {
    a.stop.abort();
    const revision = await rename('nw-a');
    const error = await wait(revision, 10).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'wait_timeout', details: { datapaths: ['dp-a'], revision } });
    const again = await world.attach('a', [vif('tap1', 'if-a')]);
    again.confirm();
    expect(await wait(revision)).toEqual({ installed: true, datapaths: ['dp-a'] });
  });

  it('ends with the error that keeps a switch from it, whether it is known before or comes later', async () => {
    const revision = await rename('nw-a');
    const waiting = refused(wait(revision));
    a.confirm({ seq: a.lastSeq, message: 'OFPFMFC_TABLE_FULL', uuids: ['if-a'] }, a.lastSeq - 1);
    for (const outcome of [await waiting, await refused(wait(revision))]) expect(outcome.code).toBe('datapath_error');
    expect((await world.vnmgr.status()).datapaths[0]).toMatchObject({ uuid: 'dp-a', last_error: 'OFPFMFC_TABLE_FULL' });
    a.confirm();
    expect(await wait(revision)).toEqual({ installed: true, datapaths: ['dp-a'] });
  });

  it('forgets a datapath that is deleted', async () => {
    const revision = await rename('nw-a');
    const waiting = wait(revision);
    await world.delete('datapath', 'dp-a');
    expect(await waiting).toEqual({ installed: true, datapaths: [] });
  });

  it('does not count a datapath that never was there', async () => {
    await world.create('datapath', { uuid: 'dp-planned', display_name: 'planned', node_id: 'planned', dpid: '0x77' });
    expect(await wait(world.vnmgr.revision().number)).toEqual({ installed: true, datapaths: [] });
  });

  it('takes for a revision from before the start that every datapath has confirmed its slice since', async () => {
    const revision = await rename('nw-a');
    world = await world.restart();
    expect((await refused(wait(revision, 10))).code).toBe('wait_timeout');
    for (const node of ['a', 'b']) (await world.attach(node)).confirm();
    expect(await wait(revision)).toEqual({ installed: true, datapaths: ['dp-a', 'dp-b'] });
  });

  it('counts datapaths whose vna has not come back since the start', async () => {
    world = await world.restart();
    const revision = await rename('nw-a');
    const error = await wait(revision, 10).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'wait_timeout', details: { datapaths: ['dp-a'], revision } });
    (await world.attach('a', [vif('tap1', 'if-a')])).confirm();
    expect(await wait(revision)).toEqual({ installed: true, datapaths: ['dp-a'] });
  });

  it('ends with its signal, and refuses the future', async () => {
    const revision = await rename('nw-a');
    const stop = new AbortController();
    const waiting = wait(revision, 1000, stop.signal);
    stop.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    expect((await refused(wait(revision + 1))).code).toBe('invalid_argument');
  });
});

describe('status', () => {
  it('says per datapath what is wanted and what is there', async () => {
    a.confirm();
    const confirmed = world.vnmgr.revision().number;
    await rename('nw-a');
    await rename('nw-a');
    b.stop.abort();
    const { version, revision, datapaths } = await world.vnmgr.status();
    expect([version, revision, datapaths]).toMatchObject([
      'test',
      { number: confirmed + 2 },
      [
        { uuid: 'dp-a', connected: true, desired_revision: confirmed + 2, applied_revision: confirmed, last_error: null },
        { uuid: 'dp-b', connected: false, applied_revision: null, flow_count: 0 },
      ],
    ]);
    a.confirm();
    expect((await world.vnmgr.status()).datapaths[0]).toMatchObject({ applied_revision: confirmed + 2, flow_count: a.slice.size });
  });
});
