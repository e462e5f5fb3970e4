import fc from 'fast-check';
import { RedisError } from '../../../controller/redis/errors.js';
import { parseRedisUrl, redactRedisUrl } from '../../../controller/redis/url.js';

const PLAIN = { mode: 'standalone', tls: false, credentials: undefined, database: 0, master: undefined, sentinelCredentials: undefined };

describe('a Redis URL', () => {
  it.each([
    ['redis://h', { ...PLAIN, addresses: [{ host: 'h', port: 6379 }] }],
    ['rediss://[::1]:7000/3', { ...PLAIN, tls: true, addresses: [{ host: '::1', port: 7000 }], database: 3 }],
    ['redis://:p%40ss@h:1', { ...PLAIN, addresses: [{ host: 'h', port: 1 }], credentials: { user: undefined, password: 'p@ss' } }],
    ['redis://u:p@h', { ...PLAIN, addresses: [{ host: 'h', port: 6379 }], credentials: { user: 'u', password: 'p' } }],
    [
      'redis+sentinel://u:p@a,b:2/m/1?sentinel_user=s&sentinel_password=q%20',
      {
        ...PLAIN,
        mode: 'sentinel',
        addresses: [
          { host: 'a', port: 26379 },
          { host: 'b', port: 2 },
        ],
        master: 'm',
        database: 1,
        credentials: { user: 'u', password: 'p' },
        sentinelCredentials: { user: 's', password: 'q ' },
      },
    ],
    [
      'rediss+cluster://a,10.0.0.1:7001',
      {
        ...PLAIN,
        mode: 'cluster',
        tls: true,
        addresses: [
          { host: 'a', port: 6379 },
          { host: '10.0.0.1', port: 7001 },
        ],
      },
    ],
  ])('says what %s says', (text, expected) => {
    expect(parseRedisUrl(text)).toEqual(expected);
  });

  it.each([
    ['localhost:6379', 'must be redis://'],
    ['http://h', 'must be redis://'],
    ['redis+sentinal://h/m', 'must be redis://'],
    ['redis://', 'must be redis://'],
    ['redis://h:0', 'has no host and port'],
    ['redis://h:70000', 'has no host and port'],
    ['redis://a,b', 'names several servers'],
    ['redis://h/x', 'must end in / and the number'],
    ['redis://h/1/2', 'must end in / and the number'],
    ['redis://secret@h', 'has a user without a password'],
    ['redis://:%zz@h', 'has % that'],
    ['redis+sentinel://h', 'must end in / and the name'],
    ['redis+cluster://h/1', 'must end after the hosts'],
    ['redis://h?db=1', 'has no parameter "db"'],
  ])('is refused when it is %s', (text, message) => {
    expect(() => parseRedisUrl(text)).toThrow(
      expect.objectContaining({ code: 'misconfigured', message: expect.stringContaining(message) }),
    );
  });

  it('is refused in the same way whatever it is', () => {
    fc.assert(
      fc.property(fc.string(), (tail) => {
        try {
          parseRedisUrl(`redis+sentinel://${tail}`);
        } catch (error) {
          expect(error).toBeInstanceOf(RedisError);
        }
      }),
    );
  });

  it('is shown without its secrets, well formed or not', () => {
    expect(
      [
        'redis://u:p@h',
        'redis://:p@h',
        'redis+sentinel://h/m?sentinel_password=q&sentinel_user=s',
        'redis://u:p@h,:x',
        'redis://u:p/@w@h',
        'redis://p@h',
        'redis://h',
      ].map(redactRedisUrl),
    ).toEqual([
      'redis://u:***@h',
      'redis://:***@h',
      'redis+sentinel://h/m?sentinel_password=***&sentinel_user=s',
      'redis://u:***@h,:x',
      'redis://u:***@h',
      'redis://***@h',
      'redis://h',
    ]);
  });
});
