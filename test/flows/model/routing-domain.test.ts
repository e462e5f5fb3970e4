import { Draft } from '../../../flows/model/draft.js';
import type { Entity } from '../../../flows/model/entities.js';
import { Model } from '../../../flows/model/model.js';
import { assignRoutingDomains } from '../../../flows/model/routing-domain.js';
import { network, route, routeLink, segment } from './values.js';

/** Commits puts and deletes with their routing domains; keys are handed out from 1. */
class Domains {
  private readonly model = new Model();
  private keys = 0;

  change(puts: readonly Entity[], deletes: readonly string[] = []): { relabelled: string[]; reads: number } {
    const draft = new Draft(this.model);
    draft.begin();
    for (const put of puts) draft.put(put);
    for (const uuid of deletes) draft.delete(uuid);
    const before = new Map([...draft.touched().keys()].map((uuid) => [uuid, draft.get(uuid)]));
    let reads = 0;
    const get = draft.get.bind(draft);
    draft.get = (uuid) => (reads++, get(uuid));
    assignRoutingDomains(draft, () => ++this.keys);
    const touched = [...draft.touched().keys()];
    this.model.apply(
      touched.flatMap((uuid) => get(uuid) ?? []),
      touched.filter((uuid) => get(uuid) === undefined),
    );
    return { relabelled: touched.filter((uuid) => !before.has(uuid) || get(uuid) !== before.get(uuid)), reads };
  }

  /** Keys by name. */
  keysOf(...uuids: string[]): number[] {
    return uuids.map((uuid) => (this.model.get(uuid) as { vrf_key: number }).vrf_key);
  }
}

/** `count` networks on one route link. */
function star(link: string, prefix: string, count: number): Entity[] {
  return [
    routeLink(link),
    ...Array.from({ length: count }, (_, n) => [network(`nw-${prefix}${n}`), route(`r-${prefix}${n}`, `nw-${prefix}${n}`, link)]).flat(),
  ];
}

describe('routing domains', () => {
  it('are one per lone network and per lone segment', () => {
    const domains = new Domains();
    domains.change([network('nw-1'), network('nw-2'), segment('seg-1')]);
    expect(domains.keysOf('nw-1', 'nw-2', 'seg-1')).toEqual([1, 2, 3]);
  });

  it('hold the networks of a segment together with it', () => {
    const domains = new Domains();
    domains.change([segment('seg-1'), network('nw-1', { segment_uuid: 'seg-1' }), network('nw-2', { segment_uuid: 'seg-1' })]);
    expect(domains.keysOf('seg-1', 'nw-1', 'nw-2')).toEqual([1, 1, 1]);
  });

  it('keep the key of the larger part when they merge', () => {
    const domains = new Domains();
    domains.change([network('nw-x')]);
    domains.change(star('rl-1', 'a', 3));
    const { relabelled } = domains.change([route('r-x', 'nw-x', 'rl-1')]);
    expect(domains.keysOf('nw-a0', 'nw-a1', 'nw-a2', 'nw-x')).toEqual([2, 2, 2, 2]);
    expect(relabelled).toEqual(['nw-x']);
  });

  it('leave the key with the larger part when they split', () => {
    const domains = new Domains();
    domains.change(star('rl-1', 'a', 4));
    domains.change([routeLink('rl-2'), route('r-b', 'nw-a0', 'rl-2'), network('nw-c'), route('r-c', 'nw-c', 'rl-2')]);
    expect(domains.keysOf('nw-a0', 'nw-a3', 'nw-c')).toEqual([1, 1, 1]);
    const { relabelled } = domains.change([], ['r-a0']);
    expect(domains.keysOf('nw-a0', 'nw-c', 'nw-a1', 'nw-a2', 'nw-a3')).toEqual([2, 2, 1, 1, 1]);
    expect(relabelled.sort()).toEqual(['nw-a0', 'nw-c']);
  });

  it('fall apart into single networks when their route link goes', () => {
    const domains = new Domains();
    domains.change(star('rl-1', 'a', 3));
    domains.change([], ['rl-1', 'r-a0', 'r-a1', 'r-a2']);
    expect(new Set(domains.keysOf('nw-a0', 'nw-a1', 'nw-a2')).size).toBe(3);
    expect(domains.keysOf('nw-a0', 'nw-a1', 'nw-a2')).toContain(1);
  });

  it('stay as they are when another way remains', () => {
    const domains = new Domains();
    domains.change([...star('rl-1', 'a', 2), routeLink('rl-2'), route('r-b0', 'nw-a0', 'rl-2'), route('r-b1', 'nw-a1', 'rl-2')]);
    const { relabelled } = domains.change([], ['r-a0']);
    expect(relabelled).toEqual([]);
    expect(domains.keysOf('nw-a0', 'nw-a1')).toEqual([1, 1]);
  });

  it('move parts from one domain to another in one transaction', () => {
    const domains = new Domains();
    domains.change(star('rl-1', 'a', 4));
    domains.change(star('rl-2', 'b', 3));
    domains.change([route('r-new', 'nw-a0', 'rl-2')], ['r-a0']);
    expect(domains.keysOf('nw-a1', 'nw-a2', 'nw-a3')).toEqual([1, 1, 1]);
    expect(domains.keysOf('nw-a0', 'nw-b0', 'nw-b1', 'nw-b2')).toEqual([2, 2, 2, 2]);
  });

  it('cost what changes, not what there is: joining and cutting off one network of a huge domain reads little', () => {
    const cost = (size: number) => {
      const domains = new Domains();
      domains.change(star('rl-1', 'a', size));
      domains.change([network('nw-x')]);
      return [domains.change([route('r-x', 'nw-x', 'rl-1')]).reads, domains.change([], ['r-x']).reads];
    };
    expect(cost(2000)).toEqual(cost(20));
  });
});
