/**
 * Health and metrics of a role without an API.
 */
import { startHealthServer } from '../controller/kernel/health-server.js';
import type { Metrics } from '../controller/kernel/metrics.js';
import type { HostPort } from '../controller/kernel/settings.js';
import type { RoleContext } from './role.js';

/** @returns where it listens; null for nowhere. Throws ListenError. */
export async function startHealth(
  { started }: RoleContext,
  listen: HostPort | null,
  metrics: Metrics,
  missing: () => readonly string[],
): Promise<HostPort | null> {
  if (listen === null) return null;
  const server = await startHealthServer({ listen, metrics, missing });
  started({ name: 'health', stop: () => server.stop() });
  return server.address;
}
