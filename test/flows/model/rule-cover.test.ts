import { ruleCovers, type RuleContent } from '../../../flows/model/rule-cover.js';

const ssh: RuleContent = {
  direction: 'ingress',
  action: 'allow',
  priority: 500,
  tier: null,
  stateful: true,
  persist_established: false,
  log: null,
  family: null,
  protocol: 'tcp',
  ports: ['22'],
  icmp_type: null,
  icmp_code: null,
  remote: { cidr: '10.1.0.0/16' },
};

describe('ruleCovers', () => {
  it.each<[string, Partial<RuleContent>]>([
    ['itself', {}],
    ['more ports', { ports: ['80', '20-30'] }],
    ['every port', { ports: [] }],
    ['touching ranges', { ports: ['1-21', '22-30'] }],
    ['any protocol', { protocol: 'any', ports: [] }],
    ['a shorter prefix', { remote: { cidr: '10.0.0.0/8' } }],
    ['any remote', { remote: { any: true } }],
  ])('is true of %s', (_, change) => expect(ruleCovers({ ...ssh, ...change }, ssh)).toBe(true));

  it.each<[string, Partial<RuleContent>]>([
    ['the other direction', { direction: 'egress' }],
    ['one family', { family: 'ipv4' }],
    ['another protocol', { protocol: 'udp' }],
    ['other ports', { ports: ['23'] }],
    ['a longer prefix', { remote: { cidr: '10.1.0.0/17' } }],
    ['another family of prefix', { remote: { cidr: '::/0' } }],
    ['a group', { remote: { security_group_uuid: 'sg-1' } }],
  ])('is false of %s', (_, change) => expect(ruleCovers({ ...ssh, ...change }, ssh)).toBe(false));

  it('knows that no port list is every port, and one ICMP type is not every type', () => {
    expect(ruleCovers(ssh, { ...ssh, ports: [] })).toBe(false);
    const ping: RuleContent = { ...ssh, protocol: 'icmp', ports: [], icmp_type: 8 };
    expect([ruleCovers(ping, { ...ping, icmp_type: null }), ruleCovers({ ...ping, icmp_type: null }, ping)]).toEqual([false, true]);
  });
});
