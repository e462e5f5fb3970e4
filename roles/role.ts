/**
 * What a process is made of.
 */
import type { Logger } from 'pino';
import type { Config } from '../controller/kernel/config.js';

/** Something that runs until it is stopped. */
export interface Role {
  readonly name: string;
  stop(): Promise<void>;
}

export interface RoleContext {
  readonly config: Config;
  readonly logger: Logger;
  readonly version: string;
  /** Called with each part that runs; they are stopped in the reverse order. */
  readonly started: (role: Role) => void;
}

/** The same, with the name of a role in the log. */
export function forRole(context: RoleContext, role: string): RoleContext {
  return { ...context, logger: context.logger.child({ role }) };
}

/** Starts a role; resolves once it is of use. */
export type StartRole = (context: RoleContext) => Promise<void>;

/** How long parts may take to finish what is under way when the process stops, milliseconds. */
export const DRAIN_MS = 10_000;
