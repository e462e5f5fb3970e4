/**
 * The tables of one bridge: as wanted, and as the switch holds them.
 *
 * Owns: a ledger of flows, one of groups, the canary last known to be on the switch.
 * Promises: `digest` is what the canary must say for what the switch holds now.
 */
import type { FlowKey, Tables } from '../../flows/compile/contract.js';
import { flowBody, groupBody, inOnePiece } from '../../flows/openflow/canonical.js';
import type { Flow, Group } from '../../flows/openflow/flow.js';
import { Ledger } from './ledger.js';

/** What the canary must say for these tables. */
export function digestOf({ flows, groups }: Tables): bigint {
  const image = new Image();
  for (const [key, flow] of flows) image.flows.want(key, flow, 0);
  for (const [key, group] of groups) image.groups.want(key, group, 0);
  return image.wantedDigest();
}

export class Image {
  readonly flows = new Ledger<FlowKey, Flow>(
    'flow',
    (flow) => inOnePiece(`${flow.cookie.toString(16)} ${flowBody(flow)}`),
    ({ hard_timeout = 0 }) => hard_timeout > 0,
  );
  readonly groups = new Ledger<number, Group>('group', groupBody);
  /** Digest the switch's canary holds; undefined when it has none, or one of another pipeline version. */
  canary: bigint | undefined;

  /** Of what the switch holds. */
  get digest(): bigint {
    return this.flows.digest ^ this.groups.digest;
  }

  wantedDigest(): bigint {
    return this.flows.wantedDigest() ^ this.groups.wantedDigest();
  }

  /** True when the switch holds what is wanted, and its canary says so. */
  isSettled(): boolean {
    return this.flows.differences.size === 0 && this.groups.differences.size === 0 && this.canary === this.digest;
  }

  /** Since which change the switch differs; Infinity when it does not. */
  oldestDifference(): number {
    let oldest = Infinity;
    for (const { since } of this.flows.differences.values()) oldest = Math.min(oldest, since);
    for (const { since } of this.groups.differences.values()) oldest = Math.min(oldest, since);
    return oldest;
  }
}
