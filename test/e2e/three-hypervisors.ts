/**
 * The place that tests of several hypervisors share: three of them, two on one L2 and the third behind a router, and VMs that say their names.
 *
 * Promises: `startThree` leaves nothing behind where it fails.
 */
import { eventually } from '../lab/eventually.js';
import { Lab } from '../lab/lab.js';
import type { Underlay } from '../lab/underlay.js';
import type { Vm } from '../lab/vm.js';

/** Where VMs say their names. */
export const NAME_PORT = 7;

/** [L2, host] of each hypervisor. */
const PLACES = [
  [1, 10],
  [1, 11],
  [2, 10],
] as const;

/** A lab of hv1, hv2 and hv3 on their underlay; `use` makes of it what the test needs. */
export async function startThree<World>(use: (lab: Lab, underlay: Underlay) => Promise<World>): Promise<World> {
  const lab = await Lab.create();
  try {
    const underlay = await lab.addUnderlay();
    for (const [i, [segment, host]] of PLACES.entries()) await underlay.attach(await lab.addHypervisor(`hv${i + 1}`), segment, host);
    return await use(lab, underlay);
  } catch (error) {
    await lab.destroy();
    throw error;
  }
}

/** From now on the VM tells its name to whoever connects to NAME_PORT. A peer that goes without a word does not end it. */
export async function sayName(vm: Vm, name: string): Promise<void> {
  const server = `require('net').createServer((s) => s.on('error', () => {}).end('${name}')).listen(${NAME_PORT}, '::')`;
  vm.spawn([process.execPath, '-e', server]);
  await listeningOn(vm, NAME_PORT);
}

/** What the VM hears at an address: a name, or nothing. */
export async function askName(vm: Vm, address: string): Promise<string> {
  return (await vm.exec(['nc', '-N', '-w', '2', address, String(NAME_PORT)])).stdout;
}

export async function listeningOn(vm: Vm, port: number): Promise<void> {
  await eventually(`${vm.name} listening on ${port}`, async () => (await vm.run(['ss', '-ltnH'])).includes(`:${port} `));
}
