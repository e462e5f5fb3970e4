import fc from 'fast-check';
import { canaryFlow, isCanary, readCanary } from '../../../datapath/agent/canary.js';
import type { Flow } from '../../../flows/openflow/flow.js';
import { isOurs } from '../../../flows/pipeline/cookie.js';
import { PIPELINE_VERSION } from '../../../flows/pipeline/tables.js';

describe('the canary', () => {
  it('says the digest and pipeline version it was made with', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (digest) => {
        const flow = canaryFlow(digest);
        expect({ read: readCanary(flow), ours: isOurs(flow.cookie), isCanary: isCanary(flow) }).toEqual({
          read: { pipelineVersion: PIPELINE_VERSION, digest },
          ours: true,
          isCanary: true,
        });
      }),
    );
  });

  it('has a note that needs no padding', () => {
    const [instruction] = canaryFlow(1n).instructions;
    const [action] = instruction?.kind === 'apply_actions' ? instruction.actions : [];
    expect(action?.kind === 'note' ? (action.data.length - 6) % 8 : undefined).toBe(0);
  });

  it.each<[string, Partial<Flow>]>([
    ['its place holds another action', { instructions: [{ kind: 'goto_table', table: 254 }] }],
    ['its place holds nothing', { instructions: [] }],
    ['the note is another', { instructions: [{ kind: 'apply_actions', actions: [{ kind: 'note', data: new Uint8Array(22) }] }] }],
    ['the note is short', { instructions: [{ kind: 'apply_actions', actions: [{ kind: 'note', data: new Uint8Array(6) }] }] }],
    ['the cookie is another', { cookie: 1n }],
  ])('is not read when %s', (_why, over) => {
    expect(readCanary({ ...canaryFlow(5n), ...over })).toBeUndefined();
  });
});
