import { startTraceWorld, type TraceWorld } from '../../controller/trace/trace-world.js';
import { reachAnswerSchema } from '../../../flows/trace/reach/answer.js';
import { problem, startApi, type Api } from '../support.js';

const PATH = '/api/1.0/reachability';
let asked: TraceWorld;
let api: Api;
beforeAll(async () => {
  asked = await startTraceWorld();
  ({ api } = await startApi({ controller: asked.world.vnmgr }));
  asked.one.confirm();
  asked.two.confirm();
});
afterAll(() => asked.world.vnmgr.close());

const web = {
  sources: [{ network_uuid: 'nw-a' }],
  destinations: [{ security_group_uuid: 'sg-web' }],
  services: [{ protocol: 'tcp', port: 22 }],
};

describe('POST /reachability', () => {
  it('answers what its schema says', async () => {
    const { status, body } = await api.post(PATH).send(web);
    const answer = reachAnswerSchema.parse(body);
    expect([status, answer, answer.cells.map(({ verdict }) => verdict)]).toEqual([200, body, ['delivered', 'dropped']]);
  });

  it.each<[string, object, { status: number; type: string; errors: string[] }]>([
    [
      'services that no packet can be',
      { ...web, services: [{ protocol: 'tcp' }, { protocol: 'icmp', port: 5 }, { protocol: 'udp', port: 53, icmp_type: 8 }] },
      {
        status: 400,
        type: 'invalid_argument',
        errors: [
          '/services/0/port is missing: tcp goes to a port',
          '/services/1/port icmp has no ports; only tcp, udp and sctp do',
          '/services/2/icmp_type udp has none; only icmp and icmpv6 do',
        ],
      },
    ],
    [
      'a group that is not there',
      { ...web, destinations: [{ security_group_uuid: 'sg-none' }] },
      { status: 422, type: 'invalid_reference', errors: ['/destinations/0 there is no security group sg-none'] },
    ],
    ['no sources', { ...web, sources: [] }, { status: 400, type: 'invalid_argument', errors: ['/sources must have at least 1 items'] }],
    [
      'what is no end',
      { ...web, sources: ['nw-a'] },
      { status: 400, type: 'invalid_argument', errors: ['/sources/0 must be an interface if-…, {network_uuid} or {security_group_uuid}'] },
    ],
    [
      'what is no parameter',
      { ...web, colour: 'red' },
      { status: 400, type: 'invalid_argument', errors: ['/colour a question about reachability has no such parameter'] },
    ],
  ])('refuses %s', async (_what, body, expected) => {
    const { status, type, errors } = problem(await api.post(PATH).send(body));
    expect({ status, type, errors }).toEqual(expected);
  });
});
