/**
 * A packet while it is being worked on.
 *
 * Owns: its fields, the action set and the stack it carries, and the changes to it that are more than writing one field.
 * Promises: copies are independent.
 */
import { PORTS } from '../openflow/constants.js';
import type { FieldName } from '../openflow/fields.js';
import { applyBits, copyBits, readBits, readWide, slot, wordBits, writeBits, writeWide } from './layout.js';
import { Microflow } from './microflow.js';
import { actionSetOrder, type Operation } from './operation.js';
import { CT_STATE, ethType, ETH_TYPE, ipFrag, FRAG, isIp, VLAN_PRESENT } from './prerequisite.js';

const IN_PORT = slot('in_port');
const ACTSET_OUTPUT = slot('actset_output');
const CT_NW_PROTO = slot('ct_nw_proto');
const CT_STATE_SLOT = slot('ct_state');
const VLAN_WORD = slot('vlan_tci').last;
const L4_WORD = slot('tcp_src').last;

const CT_FIELDS = ['ct_state', 'ct_zone', 'ct_mark', 'ct_label', 'ct_nw_proto', 'ct_tp_src', 'ct_tp_dst'] as const;
const CLEAR_CT = CT_FIELDS.flatMap((field) => wordBits(slot(field), 0));
const CLEAR_CT_IPV4 = (['ct_nw_src', 'ct_nw_dst'] as const).flatMap((field) => wordBits(slot(field), 0));
const CLEAR_CT_IPV6 = (['ct_ipv6_src', 'ct_ipv6_dst'] as const).flatMap((field) => wordBits(slot(field), 0));

type Pair = readonly [field: FieldName, tracked: FieldName];
const TUPLE: readonly Pair[] = [
  ['nw_proto', 'ct_nw_proto'],
  ['tcp_src', 'ct_tp_src'],
  ['tcp_dst', 'ct_tp_dst'],
];
const TUPLE_IPV4: readonly Pair[] = [...TUPLE, ['ip_src', 'ct_nw_src'], ['ip_dst', 'ct_nw_dst']];
const TUPLE_IPV6: readonly Pair[] = [...TUPLE, ['ipv6_src', 'ct_ipv6_src'], ['ipv6_dst', 'ct_ipv6_dst']];

export class WorkingPacket {
  readonly words: Int32Array;
  actionSet: Operation[];
  stack: bigint[];
  /** Whether conntrack fields are those of an answer of conntrack. */
  conntracked: boolean;
  #setHasGroup = false;

  constructor(words: Int32Array, conntracked: boolean, actionSet: readonly Operation[] = [], stack: readonly bigint[] = []) {
    this.words = words;
    this.conntracked = conntracked;
    this.actionSet = [...actionSet];
    this.stack = [...stack];
  }

  /** Takes `words` over. */
  static arriving({ words }: Microflow): WorkingPacket {
    return new WorkingPacket(words, (readBits(words, CT_STATE_SLOT, 0, 32) & CT_STATE.trk) !== 0);
  }

  copy(): WorkingPacket {
    const copy = new WorkingPacket(this.words.slice(), this.conntracked, this.actionSet, this.stack);
    copy.#setHasGroup = this.#setHasGroup;
    return copy;
  }

  snapshot(): Microflow {
    return new Microflow(this.words.slice());
  }

  get inPort(): number {
    return readBits(this.words, IN_PORT, 0, 32);
  }

  /** The words a table is asked with: another ingress port, the connection's original tuple, or no ports at all, as the case may be. */
  asLookedUp(inPort: number | undefined, withCt: boolean): Int32Array {
    const fragment = (ipFrag(this.words) & FRAG.later) !== 0;
    if (!fragment && inPort === undefined && !withCt) return this.words;
    const words = this.words.slice();
    if (withCt) swapTuple(words);
    // In fragment mode `nx-match` the first fragment has ports.
    if (fragment) words[L4_WORD] = 0;
    if (inPort !== undefined) writeBits(words, IN_PORT, 0, 32, inPort);
    return words;
  }

  /** Whether `resubmit(ct)` may look up the original tuple. */
  hasOriginalTuple(): boolean {
    return isIp(this.words) && readBits(this.words, CT_NW_PROTO, 0, 8) !== 0;
  }

  /** A second tag is pushed over the first; what was below that is lost. */
  pushVlan(ethertype: number): void {
    this.words[VLAN_WORD + 1] = this.words[VLAN_WORD]!;
    this.words[VLAN_WORD] = (ethertype << 16) | VLAN_PRESENT;
  }

  popVlan(): void {
    if ((this.words[VLAN_WORD]! & VLAN_PRESENT) === 0) return;
    this.words[VLAN_WORD] = this.words[VLAN_WORD + 1]!;
    this.words[VLAN_WORD + 1] = 0;
  }

  /** The packet is untracked again. */
  clearConntrack(): void {
    applyBits(this.words, CLEAR_CT);
    const type = ethType(this.words);
    if (type === ETH_TYPE.ipv4) applyBits(this.words, CLEAR_CT_IPV4);
    else if (type === ETH_TYPE.ipv6) applyBits(this.words, CLEAR_CT_IPV6);
    this.conntracked = false;
  }

  writeActions(actions: readonly Operation[]): void {
    for (const operation of actions) {
      if (this.#setHasGroup) break;
      if (operation.kind === 'output') writeBits(this.words, ACTSET_OUTPUT, 0, 32, operation.port);
      if (operation.kind === 'group') {
        writeBits(this.words, ACTSET_OUTPUT, 0, 32, PORTS.UNSET);
        this.#setHasGroup = true;
      }
    }
    this.actionSet.push(...actions);
  }

  clearActionSet(): void {
    this.actionSet = [];
    this.#setHasGroup = false;
    writeBits(this.words, ACTSET_OUTPUT, 0, 32, PORTS.UNSET);
  }

  /** The action set in the order it runs; it is empty afterwards. */
  takeActionSet(): Operation[] {
    if (this.actionSet.length === 0) return this.actionSet;
    const operations = actionSetOrder(this.actionSet);
    this.actionSet = [];
    return operations;
  }
}

function swapTuple(words: Int32Array): void {
  for (const [field, tracked] of ethType(words) === ETH_TYPE.ipv4 ? TUPLE_IPV4 : TUPLE_IPV6) {
    const value = readWide(words, slot(field));
    copyBits(words, slot(tracked), slot(field));
    writeWide(words, slot(tracked), value);
  }
}
