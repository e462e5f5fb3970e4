/**
 * The controller of the packet-in benchmark, a process of its own: a learning switch on the real channel and codec.
 *
 * Listens on the port given and runs until it is killed. Per packet-in it learns the source, adds a flow when the destination is known, and sends
 * the packet out: what the peers do.
 */
import { listenChannels } from '../../../datapath/channel/listen.js';
import type { PacketIn } from '../../../datapath/channel/contract.js';
import type { OpenFlowChannel } from '../../../datapath/channel/openflow-channel.js';

const FLOOD = 0xfffffffb;
const CONTROLLER = 0xfffffffd;
const ETHERNET_HEADER = 14;

function attach(channel: OpenFlowChannel): void {
  const ports = new Map<number, number>();
  channel.setReceivers({ onPacketIn: (packet) => respond(channel, ports, packet) });
  channel.send({
    kind: 'flow_mod',
    command: 'add',
    flow: {
      table: 0,
      priority: 0,
      match: [],
      cookie: 0n,
      instructions: [{ kind: 'apply_actions', actions: [{ kind: 'output', port: CONTROLLER, max_len: 0xffff }] }],
    },
  });
}

function respond(channel: OpenFlowChannel, ports: Map<number, number>, { data, metadata }: PacketIn): void {
  const [field] = metadata;
  if (data.length < ETHERNET_HEADER || field?.field !== 'in_port') return;
  const inPort = field.value as number;
  const destination = mac(data, 0);
  const source = mac(data, 6);
  if (ports.get(source) !== inPort) ports.set(source, inPort);
  const port = ports.get(destination);
  const actions = [{ kind: 'output', port: port ?? FLOOD, max_len: 0 }] as const;
  if (port !== undefined) {
    channel.send({
      kind: 'flow_mod',
      command: 'add',
      flow: {
        table: 0,
        priority: 1,
        match: [
          { field: 'in_port', value: inPort },
          { field: 'eth_dst', value: destination },
          { field: 'eth_src', value: source },
        ],
        cookie: 0n,
        instructions: [{ kind: 'apply_actions', actions }],
      },
    });
  }
  channel.packetOut(data, inPort, actions);
}

function mac(bytes: Uint8Array, at: number): number {
  const high = (bytes[at]! << 8) | bytes[at + 1]!;
  const low = ((bytes[at + 2]! << 24) | (bytes[at + 3]! << 16) | (bytes[at + 4]! << 8) | bytes[at + 5]!) >>> 0;
  return high * 0x1_0000_0000 + low;
}

await listenChannels(`ptcp:${process.argv[2] ?? 6653}:127.0.0.1`, {}, attach);
