import fc from 'fast-check';
import { startTraceWorld, type TraceWorld } from '../../controller/trace/trace-world.js';
import { traceAnswerSchema } from '../../../flows/trace/explain/answer.js';
import { problem, startApi, type Api } from '../support.js';

const PATH = '/api/1.0/traces';
let asked: TraceWorld;
let api: Api;
beforeAll(async () => {
  asked = await startTraceWorld();
  await asked.world.create('interface', { uuid: 'if-four', mode: 'vif', network_uuid: 'nw-a', ipv4_address: '10.1.0.44' });
  ({ api } = await startApi({ controller: asked.world.vnmgr }));
  asked.one.confirm();
  asked.two.confirm();
});
afterAll(() => asked.world.vnmgr.close());

const ssh = { source: 'if-a1', destination: 'if-b2', protocol: 'tcp', destination_port: 22 };

describe('POST /traces', () => {
  it('answers what its schema says', async () => {
    const { status, body } = await api.post(PATH).send(ssh);
    expect([status, (body as { verdict: string }).verdict]).toEqual([200, 'delivered']);
    expect(traceAnswerSchema.parse(body)).toEqual(body);
  });

  it('takes a batch to try, and commits nothing of it', async () => {
    const { number } = asked.world.vnmgr.revision();
    const batch = { operations: [{ method: 'PUT', path: '/interfaces/if-b2', body: { security_group_uuids: [] } }] };
    const { body } = await api.post(PATH).send({ ...ssh, destination_port: 443, with: batch });
    expect([(body as { verdict: string }).verdict, asked.world.vnmgr.revision().number]).toEqual(['delivered', number]);
  });

  it.each<[string, object, { status: number; type: string; errors: string[] }]>([
    [
      'ports without a protocol that has them',
      { ...ssh, protocol: 'icmp', source_port: 5 },
      {
        status: 400,
        type: 'invalid_argument',
        errors: [
          '/source_port icmp has no ports; only tcp, udp and sctp do',
          '/destination_port icmp has no ports; only tcp, udp and sctp do',
        ],
      },
    ],
    [
      'a protocol without its port',
      { source: 'if-a1', destination: 'if-b2', protocol: 'udp', icmp_type: 3 },
      {
        status: 400,
        type: 'invalid_argument',
        errors: ['/destination_port is missing: udp goes to a port', '/icmp_type udp has none; only icmp and icmpv6 do'],
      },
    ],
    [
      'an interface that is not there',
      { ...ssh, source: 'if-nobody' },
      { status: 422, type: 'invalid_reference', errors: ['/source there is no interface if-nobody'] },
    ],
    [
      'an IPv6 address and an IPv4 source',
      { ...ssh, source: 'if-four', destination: 'fd00:2::12' },
      { status: 400, type: 'invalid_argument', errors: ['/destination is IPv6, and if-four has no such address'] },
    ],
    ['a revision that is not there yet', { ...ssh, revision: 1_000_000 }, { status: 400, type: 'invalid_argument', errors: [] }],
    ['a revision of another store', { ...ssh, revision: 'gone:1' }, { status: 410, type: 'compacted', errors: [] }],
    [
      'a batch that does not parse',
      { ...ssh, with: { operations: [{ method: 'PUT', path: '/interfaces/if-b2', body: { security_group_uuids: 7 } }] } },
      { status: 400, type: 'invalid_argument', errors: ['/with/operations/0/body/security_group_uuids must be a list'] },
    ],
    [
      'a batch that would be refused',
      { ...ssh, with: { operations: [{ method: 'DELETE', path: '/security_groups/sg-web' }] } },
      { status: 409, type: 'still_referenced', errors: ['/with/operations/0 still referred to by if-b2'] },
    ],
    [
      'what is no parameter',
      { ...ssh, colour: 'red' },
      { status: 400, type: 'invalid_argument', errors: ['/colour a trace has no such parameter'] },
    ],
  ])('refuses %s, and changes nothing', async (_what, body, expected) => {
    const { number } = asked.world.vnmgr.revision();
    const { status, type, errors } = problem(await api.post(PATH).send(body));
    expect([{ status, type, errors }, asked.world.vnmgr.revision().number]).toEqual([expected, number]);
  });
});

describe('POST /traces with live', () => {
  const live = { interface: 'if-a1', filter: { protocol: 'tcp', destination_port: 22 } };

  it.each<[string, object, { status: number; type: string; errors: string[] }]>([
    ['nothing to follow', { live: null }, { status: 400, type: 'invalid_argument', errors: ['/live must be an object'] }],
    [
      'a filter that matches everything',
      { live: { ...live, filter: { destination: '::/0' } } },
      { status: 400, type: 'invalid_argument', errors: ['/live/filter matches every packet; name a protocol, an address or a port'] },
    ],
    [
      'ports without a protocol that has them',
      { live: { ...live, filter: { destination_port: 22, protocol: 'icmp' } } },
      { status: 400, type: 'invalid_argument', errors: ['/live/filter/destination_port needs protocol tcp, udp or sctp'] },
    ],
    [
      'an interface that is plugged in nowhere',
      { live: { ...live, interface: 'if-b3' } },
      { status: 400, type: 'invalid_argument', errors: ['/live/interface if-b3 is plugged in nowhere: no packet comes from it'] },
    ],
    [
      'what is about packets that are made up',
      { live, source: 'if-a1', ttl: 3 },
      {
        status: 400,
        type: 'invalid_argument',
        errors: [
          '/source cannot stand beside live: a live trace follows the packets there are',
          '/ttl cannot stand beside live: a live trace follows the packets there are',
        ],
      },
    ],
    ['a hypervisor without its agent', { live }, { status: 503, type: 'unavailable', errors: [] }],
  ])('refuses %s', async (_what, body, expected) => {
    const { status, type, errors } = problem(await api.post(PATH).send(body));
    expect({ status, type, errors }).toEqual(expected);
  });

  it('refuses whatever else it may be with a reason', async () => {
    const text = fc.constantFrom('if-a1', 'tcp', '10.0.0.0/8', '::', '', '__proto__');
    const value = fc.oneof(fc.jsonValue(), text, fc.integer());
    const names = ['interface', 'filter', 'count', 'dropped_only', 'timeout', 'protocol', 'source', 'destination_port'];
    const garbage = fc.dictionary(fc.constantFrom(...names), fc.oneof(value, fc.dictionary(fc.constantFrom(...names), value)));
    await fc.assert(
      fc.asyncProperty(fc.oneof(value, garbage), async (given) => {
        const { status } = await api.post(PATH).send({ live: given });
        expect([400, 422, 503]).toContain(status);
      }),
    );
  }, 30_000);
});
