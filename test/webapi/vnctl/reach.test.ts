import { traceBench } from './run.js';

const parts = traceBench();

describe('vnctl reach', () => {
  it('shows the classes, and a line for each pair of them and service', async () => {
    expect(await parts.bench.ok('reach nw-a --to if-b2 --tcp 22 443')).toBe(
      `class 0: nw-a on dp-one: from if-a1
class 1: nw-a on dp-one, sg-out: from if-a2
class 2: nw-b on dp-two, sg-web: to if-b2

0 → 2  tcp 22   1 pair  DELIVERED  by sgr-ssh
0 → 2  tcp 443  1 pair  DROPPED    no ingress rule of if-b2 (sg-web) admits tcp 10.1.0.11:40000 → 10.2.0.12:443 (nearest: sgr-ssh)
1 → 2  tcp 22   1 pair  DROPPED    no egress rule of if-a2 (sg-out) admits tcp 10.1.0.12:40000 → 10.2.0.12:22 (nearest: sgr-http)
1 → 2  tcp 443  1 pair  DROPPED    no ingress rule of if-b2 (sg-web) admits tcp 10.1.0.12:40000 → 10.2.0.12:443 (nearest: sgr-ssh)
left out: if-gwa is simulated: nothing is plugged in there that could send
`,
    );
  });

  it('asks for echo requests among the interfaces named when nothing is said', async () => {
    const { cells } = JSON.parse(await parts.bench.ok('-o json reach if-a1 if-b1')) as { cells: { verdict: string; pairs: number }[] };
    expect(cells.map(({ verdict, pairs }) => [verdict, pairs])).toEqual([
      ['delivered', 1],
      ['delivered', 1],
    ]);
  });

  it.each([
    ['reach seg-one', 'must be an interface, a network or a security group'],
    ['reach if-a1 --tcp ssh', '--tcp: must be a port, not ssh'],
  ])('refuses `%s`', async (line, says) => {
    const { code, err } = await parts.bench.run(line);
    expect([code, err.includes(says)]).toEqual([64, true]);
  });
});
