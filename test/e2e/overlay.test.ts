import { OverlayWorld } from './overlay-world.js';

/** Geneve between hv1 and hv2, VXLAN and GRE to hv3, which is reached over IPv6. */
describe('networks over three hypervisors', () => {
  let world: OverlayWorld;

  beforeAll(async () => {
    world = await OverlayWorld.start(([one, two, three]) => [
      { address: [one!.ipv4, one!.ipv6], encap: ['geneve', 'vxlan'] },
      { address: [two!.ipv4, two!.ipv6], encap: ['geneve', 'gre'] },
      { address: [three!.ipv6], encap: ['vxlan', 'gre'] },
    ]);
  }, 60_000);
  afterAll(() => world.destroy(), 60_000);

  it('each VM reaches those of its network on every hypervisor, in both families, and nobody of the other with the same addresses', async () => {
    expect(await world.whoAnswers()).toEqual(world.expectedAnswers());
  }, 60_000);
});
