/**
 * A switch in memory, behind the Channel contract: for the logic above the channel, with every disturbance at a test's command.
 *
 * Promises: bundles are atomic and ordered; a flow that sends to a group that is not there is refused, and goes with its group.
 */
import type { Action } from '../../../flows/openflow/action.js';
import { flowKey } from '../../../flows/openflow/canonical.js';
import type { Flow, Group, Meter } from '../../../flows/openflow/flow.js';
import type { Channel, FlowFilter, PacketIn, TableMod } from '../../../datapath/channel/contract.js';
import { BundleError, ChannelError } from '../../../datapath/channel/errors.js';

const error = (name: string) => ({ xid: 1, type: 2, code: 0, name });

export class MemorySwitch {
  flows = new Map<string, Flow>();
  groups = new Map<number, Group>();
  meters = new Map<number, Meter>();
  /** Every modification that was applied. */
  readonly applied: TableMod[] = [];
  readonly flushed: number[] = [];
  bundles = 0;
  /** The name of the error a modification is refused with. */
  refuses: (mod: TableMod) => string | undefined = () => undefined;
  /** Awaited before a bundle takes effect. */
  beforeCommit: () => Promise<void> = () => Promise.resolve();

  apply(mods: readonly TableMod[]): void {
    const flows = new Map(this.flows);
    const groups = new Map(this.groups);
    for (const [index, mod] of mods.entries()) {
      const name = this.refuses(mod) ?? applyOne(mod, flows, groups);
      if (name !== undefined) throw new BundleError(index, error(name));
    }
    this.flows = flows;
    this.groups = groups;
    this.applied.push(...mods);
  }

  /** As a restart of the switch. */
  wipe(): void {
    this.flows.clear();
    this.groups.clear();
    this.meters.clear();
  }

  connect(): MemoryChannel {
    return new MemoryChannel(this);
  }
}

export class MemoryChannel implements Channel {
  readonly features = { datapath_id: 1n, n_tables: 254, capabilities: 0 };
  readonly closed: Promise<Error | undefined>;
  readonly sent: { data: Uint8Array; inPort: number; actions: readonly Action[] }[] = [];
  onPacketIn: ((packet: PacketIn) => void | Promise<void>) | undefined;
  readonly #switch: MemorySwitch;
  #isOpen = true;
  #end!: (reason: Error | undefined) => void;

  constructor(of: MemorySwitch) {
    this.#switch = of;
    this.closed = new Promise((resolve) => (this.#end = resolve));
  }

  async bundle(mods: readonly TableMod[]): Promise<void> {
    this.#switch.bundles++;
    await this.#turn();
    await this.#switch.beforeCommit();
    this.#assertOpen();
    this.#switch.apply(mods);
    await this.#turn();
  }

  async dumpFlows(filter: FlowFilter, onPart: (flows: readonly Flow[]) => void | Promise<void>): Promise<void> {
    await this.#turn();
    const found = [...this.#switch.flows.values()].filter(
      (flow) => (flow.cookie & filter.cookie_mask) === filter.cookie && (filter.table ?? flow.table) === flow.table,
    );
    const part = Math.max(3, Math.ceil(found.length / 5));
    for (let at = 0; at < found.length; at += part) {
      await onPart(found.slice(at, at + part).map((flow) => structuredClone(flow)));
      await this.#turn();
    }
  }

  async countFlows(filter: FlowFilter): Promise<number> {
    let count = 0;
    await this.dumpFlows(filter, (flows) => void (count += flows.length));
    return count;
  }

  async dumpGroups(): Promise<readonly Group[]> {
    await this.#turn();
    return [...this.#switch.groups.values()];
  }

  async dumpMeters(): Promise<readonly Meter[]> {
    await this.#turn();
    return [...this.#switch.meters.values()];
  }

  async meterMod(command: 'add' | 'modify' | 'delete', meter: Meter): Promise<void> {
    await this.#turn();
    if (command === 'delete') this.#switch.meters.delete(meter.meter_id);
    else this.#switch.meters.set(meter.meter_id, meter);
  }

  async ctFlushZone(zone: number): Promise<void> {
    await this.#turn();
    this.#switch.flushed.push(zone);
  }

  async barrier(): Promise<void> {
    await this.#turn();
  }

  async enablePunts(_controllerId: number, onPacketIn: (packet: PacketIn) => void | Promise<void>): Promise<void> {
    await this.#turn();
    this.onPacketIn = onPacketIn;
  }

  packetOut(data: Uint8Array, inPort: number, actions: readonly Action[]): void {
    this.sent.push({ data, inPort, actions });
  }

  async requestRole(): Promise<void> {
    await this.#turn();
  }

  close(): void {
    this.disconnect(undefined);
  }

  disconnect(reason: Error | undefined = new ChannelError('connection_lost', 'the switch hung up')): void {
    this.#isOpen = false;
    this.#end(reason);
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new ChannelError('connection_lost', 'the switch hung up');
  }

  async #turn(): Promise<void> {
    this.#assertOpen();
    await new Promise((resolve) => setImmediate(resolve));
    this.#assertOpen();
  }
}

function applyOne(mod: TableMod, flows: Map<string, Flow>, groups: Map<number, Group>): string | undefined {
  switch (mod.kind) {
    case 'flow_add':
      if (groupsOf(mod.flow).some((id) => !groups.has(id))) return 'OFPBAC_BAD_OUT_GROUP';
      flows.set(flowKey(mod.flow), mod.flow);
      return undefined;
    case 'flow_delete_strict':
      flows.delete(flowKey(mod.flow));
      return undefined;
    case 'group_add':
      if (groups.has(mod.group.group_id)) return 'OFPGMFC_GROUP_EXISTS';
      groups.set(mod.group.group_id, mod.group);
      return undefined;
    case 'group_modify':
      if (!groups.has(mod.group.group_id)) return 'OFPGMFC_UNKNOWN_GROUP';
      groups.set(mod.group.group_id, mod.group);
      return undefined;
    case 'group_delete':
      groups.delete(mod.group_id);
      for (const [key, flow] of flows) if (groupsOf(flow).includes(mod.group_id)) flows.delete(key);
      return undefined;
  }
}

function groupsOf(flow: Flow): number[] {
  return flow.instructions.flatMap((instruction) =>
    instruction.kind === 'apply_actions' ? instruction.actions.flatMap((action) => (action.kind === 'group' ? [action.group_id] : [])) : [],
  );
}
