import fc from 'fast-check';
import { LocalLeases } from '../../../controller/store/local-leases.js';
import { GATEWAY_LEASE_MS } from '../../../controller/messages/slice.js';
import { GatewayDuty } from '../../../datapath/agent/gateway-duty.js';
import type { Gateway } from '../../../flows/compile/contract.js';
import type { Action } from '../../../flows/openflow/action.js';
import { ANY } from '../../../flows/pipeline/outside.js';
import { ManualClock } from './manual-clock.js';

const PORT = 'if-edge';
const NAMES = ['dp-1', 'dp-2', 'dp-3'] as const;
type Name = (typeof NAMES)[number];

/** A hypervisor that may be the gateway: its agent's duty, and whether its switch acts. */
class Hypervisor {
  readonly duty: GatewayDuty;
  /** As its slice has it. */
  owner: Name = 'dp-1';
  hasStore = true;
  hasOverlay = true;
  hasLink = true;
  /** What the switch of the gateway answers it comes to this agent. */
  hearsAnswers = true;
  /** Frames reach the agent so much later. */
  lateMs = 0;
  acts = false;
  readonly name: Name;
  readonly #fabric: Fabric;
  #gateways: readonly Gateway[] = [];

  constructor(name: Name, fabric: Fabric) {
    this.name = name;
    this.#fabric = fabric;
    const { clock } = fabric;
    this.duty = new GatewayDuty({
      gateways: () => this.#gateways,
      datapath: () => name,
      ways: () =>
        NAMES.map((datapath_uuid, i) => ({
          datapath_uuid,
          node_id: `hv${i + 1}`,
          encap: 'geneve',
          local: '192.0.2.9',
          remote: `192.0.2.${i + 1}`,
          ofport: 901,
        })),
      send: (frame, actions) => fabric.carry(this, frame, actions),
      hold: () => fabric.hold(this),
      isUp: () => true,
      hasLink: () => this.hasLink,
      onChange: () => this.apply(),
      clock,
      random: () => (NAMES.indexOf(name) + 1) / 10,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    });
  }

  takeSlice(owner: Name): void {
    this.owner = owner;
    this.#gateways = [{ ...GATEWAY, datapath_uuid: owner }];
    this.duty.gatewaysChanged();
    this.apply();
  }

  apply(): void {
    this.acts = this.owner === this.name && this.duty.records().some(({ interface_uuid }) => [PORT, ANY].includes(interface_uuid));
    this.#fabric.note();
  }
}

const GATEWAY: Gateway = {
  kind: 'gateway',
  uuid: 'gw-1',
  interface_uuid: PORT,
  mac_lease_uuid: 'ml-1',
  mac: 0x0200_0000_ed01,
  segment_key: 5,
  vrf_key: 1,
  domain_uuid: 'seg-1',
  port_key: 7,
  router_key: 3,
  router_keys: [3],
  addresses: [],
  subnets: [],
  next_hops: [],
  datapath_uuid: 'dp-1',
  ofport: null,
  physical_network: 'public',
  candidates: [...NAMES],
  contends: true,
};

/** Three hypervisors, the store and what is between them; every delay is a few milliseconds of a clock that stands still otherwise. */
class Fabric {
  readonly clock = new ManualClock();
  readonly leases = new LocalLeases(() => this.clock.now());
  readonly hypervisors = new Map(NAMES.map((name) => [name, new Hypervisor(name, this)]));
  /** Who has ever acted at the same time. */
  readonly rivals = new Set<string>();
  /** Each change of who acts: `time names`. */
  readonly history: string[] = [];
  readonly #stop = new AbortController();
  readonly #runs: Promise<void>[];
  #isUp = false;
  #owner: Name = 'dp-1';

  constructor() {
    for (const one of this.hypervisors.values()) one.takeSlice('dp-1');
    this.#isUp = true;
    this.#runs = [...this.hypervisors.values()].map(({ duty }) => duty.run(this.#stop.signal));
  }

  at(name: Name): Hypervisor {
    return this.hypervisors.get(name)!;
  }

  acting(): string {
    return [...this.hypervisors.values()].flatMap(({ name, acts }) => (acts ? [name] : [])).join();
  }

