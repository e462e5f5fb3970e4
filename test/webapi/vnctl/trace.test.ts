import { traceBench } from './run.js';

const parts = traceBench();

describe('vnctl trace', () => {
  it('reads like a traceroute with a reason on every line', async () => {
    const { number } = parts.asked.world.vnmgr.revision();
    expect(await parts.bench.ok('trace if-a1 if-c1 --tcp 22')).toBe(
      `trace to if-c1 (10.3.0.11) from if-a1 (10.1.0.11): tcp 10.1.0.11:40000 → 10.3.0.11:22, ttl 64, 60 bytes, revision ${number}
 1  rl-ab  10.1.0.1   route 10.3.0.0/24, ttl 64 → 63
 2  rl-bc  10.2.0.2   route 10.3.0.0/24, ttl 63 → 62
 3  if-c1  10.3.0.11  DELIVERED: delivered to if-c1 on dp-two
    tunnel from dp-one to dp-two: geneve 192.0.2.1 → 192.0.2.2, vni 3, mtu 1442
    traceroute shows 10.1.0.1, 10.2.0.2, 10.3.0.11
    return path: delivered, delivered to if-a1 on dp-one, by rl-bc, rl-ab
    depends on: the sender's router is 10.1.0.1, as DHCP and router advertisements tell it
`,
    );
  });

  it('names the rule that is nearest when no rule admits, and ends with 4', async () => {
    const { code, out, err } = await parts.bench.run('trace if-a1 if-b2 --tcp 8101');
    expect([code, err]).toEqual([4, '']);
    expect(out.split('\n').slice(2, 4)).toEqual([
      ' 2  if-b2  10.2.0.12  DROPPED: no ingress rule of if-b2 (sg-web) admits tcp 10.1.0.11:40000 → 10.2.0.12:8101 [dp-two IN_DENY]',
      '    nearest: sgr-high of sg-web (allow ingress tcp 8000-8100 from anywhere); its ports are 8000-8100, not 8101',
    ]);
  });

  it('ends with the router where the TTL runs out', async () => {
    const { code, out } = await parts.bench.run('trace if-a1 if-c1 --ttl 2');
    expect([code, out.split('\n')[2]]).toEqual([
      4,
      ' 2  rl-bc  10.2.0.2  REJECTED: the TTL of the packet from 10.1.0.11 runs out at rl-bc; the sender is told: time exceeded [dp-one HOPS]',
    ]);
  });

  it('shows devices, flows or everything as asked', async () => {
    const logical = await parts.bench.ok('trace if-a1 if-b2 --tcp 22 --format logical');
    const flows = await parts.bench.ok('trace if-a1 if-b2 --tcp 22 --format flows');
    const json = await parts.bench.ok('trace if-a1 if-b2 --tcp 22 --format json');
    expect(logical).toContain('  let in, or not, by: sg-web, sgr-ssh (security group rule)\n');
    expect(logical).not.toContain('pipeline');
    expect(flows).toMatch(/ {2}84\(IN_POLICY\) priority 31001, cookie 0x4\w+ {2}# security group rule sg-web sgr-ssh\n/);
    expect(flows).toContain('after conntrack (new,trk)');
    expect((JSON.parse(json) as { verdict: string }).verdict).toBe('delivered');
  });

  it('tries a batch from a file', async () => {
    parts.bench.files['open.yaml'] = 'operations: [{method: PUT, path: /interfaces/if-b2, body: {security_group_uuids: []}}]';
    expect(await parts.bench.ok('trace if-a1 if-b2 --tcp 8101 --with open.yaml')).toMatch(/with changes that are not committed\n/);
  });

  it.each([
    ['interfaces modify if-b2 --display_name other', /~ interface if-b2: display_name\n$/],
    ['interfaces del if-b3', /- interface if-b3\n/],
    ['security_groups add --uuid sg-new', /\+ security_group sg-new\n$/],
  ])('and %s --dry-run show what would be, and do nothing', async (line, plan) => {
    const { number } = parts.asked.world.vnmgr.revision();
    const shown = await parts.bench.ok(`--dry-run ${line}`);
    expect([shown.split('\n')[0], parts.asked.world.vnmgr.revision().number]).toEqual([
      `plan on revision ${number}; nothing was changed`,
      number,
    ]);
    expect(shown).toMatch(plan);
  });

  it('and a --dry-run says who would reach whom, and who no longer', async () => {
    const shown = await parts.bench.ok('--dry-run interfaces modify if-b1 --security_group_uuids sg-web');
    const [summary, ...lines] = shown.slice(shown.indexOf('reachability')).trimEnd().split('\n');
    const about = (end: string) => lines.filter((line) => line.includes(end));
    expect([summary, ...about('if-b1 →'), ...about('if-a2 →'), ...about('if-a1 → if-b1: tcp 23')]).toEqual([
      'reachability: 1 pair would have more open; 4 pairs would have more closed',
      '  + if-b1 → if-b2: udp 53  # by sgr-peers',
      '  - if-a2 → if-b1: tcp 80, tcp 443  # no ingress rule of if-b1 (sg-web) admits tcp 10.1.0.12:40000 → 10.2.0.11:80',
      '  - if-a1 → if-b1: tcp 23  # rule sgr-never of sg-web says so: drop ingress tcp 23 from anywhere',
    ]);
  });

  it.each([
    ['trace if-a1', 64, /missing required argument/],
    ['trace if-a1 if-b2 --tcp 22 --udp 53', 64, /--tcp and --udp cannot be both/],
    ['trace if-a1 if-b2 --tcp ssh', 64, /--tcp: must be a number, not ssh/],
    ['trace if-a1 if-nobody', 1, /destination: there is no interface if-nobody/],
    ['trace --live if-a1 --tcp 22 --ttl 3', 64, /--ttl: real packets are as they are; it does not go with --live/],
    ['trace --live if-a1 if-b2 --tcp 22', 64, /--live: packets go where they go; name a destination with --to, not if-b2/],
    ['trace if-a1 if-b2 --tcp 22 --count 3', 64, /--count: goes with --live only/],
    ['trace --live if-a1 --tcp 22 --count many', 64, /--count: must be a number, not many/],
    ['trace --live if-a1', 1, /live.filter: matches every packet; name a protocol, an address or a port/],
    ['trace --live if-nobody --tcp 22', 1, /live.interface: there is no interface if-nobody/],
    ['trace --live if-a1 --tcp 22 --timeout 61', 1, /live.timeout: must be at most 60/],
    ['trace --live if-a1 --tcp 22', 1, /the vna of dp-one is not attached/],
    ['trace if-a1 if-b2 --revision 999999', 1, /revision 999999 does not exist yet/],
  ])('refuses %s', async (line, code, complaint) => {
    const ran = await parts.bench.run(line);
    expect([ran.code, ran.out]).toEqual([code, '']);
    expect(ran.err).toMatch(complaint);
  });
});
