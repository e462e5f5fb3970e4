import { post, World } from './world.js';

describe('the interpreter of compiled flows', () => {
  let world: World;

  beforeAll(async () => {
    world = await World.start();
    await world.defineNetworks();
    const rules = [
      { direction: 'ingress', protocol: 'tcp', ports: ['22', '80-90'], remote: { any: true } },
      { direction: 'ingress', protocol: 'icmp', remote: { cidr: '10.2.0.0/16' } },
      { direction: 'ingress', protocol: 'udp', remote: { security_group_uuid: 'sg-b' } },
    ];
    const strict = [{ direction: 'egress', protocol: 'tcp', remote: { security_group_uuid: 'sg-a' } }];
    await world.hotori.post('/batch', {
      operations: [
        post('security_groups', { uuid: 'sg-a', rules }),
        post('security_groups', { uuid: 'sg-b', rules: [...rules, ...strict] }),
      ],
    });
    await world.addVms(
      { name: 'a1', network: 'a', host: 11, groups: ['sg-a'] },
      { name: 'a2', network: 'a', host: 12 },
      { name: 'b1', network: 'b', host: 11, groups: ['sg-a', 'sg-b'] },
      { name: 'b2', network: 'b', host: 12, groups: ['sg-b'] },
    );
  }, 60_000);
  afterAll(() => world.destroy(), 60_000);

  it("agrees with the switch's own trace on 1,000 random packets", async () => {
    const comparison = await world.compareSampled(1000, 20_261_121);
    console.log(`${comparison.packets} packets, ${comparison.flows_hit} flows hit, ${JSON.stringify(comparison.verdicts)}`);
    expect(comparison.differences).toEqual([]);
    // Most of what the world does must have been tried, or the agreement says little.
    expect(
      Math.min(comparison.verdicts['delivered'] ?? 0, comparison.verdicts['answered'] ?? 0, comparison.verdicts['dropped'] ?? 0),
    ).toBeGreaterThan(20);
    expect(comparison.flows_hit).toBeGreaterThan(100);
  }, 60_000);
});
