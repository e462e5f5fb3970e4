/**
 * Where ovs-vswitchd takes the commands of ovs-appctl(8).
 *
 * Owns: finding its control socket: in its run directory, which is where the OVSDB socket is too, by the name it was given or by its pid.
 */
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Endpoint } from './endpoint.js';

const DAEMON = 'ovs-vswitchd';

/** undefined where there is none to be found: an OVSDB reached over TCP is that of another host. */
export async function findControlSocket(endpoint: Endpoint): Promise<string | undefined> {
  if (endpoint.kind === 'tcp') return undefined;
  const directory = path.dirname(endpoint.path);
  const pid = await readFile(path.join(directory, `${DAEMON}.pid`), 'utf8').catch(() => '');
  const names = [...(pid.trim() === '' ? [] : [`${DAEMON}.${pid.trim()}.ctl`]), `${DAEMON}.ctl`];
  for (const name of names) {
    const socket = path.join(directory, name);
    const isThere = await access(socket).then(
      () => true,
      () => false,
    );
    if (isThere) return socket;
  }
  return undefined;
}
