/**
 * Packets through the switch's own trace.
 *
 * Owns: asking ovs-vswitchd what it would do with packets, and comparing that with what the interpreter makes of the flows wanted on the bridge.
 * Promises: nothing of the switch is changed, no packet is sent. Cost follows the tables: the interpreter is made anew, from what is wanted then.
 */
import type { TraceCheck, TraceProbe } from '../../controller/messages/slice.js';
import type { Compiler } from '../../flows/compile/contract.js';
import { HotoriError } from '../../flows/model/errors.js';
import { Interpreter } from '../../flows/trace/interpreter.js';
import { agreementOn, traceArguments, type TracedPacket } from '../../flows/trace/switch/agreement.js';
import { parsePacket } from '../../flows/trace/switch/flow-text.js';
import { parsePorts } from '../../flows/trace/switch/ports.js';
import { findControlSocket } from '../ovsdb/control-socket.js';
import type { Endpoint } from '../ovsdb/endpoint.js';
import { Unixctl } from '../ovsdb/unixctl.js';

export interface SwitchCheckerOptions {
  readonly endpoint: Endpoint;
  readonly bridge: string;
  /** What is wanted on the bridge. */
  readonly compiler: () => Compiler;
}

export class SwitchChecker {
  readonly #options: SwitchCheckerOptions;

  constructor(options: SwitchCheckerOptions) {
    this.#options = options;
  }

  /** Throws HotoriError `unavailable` when the switch cannot be asked, `invalid_argument` for a packet from a port that is not here. */
  async check(probes: readonly TraceProbe[]): Promise<readonly TraceCheck[]> {
    const ports = portsOf(this.#options.compiler());
    return this.checkPackets(
      probes.map(({ by, packet, ct }) => {
        const in_port = ports.get(by);
        if (in_port === undefined) throw new HotoriError('invalid_argument', `${by} has no port on ${this.#options.bridge}`);
        return { fields: { ...parsePacket(packet), in_port }, ct };
      }),
    );
  }

  async checkPackets(packets: readonly TracedPacket[]): Promise<readonly TraceCheck[]> {
    const { bridge, compiler } = this.#options;
    const unixctl = await this.#connect();
    try {
      const shown = parsePorts(await unixctl.command('dpif/show'), bridge);
      const interpreter = new Interpreter(compiler().tables);
      const checks: TraceCheck[] = [];
      for (const packet of packets) {
        const text = await unixctl.command('ofproto/trace', ...traceArguments(bridge, packet));
        const { difference, partly, walk } = agreementOn(interpreter, packet, text, shown);
        const what = difference && {
          what: difference.what,
          packet: difference.packet,
          interpreter: JSON.stringify(difference.interpreter ?? null),
          switch: JSON.stringify(difference.switch ?? null),
        };
        checks.push({ difference: what ?? null, partly, walk: walk.map((tables) => [...tables]), text });
      }
      return checks;
    } catch (error) {
      if (error instanceof HotoriError) throw error;
      throw new HotoriError('unavailable', `ovs-vswitchd does not trace: ${messageOf(error)}`, { cause: error });
    } finally {
      unixctl.close();
    }
  }

  async #connect(): Promise<Unixctl> {
    const socket = await findControlSocket(this.#options.endpoint);
    if (socket === undefined) throw new HotoriError('unavailable', 'the control socket of ovs-vswitchd is not on this host');
    try {
      return await Unixctl.connect(socket);
    } catch (error) {
      throw new HotoriError('unavailable', `${socket}: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** Port numbers, by the names traces give ports: the interface, the encapsulation, `underlay`. */
function portsOf(compiler: Compiler): ReadonlyMap<string, number> {
  const ports = new Map<string, number>();
  for (const record of compiler.records()) {
    if (record.kind === 'local_port') ports.set(record.interface_uuid, record.ofport);
    if (record.kind === 'tunnel_port') ports.set(record.encap, record.ofport);
    if (record.kind === 'underlay_port' && record.uuid === 'underlay') ports.set('underlay', record.ofport);
    if (record.kind === 'physical_port') ports.set(`physical:${record.physical_network}`, record.ofport);
  }
  return ports;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
