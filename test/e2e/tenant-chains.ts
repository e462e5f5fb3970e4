/**
 * Two tenants with the same addresses everywhere, each with eight routers in a row behind its network.
 *
 * Owns: definitions and VMs on top of an OverlayWorld: router i of tenant t is .1 in the network before it and .2 in the one behind; at the end of tenant 1 is
 * `end1` on the third hypervisor, at the end of tenant 2 `end2` on the second, both at the same address.
 */
import type { Vm } from '../lab/vm.js';
import type { OverlayWorld } from './overlay-world.js';
import { listeningOn } from './three-hypervisors.js';
import { post } from './world.js';

export const CHAIN = 8;
export const CHAIN_END = { ipv4: '10.66.8.10', ipv6: 'fd66:8::10' };
export const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** The address by which packets from the start come to router i. */
export function chainHop(i: number, v6 = false): string {
  if (i === 1) return v6 ? 'fd00:101::1' : '10.101.0.1';
  return v6 ? `fd66:${i - 1}::1` : `10.66.${i - 1}.1`;
}

export async function defineTenantChains(world: OverlayWorld): Promise<void> {
  const ends: Vm[] = [];
  for (const [tenant, hypervisor] of [
    [1, 2],
    [2, 1],
  ] as const)
    ends.push(await world.lab.addVm(world.lab.hypervisors[hypervisor]!, { name: `end${tenant}`, iface_id: `if-end${tenant}` }));
  await world.hotori.post('/batch?wait=installed', {
    operations: [1, 2].flatMap((tenant) => {
      const behind = (i: number) => (i === 0 ? `nw-${tenant}` : `nw-t${tenant}c${i}`);
      const back = (i: number, v6: boolean) => (v6 ? `fd66:${i}::2` : `10.66.${i}.2`);
      return [
        ...numbers(1, CHAIN).map((i) => post('networks', { uuid: behind(i), ipv4_network: `10.66.${i}.0`, ipv6_network: `fd66:${i}::` })),
        ...numbers(1, CHAIN).map((i) =>
          post('routers', {
            uuid: `rt-t${tenant}c${i}`,
            networks: [
              { network_uuid: behind(i - 1), ip_addresses: [chainHop(i), chainHop(i, true)] },
              { network_uuid: behind(i), ip_addresses: [back(i, false), back(i, true)] },
            ],
            routes: [
              ...(i === CHAIN ? [] : [false, true].map((v6) => ({ destination: v6 ? '::/0' : '0.0.0.0/0', via: chainHop(i + 1, v6) }))),
              ...(i === 1
                ? []
                : [
                    { destination: '10.101.0.0/24', via: back(i - 1, false) },
                    { destination: 'fd00:101::/64', via: back(i - 1, true) },
                  ]),
            ],
          }),
        ),
        post('interfaces', {
          uuid: `if-end${tenant}`,
          mode: 'vif',
          mac_address: ends[tenant - 1]!.mac,
          network_uuid: behind(CHAIN),
          ipv4_address: CHAIN_END.ipv4,
          ipv6_address: CHAIN_END.ipv6,
        }),
      ];
    }),
  });
  for (const end of ends) {
    await end.configure(`${CHAIN_END.ipv4}/24`, '10.66.8.2');
    await end.configure(`${CHAIN_END.ipv6}/64`, 'fd66:8::2');
    end.spawn([process.execPath, '-e', `require('net').createServer((s) => s.on('error', () => {}).end('${end.name}')).listen(7, '::')`]);
    await listeningOn(end, 7);
  }
  for (const n of [1, 2]) {
    const { netns } = world.vm(n);
    await netns.run(['ip', 'route', 'replace', 'default', 'via', chainHop(1)]);
    await netns.run(['ip', '-6', 'route', 'replace', 'default', 'via', chainHop(1, true)]);
  }
  await world.untilReady();
}

/** What each line of a tool that lists hops names; `*` where nobody answered. */
export async function hopsOf(from: Pick<Vm, 'exec'>, ...argv: readonly [string, ...string[]]): Promise<string[]> {
  const { stdout } = await from.exec(argv, { timeoutMs: 40_000 });
  return stdout.split('\n').flatMap((line) => /^\s*\d+(?:[:?.|-]*\s+|\s)\s*(\*|[0-9a-f.:]{3,})/.exec(line)?.[1] ?? []);
}
