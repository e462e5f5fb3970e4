/**
 * Text that is not a flow is refused with the errors that are promised.
 */
import { AddressError } from '../../flows/net/address-error.js';
import { TextError } from '../../flows/openflow/text-error.js';
import {
  flowToString,
  groupToString,
  meterToString,
  parseFlow,
  parseGroup,
  parseMatch,
  parseMeter,
} from '../../flows/openflow/text-flow.js';
import { parseActions } from '../../flows/openflow/text-action-parse.js';
import { Random } from './random.js';
import { randomFlow, randomGroup, randomMeter } from './random-values.js';

const PIECES = [
  '(',
  ')',
  '[',
  ']',
  ',',
  '=',
  ':',
  '/',
  '->',
  '..',
  '-',
  '0x',
  '99999999999999999999999',
  'ip',
  'reg0',
  'ct(',
  'learn(',
  'actions=',
  ' ',
  '',
  '[]',
];

function broken(random: Random, text: string): string {
  let out = text;
  for (let n = random.between(1, 3); n > 0; n--) {
    const at = random.below(out.length + 1);
    out = out.slice(0, at) + random.pick(PIECES) + out.slice(at + random.below(6));
  }
  return out;
}

describe('parsing', () => {
  it('of broken text ends in a value, a TextError or an AddressError', () => {
    const random = new Random(21);
    const outcomes = { read: 0, refused: 0 };
    for (let n = 0; n < 3000; n++) {
      const tries: readonly (readonly [(text: string) => unknown, string])[] = [
        [parseFlow, flowToString(randomFlow(random, 3, n, { groups: true }))],
        [parseGroup, groupToString(randomGroup(random, n))],
        [parseMeter, meterToString(randomMeter(random, n + 1, true))],
      ];
      for (const [parse, text] of tries) {
        const input = broken(random, text);
        try {
          parse(input);
          outcomes.read += 1;
        } catch (error) {
          if (!(error instanceof TextError) && !(error instanceof AddressError)) throw new Error(`${String(error)} from ${input}`);
          outcomes.refused += 1;
        }
      }
    }
    expect(outcomes.read).toBeGreaterThan(500);
    expect(outcomes.refused).toBeGreaterThan(500);
  });

  it.each([
    ['an unknown field', () => parseMatch('bogus=1')],
    ['a number that is too large', () => parseMatch('reg0=0x100000000')],
    ['a prefix that is too long', () => parseMatch('ip,nw_src=10.0.0.0/33')],
    ['an IPv6 prefix that is too long', () => parseMatch('ipv6,ipv6_src=::/129')],
    ['a port without a protocol', () => parseMatch('tp_dst=80')],
    ['an unknown action', () => parseActions('bogus(1)')],
    ['a parenthesis that is not closed', () => parseActions('clone(output:1')],
    ['bits that the field does not have', () => parseActions('load:1->reg0[30..40]')],
    ['a clause 0', () => parseActions('conjunction(1,0/2)')],
    ['nesting without end', () => parseActions('clone('.repeat(5000) + ')'.repeat(5000))],
    ['a group without a type', () => parseGroup('group_id=1,bucket=output:1')],
  ])('refuses %s', (_, parse) => {
    expect(parse).toThrow(TextError);
  });

  it('reads what ovs-ofctl takes', () => {
    expect(
      flowToString(
        parseFlow('table=1, priority=5 tcp,nw_src=10.0.0.0/8,tp_dst=80,actions=mod_dl_dst:00:00:00:00:00:01,controller,strip_vlan,3'),
      ),
    ).toBe(
      'table=1, priority=5,tcp,nw_src=10.0.0.0/8,tp_dst=80 actions=set_field:00:00:00:00:00:01->eth_dst,CONTROLLER:65535,pop_vlan,output:3',
    );
    expect(groupToString(parseGroup('group_id=7,type=select,bucket=weight:5,output:1,bucket=actions=output:2'))).toBe(
      'group_id=7,type=select,bucket=weight:5,actions=output:1,bucket=actions=output:2',
    );
    expect(meterToString(parseMeter('meter=3,kbps,burst,bands=type=drop,rate=1000,burst_size=20'))).toBe(
      'meter=3 kbps burst bands=\ntype=drop rate=1000 burst_size=20',
    );
  });
});
