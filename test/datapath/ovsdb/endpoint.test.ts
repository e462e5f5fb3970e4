import { openflowTargetOf, parseEndpoint } from '../../../datapath/ovsdb/endpoint.js';

describe('parseEndpoint', () => {
  it.each([
    ['unix:/run/openvswitch/db.sock', { kind: 'unix', path: '/run/openvswitch/db.sock' }],
    ['tcp:127.0.0.1:6640', { kind: 'tcp', host: '127.0.0.1', port: 6640 }],
    ['tcp:[::1]:6640', { kind: 'tcp', host: '::1', port: 6640 }],
    ['tcp:ovs.example.net:6640', { kind: 'tcp', host: 'ovs.example.net', port: 6640 }],
  ])('%s is understood', (text, endpoint) => {
    expect(parseEndpoint(text)).toEqual(endpoint);
  });

  it.each([
    '',
    'unix:',
    'unix:a\0b',
    'tcp:1.2.3.4',
    'tcp:1.2.3.4:0',
    'tcp:1.2.3.4:65536',
    'tcp::6640',
    'tcp:::1:6640',
    'ptcp:6640',
    '/run/db.sock',
  ])('%j is refused by name', (text) => {
    expect(() => parseEndpoint(text)).toThrow(
      expect.objectContaining({ code: 'bad_endpoint', message: expect.stringContaining(JSON.stringify(text)) }),
    );
  });
});

describe('openflowTargetOf', () => {
  it('OpenFlow target lies beside the OVSDB socket and is not guessed for TCP', () => {
    expect([
      openflowTargetOf({ kind: 'unix', path: '/run/ovs/db.sock' }, 'br-int'),
      openflowTargetOf({ kind: 'tcp', host: 'h', port: 1 }, 'br-int'),
    ]).toEqual(['unix:/run/ovs/br-int.mgmt', undefined]);
  });
});
