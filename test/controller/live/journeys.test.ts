import fc from 'fast-check';
import { endsOf, Journeys, outcomeOf, type Sighting } from '../../../controller/live/journeys.js';
import { sighting } from './sighting.js';

const way = (identity: string): Sighting[] => [
  sighting('dp-1', 'entry', { identity }),
  sighting('dp-1', 'sent', { identity, peer_uuid: 'dp-2' }),
  sighting('dp-2', 'arrival', { identity, peer_uuid: 'dp-1' }),
  sighting('dp-2', 'delivered', { identity, interface_uuid: 'if-b' }),
];

const everywhere = () => true;

describe('journeys', () => {
  it('are the same whichever datapath is heard first, one for each packet', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.boolean(), fc.infiniteStream(fc.boolean()), (count, alike, coins) => {
        const packets = Array.from({ length: count }, (_, i) => way(alike ? 'one' : String(i)));
        // Each datapath tells in order; which of the two is heard next, nobody knows.
        const [first, second] = ['dp-1', 'dp-2'].map((uuid) => packets.flat().filter(({ datapath_uuid }) => datapath_uuid === uuid));
        const journeys = new Journeys();
        while (first!.length + second!.length > 0) {
          const next = second!.length === 0 || (first!.length > 0 && coins.next().value) ? first! : second!;
          journeys.add(next.shift()!, 0);
        }
        expect(journeys.all.map(({ sightings }) => sightings.length)).toEqual(Array.from({ length: count }, () => 4));
        expect(journeys.all.map((journey) => outcomeOf(journey, everywhere).verdict)).toEqual(
          Array.from({ length: count }, () => 'delivered'),
        );
      }),
    );
  });

  it('of a flood have many ends; that some get it counts, not that others do not', () => {
    const journeys = new Journeys();
    for (const one of [
      sighting('dp-1', 'entry'),
      sighting('dp-1', 'dropped', { reason: 'ingress_policy', branch: 1 }),
      sighting('dp-1', 'dropped', { reason: 'ingress_policy', branch: 2 }),
      sighting('dp-1', 'flooded', { receivers: ['if-a', 'if-b'] }),
      sighting('dp-1', 'sent', { peer_uuid: 'dp-2' }),
      sighting('dp-1', 'sent', { peer_uuid: 'dp-3' }),
      sighting('dp-2', 'arrival', { peer_uuid: 'dp-1' }),
      sighting('dp-2', 'flooded', { receivers: ['if-c'] }),
      sighting('dp-2', 'flooded', { receivers: ['if-d'], branch: 3 }),
    ])
      journeys.add(one, 0);
    const [journey] = journeys.all;
    const { verdict, reason } = outcomeOf(journey!, everywhere);
    expect([journeys.all.length, verdict, reason.text, endsOf(journey!, everywhere).length]).toEqual([
      1,
      'delivered',
      'sent to if-a, if-b on dp-1; and at 4 more places',
      5,
    ]);
  });

  it('end at a tunnel where nobody watches behind it, and are unseen where nothing was seen behind it', () => {
    const journeys = new Journeys();
    for (const one of [sighting('dp-1', 'entry'), sighting('dp-1', 'sent', { peer_uuid: 'dp-2' })]) journeys.add(one, 0);
    const texts = [(uuid: string) => uuid !== 'dp-2', everywhere].map((isWatched) => {
      const { verdict, reason } = outcomeOf(journeys.all[0]!, isWatched);
      return `${verdict}: ${reason.text}`;
    });
    expect(texts).toEqual([
      'left: left dp-1 for dp-2, where nothing is watched',
      'unseen: it went from dp-1 to dp-2 and was not seen there',
    ]);
  });

  it('name the rule that refuses', () => {
    const journeys = new Journeys();
    const refused = { reason: 'ingress_rule', ingress_rule: 'sgr-no', table: 'IN_DENY', cookie: '0x48', uuids: ['pipeline'] };
    for (const one of [sighting('dp-1', 'entry'), sighting('dp-1', 'dropped', refused)]) journeys.add(one, 0);
    expect(outcomeOf(journeys.all[0]!, everywhere)).toEqual({
      verdict: 'dropped',
      reason: {
        code: 'ingress_rule',
        text: 'ingress_rule: an ingress rule of the receiver drops or rejects it (sgr-no)',
        uuids: ['sgr-no', 'pipeline'],
        datapath_uuid: 'dp-1',
        table: 'IN_DENY',
        cookie: '0x48',
        nearest: null,
      },
    });
  });
});
