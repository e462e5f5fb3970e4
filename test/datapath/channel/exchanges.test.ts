/** Transaction ids and what waits under them. */
import fc from 'fast-check';
import type { SwitchError } from '../../../datapath/channel/contract.js';
import { Exchanges } from '../../../datapath/channel/exchanges.js';
import type { Exchange } from '../../../datapath/channel/exchanges.js';

const MAX = 0xffff_ffff;
const TERMS = { timeout: 60_000, timeoutCode: 'request_timeout' } as const;
const ERROR: SwitchError = { xid: 0, type: 1, code: 1, name: 'OFPBRC_BAD_TYPE' };

/** Records how it ended. */
function recorder(): { exchange: Exchange; log: unknown[] } {
  const log: unknown[] = [];
  const exchange: Exchange = {
    reply: (message) => {
      log.push(message.kind);
      return true;
    },
    fail: (reason) => log.push(reason),
    refuse: (error) => log.push(error.name),
  };
  return { exchange, log };
}

describe('transaction ids', () => {
  it('start over at 1 after the largest, and skip those in use', () => {
    const exchanges = new Exchanges(MAX - 1);
    expect([exchanges.xids(), exchanges.xids(), exchanges.xids()]).toEqual([MAX - 1, MAX, 1]);
    exchanges.open(2, recorder().exchange, TERMS);
    exchanges.openScope(3, () => undefined);
    expect(exchanges.xids()).toBe(6);
    exchanges.failAll('end');
  });

  it('of a range stay together when they would cross the largest', () => {
    const exchanges = new Exchanges(MAX - 10);
    expect(exchanges.openScope(100, () => undefined).first).toBe(1);
    expect(exchanges.xids()).toBe(101);
  });

  it('are never given out twice while in use', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: MAX - 40, max: MAX }),
        fc.array(fc.oneof(fc.record({ open: fc.constant(true) }), fc.record({ scope: fc.integer({ min: 1, max: 20 }) })), {
          maxLength: 30,
        }),
        (first, steps) => {
          const exchanges = new Exchanges(first);
          const used = new Set<number>();
          const claim = (xid: number): void => {
            expect(xid).toBeGreaterThan(0);
            expect(xid).toBeLessThanOrEqual(MAX);
            expect(used.has(xid)).toBe(false);
            used.add(xid);
          };
          for (const step of steps) {
            if ('scope' in step) {
              const scope = exchanges.openScope(step.scope, () => undefined);
              for (let n = 0; n < step.scope; n++) claim(scope.first + n);
            } else {
              const xid = exchanges.xids();
              claim(xid);
              exchanges.open(xid, recorder().exchange, TERMS);
            }
          }
          exchanges.failAll('end');
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('an exchange', () => {
  it('ends once: by its reply, its error, its failure, whichever comes first', () => {
    const exchanges = new Exchanges();
    const [replied, refused, failed] = [recorder(), recorder(), recorder()];
    for (const [n, { exchange }] of [replied, refused, failed].entries()) exchanges.open(n + 1, exchange, TERMS);
    exchanges.deliver(1, { kind: 'barrier_reply' }, 8);
    exchanges.refuse({ ...ERROR, xid: 2 });
    exchanges.fail(3, 'lost');
    exchanges.failAll('end');
    expect([replied.log, refused.log, failed.log]).toEqual([['barrier_reply'], ['OFPBRC_BAD_TYPE'], ['lost']]);
    expect(exchanges.deliver(1, { kind: 'barrier_reply' }, 8)).toBe(false);
    expect(exchanges.pending).toBe(0);
  });

  it('that was given up takes its late reply with it, all parts of it', () => {
    const exchanges = new Exchanges();
    const abort = new AbortController();
    const { exchange, log } = recorder();
    exchanges.open(1, exchange, { ...TERMS, signal: abort.signal });
    abort.abort('enough');
    const part = (flags: number) => ({ kind: 'multipart_reply', flags, body: { kind: 'group_desc', groups: [] } }) as const;
    expect([exchanges.deliver(1, part(1), 16), exchanges.deliver(1, part(1), 16), exchanges.deliver(1, part(0), 16)]).toEqual([
      true,
      true,
      true,
    ]);
    expect(exchanges.deliver(1, part(0), 16)).toBe(false);
    expect(log).toEqual(['enough']);
  });

  it('has its errors told by index when it is one of a scope, until the scope closes', () => {
    const exchanges = new Exchanges();
    const seen: number[] = [];
    const scope = exchanges.openScope(10, (index) => seen.push(index));
    const told = [9, 10, 0].map((n) => exchanges.refuse({ ...ERROR, xid: scope.first + n }));
    exchanges.closeScope(scope);
    told.push(exchanges.refuse({ ...ERROR, xid: scope.first }));
    expect({ seen, told }).toEqual({ seen: [9, 0], told: [true, false, true, false] });
  });

  it('is refused when thousands wait already', () => {
    const exchanges = new Exchanges();
    for (let n = 0; n < 4_096; n++) exchanges.open(exchanges.xids(), recorder().exchange, TERMS);
    expect(() => exchanges.open(exchanges.xids(), recorder().exchange, TERMS)).toThrow(expect.objectContaining({ code: 'busy' }));
    exchanges.failAll('end');
  });
});
