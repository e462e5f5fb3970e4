/**
 * A process from its start to its end.
 *
 * Owns: its log, its signals, and stopping its roles in the reverse order of their start.
 * Promises: SIGTERM and SIGINT end the process within DRAIN_MS, a second one at once. An error that nobody expected ends it, and the log has it.
 */
import { destination, pino, stdTimeFunctions, type Logger } from 'pino';
import type { loadConfig } from '../controller/kernel/config.js';
import { DRAIN_MS, type Role, type StartRole } from './role.js';

/** Runs until a signal; does not return then. Throws what keeps the roles from starting. */
export async function runProcess(start: StartRole, { config, warnings }: ReturnType<typeof loadConfig>, version: string): Promise<void> {
  // Written at once: what is logged before the process dies is what explains it.
  const logger = pino(
    { level: config.log_level, base: { pid: process.pid }, timestamp: stdTimeFunctions.isoTime },
    destination({ dest: 1, sync: true }),
  );
  for (const warning of warnings) logger.warn(warning);
  process.on('unhandledRejection', (error) => die(logger, error));
  process.on('uncaughtException', (error) => die(logger, error));

  const roles: Role[] = [];
  const stopped = stopOnSignal(roles, logger);
  try {
    await start({ config, logger, version, started: (role) => roles.push(role) });
  } catch (error) {
    await stopRoles(roles, logger);
    throw error;
  }
  await stopped;
  process.exit(0);
}

/** Resolves when a signal has come and the roles have stopped. */
function stopOnSignal(roles: readonly Role[], logger: Logger): Promise<void> {
  return new Promise((resolve) => {
    let isStopping = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (isStopping) process.exit(1);
      isStopping = true;
      logger.info({ signal }, 'stopping');
      setTimeout(() => {
        logger.warn('stopping took too long; leaving what is not finished');
        process.exit(0);
      }, DRAIN_MS).unref();
      void stopRoles(roles, logger).then(resolve);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

async function stopRoles(roles: readonly Role[], logger: Logger): Promise<void> {
  for (const role of roles.toReversed()) {
    try {
      await role.stop();
    } catch (error) {
      logger.error({ err: error, role: role.name }, 'did not stop cleanly');
    }
  }
}

function die(logger: Logger, error: unknown): never {
  logger.fatal({ err: error }, 'unexpected error');
  process.exit(1);
}
