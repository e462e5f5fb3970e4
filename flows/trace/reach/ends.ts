/**
 * Whom a question about reachability is about.
 *
 * Owns: what interfaces, networks and groups named there stand for in a model.
 * Throws HotoriError `invalid_reference` for what is not there, `invalid_argument` for interfaces named that cannot be asked about, with every pointer.
 */
import type { Interface } from '../../model/entities/interface.js';
import { HotoriError, summaryOf, type Reason } from '../../model/errors.js';
import { entityOf, referrers, type ModelView } from '../../model/view.js';
import { nicsOf } from '../explain/ends.js';
import type { ReachAnswer } from './answer.js';
import type { ReachEnd, ReachQuestion } from './question.js';

/** Interfaces that are looked at in one go. */
const PART = 200;

export type ReachSide = 'sources' | 'destinations';

export interface ReachEnds {
  /** By uuid, none twice. */
  readonly sources: readonly Interface[];
  readonly destinations: readonly Interface[];
  readonly left_out: ReachAnswer['left_out'];
}

export function* reachEnds(model: ModelView, question: ReachQuestion): Generator<void, ReachEnds> {
  const left_out: ReachAnswer['left_out'] = [];
  const missing: Reason[] = [];
  const unfit: Reason[] = [];
  const on = function* (side: ReachSide): Generator<void, Interface[]> {
    const found = new Map<string, Interface>();
    const leftOut = new Set<string>();
    for (const [at, end] of question[side].entries()) {
      const members = membersOf(model, end);
      const pointer = `/${side}/${at}`;
      if (at % PART === PART - 1) yield;
      if (members === undefined) missing.push({ pointer, ...notThere(end) });
      for (const [of, iface] of [...(members ?? [])].entries()) {
        if (of % PART === PART - 1) yield;
        const why = unfitness(model, iface, side);
        if (why === undefined) found.set(iface.uuid, iface);
        else if (typeof end === 'string') unfit.push({ pointer, detail: `${end} ${why}`, uuid: end });
        else if (!leftOut.has(iface.uuid)) {
          leftOut.add(iface.uuid);
          left_out.push({ interface_uuid: iface.uuid, side, why });
        }
      }
    }
    return [...found.values()].sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
  };
  const ends = { sources: yield* on('sources'), destinations: yield* on('destinations') };
  if (missing.length > 0) throw new HotoriError('invalid_reference', summaryOf(missing), { reasons: missing });
  if (unfit.length > 0) throw new HotoriError('invalid_argument', summaryOf(unfit), { reasons: unfit });
  return { ...ends, left_out };
}

function membersOf(model: ModelView, end: ReachEnd): Iterable<Interface> | undefined {
  if (typeof end === 'string') {
    const iface = entityOf(model, 'interface', end);
    return iface && [iface];
  }
  if ('security_group_uuid' in end) {
    const group = entityOf(model, 'security_group', end.security_group_uuid);
    return group && referrers(model, 'interface', group.uuid);
  }
  const network = entityOf(model, 'network', end.network_uuid);
  return network && inNetwork(model, network.uuid);
}

function* inNetwork(model: ModelView, network: string): Generator<Interface> {
  for (const { interface_uuid } of referrers(model, 'ip_lease', network)) {
    const iface = entityOf(model, 'interface', interface_uuid);
    if (iface !== undefined) yield iface;
  }
}

function notThere(end: ReachEnd): { readonly detail: string; readonly uuid: string } {
  if (typeof end === 'string') return { detail: `there is no interface ${end}`, uuid: end };
  if ('network_uuid' in end) return { detail: `there is no network ${end.network_uuid}`, uuid: end.network_uuid };
  return { detail: `there is no security group ${end.security_group_uuid}`, uuid: end.security_group_uuid };
}

function unfitness(model: ModelView, iface: Interface, side: ReachSide): string | undefined {
  if (side === 'sources' && iface.mode === 'simulated') return 'is simulated: nothing is plugged in there that could send';
  return nicsOf(model, iface).length === 0 ? 'has no MAC with an address' : undefined;
}
