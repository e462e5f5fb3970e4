/**
 * Which of several controllers may write (OF1.3.5 §6.3.5).
 *
 * Owns: the role of one connection, as granted by the switch or taken away by it (EXT-191).
 * Assumes: generation ids come from one source for all controllers, such as an election term, and only grow; the switch compares them and keeps the highest.
 * Promises: after a demotion nothing is written any more, until a new role is granted.
 */
import type { RoleStatusMessage } from '../../flows/openflow/message.js';
import type { Connection } from './connection.js';
import { ChannelError } from './errors.js';

export type GrantedRole = 'equal' | 'master' | 'slave';

export class RoleState {
  readonly #connection: Connection;
  #current: GrantedRole = 'equal';
  #generation: bigint | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get current(): GrantedRole {
    return this.#current;
  }

  /** The highest generation the switch has told or granted. */
  get generation(): bigint | undefined {
    return this.#generation;
  }

  /** @throws SwitchRejection when the switch refuses, ChannelError */
  async request(role: GrantedRole, generationId: bigint): Promise<void> {
    await this.#connection.request({ kind: 'role_request', role, generation_id: generationId });
    this.#current = role;
    this.#generation = generationId;
  }

  /** ROLE_STATUS: another controller became master. The connection stays, for reading. */
  changedBySwitch(status: RoleStatusMessage): void {
    if (status.role === 'nochange') return;
    if (status.role === 'slave' && this.#current !== 'slave') this.#connection.counts.demotions++;
    this.#current = status.role;
    this.#generation = status.generation_id;
  }

  /** @throws ChannelError `not_master` */
  assertWritable(): void {
    if (this.#current === 'slave') throw new ChannelError('not_master', 'this connection is a slave and may not write');
  }
}
