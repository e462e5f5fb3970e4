import { parseCreate, parseUpdate, pointer, type Parsed } from '../../../flows/model/parse-input.js';

const reasons = (parsed: Parsed<unknown>) =>
  parsed.ok ? [] : parsed.reasons.map(({ code, pointer: at, detail }) => `${code} ${at}: ${detail}`);

describe('parseCreate', () => {
  it('tells everything wrong, each with its place', () => {
    const params = { mode: 'vif', ipv4_address: '010.0.0.1', network_uuid: 'net-1', enable_routing: 'yes', colour: 'red', 'a/b~c': 1 };
    expect(reasons(parseCreate('interface', params))).toEqual([
      'invalid_uuid /network_uuid: must be nw- and 1 to 32 of a-z 0-9 -',
      'invalid_argument /ipv4_address: "010.0.0.1": 010 has a leading zero, which some programs read as octal',
      'invalid_argument /enable_routing: must be true or false',
      'invalid_argument /colour: interface has no such parameter',
      'invalid_argument /a~1b~0c: interface has no such parameter',
    ]);
  });

  it('names what is missing', () => {
    expect(reasons(parseCreate('route', { ipv4_network: '10.0.0.0' }))).toEqual(['missing_argument /route_link_uuid: is required']);
  });

  it('looks inside the form of a remote that was meant', () => {
    const rule = (remote: unknown) => ({ rules: [{ direction: 'ingress', protocol: 'tcp', remote }] });
    expect(reasons(parseCreate('security_group', rule({ cidr: '10.0.0.1/24' })))).toEqual([
      'invalid_argument /rules/0/remote/cidr: "10.0.0.1/24": 10.0.0.1 has host bits set; the network is 10.0.0.0/24',
    ]);
    expect(reasons(parseCreate('security_group', rule({ security_group_uuid: 'if-1' })))).toEqual([
      'invalid_uuid /rules/0/remote/security_group_uuid: must be sg- and 1 to 32 of a-z 0-9 -',
    ]);
    for (const remote of ['any', {}, { any: true, cidr: '::/0' }, null])
      expect(reasons(parseCreate('security_group', rule(remote)))).toEqual([
        'invalid_argument /rules/0/remote: must be {"any": true}, {"cidr": "…"}, {"security_group_uuid": "…"} or {"address_set_uuid": "…"}',
      ]);
  });

  it('refuses what is not an object', () => {
    for (const params of [null, [], 'x', 1]) expect(parseCreate('network', params).ok).toBe(false);
  });
});

describe('parseUpdate', () => {
  it('tells what is fixed at creation from what there never was', () => {
    expect(reasons(parseUpdate('network', { mode: 'virtual', colour: 'red' }))).toEqual([
      'invalid_argument /mode: is fixed when the network is created',
      'invalid_argument /colour: network has no such parameter',
    ]);
  });
});

it('pointer escapes as RFC 6901 says', () => {
  expect(pointer(['a/b', 0, 'm~n'])).toBe('/a~1b/0/m~0n');
});
