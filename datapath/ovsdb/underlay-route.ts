/**
 * What ovs-vswitchd knows of the way to an underlay address.
 *
 * Owns: asking it over its control socket (JSON-RPC 1.0, ovs-appctl(8)): routes, and for the userspace datapath neighbours.
 * Assumes: the control socket is in the directory of the OVSDB socket, where Open vSwitch puts both.
 * Promises: nothing is changed there. Where the socket is not to be found or does not answer, nothing is said.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { formatIp, parseIp } from '../../flows/net/ip.js';
import type { Endpoint } from './endpoint.js';
import { OvsdbError } from './ovsdb-error.js';
import { DEFAULT_RPC_LIMITS, RpcSession } from './rpc-session.js';

export interface UnderlayDoubt {
  readonly code: 'no_underlay_route' | 'no_underlay_neighbour';
  readonly message: string;
}

const LIMITS = { ...DEFAULT_RPC_LIMITS, connectTimeoutMs: 1_000, requestTimeoutMs: 1_000, maxMessageBytes: 4 * 1024 * 1024 };

/** Why packets for an address do not leave; undefined where nothing speaks against it, or nothing is known. */
export async function doubtAbout(
  address: string,
  { endpoint, datapath_type }: { readonly endpoint: Endpoint; readonly datapath_type: 'system' | 'netdev' },
  signal: AbortSignal,
): Promise<UnderlayDoubt | undefined> {
  const session = await connect(endpoint, signal);
  if (session === undefined) return undefined;
  try {
    const route = await ask(session, 'ovs/route/lookup', [address], signal);
    if (route === 'refused') return { code: 'no_underlay_route', message: `the switch has no route to ${address}` };
    // The kernel's datapath has the kernel's neighbours.
    if (route === undefined || datapath_type === 'system') return undefined;
    const gateway = /^gateway (\S+)$/m.exec(route)?.[1];
    const hop = gateway === undefined || /^(0\.0\.0\.0|::)$/.test(gateway) ? address : canonical(gateway);
    const neighbours = await ask(session, 'tnl/neigh/show', [], signal);
    if (neighbours === undefined || neighbours === 'refused') return undefined;
    const known = neighbours.split('\n').some((line) => canonical(line.trim().split(/\s+/)[0] ?? '') === hop);
    return known ? undefined : { code: 'no_underlay_neighbour', message: `nobody answers for its next hop ${hop}` };
  } finally {
    session.close();
  }
}

async function connect(endpoint: Endpoint, signal: AbortSignal): Promise<RpcSession | undefined> {
  if (endpoint.kind !== 'unix') return undefined;
  const dir = path.dirname(endpoint.path);
  const pid = await readFile(path.join(dir, 'ovs-vswitchd.pid'), 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
  for (const name of [...(pid === undefined ? [] : [`ovs-vswitchd.${pid}.ctl`]), 'ovs-vswitchd.ctl']) {
    const ignored = { onNotification: () => undefined, onBatchEnd: () => undefined };
    try {
      return await RpcSession.connect({ kind: 'unix', path: path.join(dir, name) }, LIMITS, ignored, signal);
    } catch (error) {
      if (!(error instanceof OvsdbError)) throw error;
    }
  }
  return undefined;
}

/** @returns the text of the answer; `refused` where there is nothing of the kind; undefined where there is no answer. */
async function ask(session: RpcSession, method: string, params: readonly string[], signal: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await session.request(method, params, signal);
    return typeof answer === 'string' ? answer : undefined;
  } catch (error) {
    if (!(error instanceof OvsdbError)) throw error;
    return error.code === 'refused' && /not found/i.test(error.message) ? 'refused' : undefined;
  }
}

function canonical(address: string): string {
  try {
    return formatIp(parseIp(address));
  } catch {
    return address;
  }
}
