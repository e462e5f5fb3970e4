/**
 * One of those who are measured.
 *
 * Owns: what the measurement asks of Hotori and of a peer alike.
 */
import type { Roles } from './processes.js';
import type { Switch } from './switches.js';
import type { Port } from './workload.js';

export interface Side {
  readonly name: string;
  readonly switches: readonly Switch[];
  roles(): Roles;
  /** NICs are plugged, nothing defined; resolves when the controller has nothing left to do. */
  plug(ports: readonly Port[]): Promise<void>;
  /** Defines everything in one transaction. Resolves when every NIC is said to be installed and every hypervisor is up to date. */
  load(): Promise<void>;
  /** Defines a port whose NIC is plugged. Resolves when every hypervisor has it; `onInstalled` is called when the NIC is said to be installed. */
  addPort(port: Port, onInstalled?: () => void): Promise<void>;
  /** One rule more in the first group. Resolves when every hypervisor has it. */
  addRule(tcpPort: number): Promise<void>;
  /** Without that rule again. */
  removeRule(): Promise<void>;
  /** Takes a port out of its group, and in again. Resolves when every hypervisor has it. */
  leave(port: Port): Promise<void>;
  join(port: Port): Promise<void>;
  /** Resolves when there is nothing left to do. */
  settle(): Promise<void>;
  /** Ends what programs the first hypervisor and starts it again, flows left in place. Resolves when it is known to be up to date. */
  restart(): Promise<void>;
  /** Modifications sent to each switch since the last start; where that can be asked. */
  flowMods?(): Promise<readonly number[]>;
  /** Ends what programs the switches; the flows stay, and may be measured. */
  end?(): Promise<void>;
  stop(): Promise<void>;
}
