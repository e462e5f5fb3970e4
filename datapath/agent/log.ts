/**
 * The part of a pino logger the agent uses.
 *
 * Promises: a line that is written `inContext` says of which datapath it is and which revision is wanted there, unless it says otherwise itself.
 */
export interface AgentLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface LogContext {
  /** Its uuid; before vnmgr has said that, its dpid. */
  readonly datapath: string;
  /** Number of the revision wanted when the line is written; null while nothing is wanted. */
  readonly revision: number | null;
}

/** @param context is asked for each line. */
export function inContext(log: AgentLog, context: () => LogContext): AgentLog {
  const complete = (fields: object): object => ({ ...context(), ...fields });
  return {
    info: (fields, message) => log.info(complete(fields), message),
    warn: (fields, message) => log.warn(complete(fields), message),
    error: (fields, message) => log.error(complete(fields), message),
  };
}