  note(): void {
    if (!this.#isUp) return;
    const acting = this.acting();
    if (acting.includes(',')) this.rivals.add(acting);
    if (this.history.at(-1)?.split(' ')[1] !== acting) this.history.push(`${this.clock.now() - 1_000} ${acting}`);
  }

  /** The switch of the gateway answers by itself; agents hear of it a little later. */
  carry(from: Hypervisor, frame: Uint8Array, actions: readonly Action[]): boolean {
    const index = actions.flatMap((one) =>
      one.kind === 'set_field' && one.field === 'tun_dst' ? [(Number(one.value) % 256) - 1] : [],
    )[0]!;
    const to = this.at(NAMES[index]!);
    if (!from.hasOverlay || !to.hasOverlay || !to.acts) return true;
    void this.#later(2 + to.lateMs, () => to.duty.heard(frame));
    if (from.hearsAnswers) void this.#later(4 + from.lateMs, () => from.duty.heard(frame));
    return true;
  }

  async hold({ name, hasStore }: Hypervisor): Promise<boolean> {
    const asking = this.#later(3, () => undefined);
    await asking;
    if (!hasStore) throw new Error('the store does not answer');
    if (!this.leases.hold(PORT, name, GATEWAY_LEASE_MS)) return false;
    if (this.#owner !== name) {
      this.#owner = name;
      void this.#later(5, () => this.share());
    }
    return true;
  }

  /** Those who reach the store hear who has it. */
  share(): void {
    for (const one of this.hypervisors.values()) if (one.hasStore && one.owner !== this.#owner) one.takeSlice(this.#owner);
  }

  async #later(ms: number, then: () => void): Promise<void> {
    await this.clock.sleep(ms, this.#stop.signal);
    if (!this.#stop.signal.aborted) then();
  }

  async end(): Promise<void> {
    this.#isUp = false;
    this.#stop.abort();
    await Promise.all(this.#runs);
  }
}

describe('the duty of a gateway that several hypervisors may be', () => {
  let fabric: Fabric;
  beforeEach(() => (fabric = new Fabric()));
  afterEach(() => fabric.end());

  /** What happens from a cut on, and how long each lasted: `[when it stopped, when and by whom it was taken over]`. */
  const after = async (cut: () => void, ms = 2_000) => {
    await fabric.clock.advance(5_000);
    fabric.history.length = 0;
    const at = fabric.clock.now() - 1_000;
    cut();
    await fabric.clock.advance(ms);
    return fabric.history.map((line) => {
      const [time, names] = line.split(' ');
      return { ms: Number(time) - at, names };
    });
  };

  it('stops before its lease passes when it is cut off from the store and its rivals, and a rival begins only after', async () => {
    const [stop, start, ...more] = await after(() => Object.assign(fabric.at('dp-1'), { hasStore: false, hasOverlay: false }));
    expect({ stop: stop?.names, isInTime: stop!.ms < GATEWAY_LEASE_MS, start: start?.names, isAfter: start!.ms > stop!.ms, more }).toEqual({
      stop: '',
      isInTime: true,
      start: 'dp-2',
      isAfter: true,
      more: [],
    });
    expect(start!.ms).toBeLessThan(1_000);
  });

  it('goes on when it is cut off from the store alone, for its rivals promise', async () => {
    expect(await after(() => (fabric.at('dp-1').hasStore = false), 5_000)).toEqual([]);
  });

  it('goes on when it is cut off from its rivals alone, for it has the lease', async () => {
    expect(await after(() => (fabric.at('dp-1').hasOverlay = false), 5_000)).toEqual([]);
  });

  it('goes on while the store is away for everybody, and stops when its rivals are gone, too', async () => {
    const everybody = [...fabric.hypervisors.values()];
    expect(await after(() => everybody.forEach((one) => (one.hasStore = false)), 5_000)).toEqual([]);
    fabric.at('dp-3').hasOverlay = false;
    await fabric.clock.advance(2_000);
    expect(fabric.acting()).toBe('');
  });

  it('gives way when its NIC has no link, to the next of the list that can', async () => {
    fabric.at('dp-2').hasLink = false;
    const seen = await after(() => (fabric.at('dp-1').hasLink = false));
    expect(seen.map(({ names }) => names)).toEqual(['', 'dp-3']);
    expect(seen[1]!.ms).toBeLessThan(1_000);
  });

  it('stays with who has it when the first of the list comes back', async () => {
    await after(() => Object.assign(fabric.at('dp-1'), { hasStore: false, hasOverlay: false }));
    Object.assign(fabric.at('dp-1'), { hasStore: true, hasOverlay: true });
    fabric.share();
    await fabric.clock.advance(2_000);
    expect(fabric.acting()).toBe('dp-2');
  });

  it('does not count promises that lay about', async () => {
    const seen = await after(() => Object.assign(fabric.at('dp-1'), { hasStore: false, lateMs: 1_000 }));
    expect([seen.map(({ names }) => names), [...fabric.rivals]]).toEqual([['', 'dp-2'], []]);
  });

  it('takes over only when its own promise binds no more, where its questions arrive and the answers do not', async () => {
    await after(() => Object.assign(fabric.at('dp-1'), { hasStore: false, hasOverlay: false }));
    Object.assign(fabric.at('dp-1'), { hasStore: true, hasOverlay: true });
    fabric.share();
    // The second acts by the promises of the others alone; the first, who comes before it in the list, is the quickest to give it up.
    fabric.at('dp-2').hasStore = false;
    const seen = await after(() => (fabric.at('dp-1').hearsAnswers = false));
    expect([seen.map(({ names }) => names), [...fabric.rivals]]).toEqual([['', 'dp-1'], []]);
  });

  it('acts on one hypervisor at most, whatever is cut and joined when', async () => {
    const cut = fc.record({
      name: fc.constantFrom(...NAMES),
      what: fc.constantFrom('hasStore' as const, 'hasOverlay' as const, 'hasLink' as const, 'hearsAnswers' as const),
      value: fc.boolean(),
      ms: fc.integer({ min: 0, max: 900 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(cut, { maxLength: 12 }), async (cuts) => {
        const world = new Fabric();
        await world.clock.advance(200);
        for (const { name, what, value, ms } of cuts) {
          world.at(name)[what] = value;
          world.share();
          await world.clock.advance(ms);
        }
        for (const one of world.hypervisors.values())
          Object.assign(one, { hasStore: true, hasOverlay: true, hasLink: true, hearsAnswers: true });
        world.share();
        await world.clock.advance(1_500);
        const acting = world.acting();
        await world.end();
        expect([[...world.rivals], NAMES.some((name) => name === acting)]).toEqual([[], true]);
      }),
      { numRuns: 25 },
    );
  }, 60_000);
});
