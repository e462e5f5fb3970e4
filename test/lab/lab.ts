/**
 * A laboratory: hypervisors, VMs and Hotori processes on one machine, apart from everything else on it.
 *
 * Owns: a directory under /tmp, and every namespace, process and file made through it, all named with a prefix of its own.
 * Assumes: root, Linux network namespaces, the Debian packages that `make deps` installs.
 * Promises: labs do not see each other; `destroy` leaves nothing, and if this process dies first a reaper does the same.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { Hotori, type HotoriOptions } from './hotori.js';
import { Hypervisor } from './hypervisor.js';
import { Ovs } from './ovs.js';
import { Reaper } from './reaper.js';
import { Underlay } from './underlay.js';
import { Vm, type VmSpec } from './vm.js';

export class Lab {
  /** Of the names of all namespaces: `PREFIX-…`. */
  readonly prefix: string;
  readonly dir: string;
  readonly hypervisors: Hypervisor[] = [];
  readonly vms: Vm[] = [];
  readonly #reaper: Reaper;
  /** Undone last to first. */
  readonly #undo: (() => Promise<void>)[] = [];
  readonly #starting = new Set<Promise<void>>();
  #hotoris = 0;
  #isClosing = false;

  private constructor(prefix: string, dir: string) {
    this.prefix = prefix;
    this.dir = dir;
    this.#reaper = new Reaper(prefix, dir);
  }

  static async create(): Promise<Lab> {
    const prefix = `lab${randomBytes(3).toString('hex')}`;
    return new Lab(prefix, await mkdtemp(`/tmp/${prefix}-`));
  }

  /** With a running switch and no bridge. */
  async addHypervisor(name = 'hv1'): Promise<Hypervisor> {
    const hypervisor = new Hypervisor(name, `${this.prefix}-${name}`, path.join(this.dir, name));
    this.hypervisors.push(hypervisor);
    return this.#start(hypervisor, () => hypervisor.destroy());
  }

  /** With no L2 and nobody attached. */
  async addUnderlay(name = 'underlay'): Promise<Underlay> {
    const underlay = new Underlay(`${this.prefix}-${name}`, path.join(this.dir, name));
    return this.#start(underlay, () => underlay.destroy());
  }

  /** A running switch whose devices are dummies; needs no namespace. */
  async addDummySwitch(name = 'sw1'): Promise<Ovs> {
    const ovs = new Ovs({ dir: path.join(this.dir, name), dummy: true });
    return this.#start(ovs, () => ovs.stop());
  }

  async addVm(hypervisor: Hypervisor, spec: VmSpec): Promise<Vm> {
    const mac = spec.mac ?? makeMac(this.vms.length + 1);
    const vm = new Vm(hypervisor, `${this.prefix}-${spec.name}`, path.join(this.dir, spec.name), { ...spec, mac });
    this.vms.push(vm);
    return this.#start(vm, () => vm.destroy());
  }

  /** A `hotori all`, ready to be asked. Needs `npm run build`. */
  async startHotori(options: Omit<HotoriOptions, 'dir'>): Promise<Hotori> {
    this.#hotoris += 1;
    const hotori = new Hotori({ ...options, dir: path.join(this.dir, `hotori${this.#hotoris}`) });
    return this.#start(hotori, () => hotori.stop());
  }

  /** What is to be undone is known before anything is done. */
  async #start<T extends { start(): Promise<void> }>(part: T, undo: () => Promise<void>): Promise<T> {
    if (this.#isClosing) throw new Error('the lab is being destroyed');
    this.#undo.push(undo);
    const starting = part.start();
    this.#starting.add(starting);
    await starting.finally(() => this.#starting.delete(starting));
    return part;
  }

  /** Everything, even when part of it fails; throws the first failure at the end. */
  async destroy(): Promise<void> {
    this.#isClosing = true;
    await Promise.allSettled(this.#starting);
    const failures: unknown[] = [];
    for (const undo of this.#undo.splice(0).reverse()) await undo().catch((error: unknown) => failures.push(error));
    await rm(this.dir, { recursive: true, force: true });
    // On a failure the reaper, who sees us go, tries again.
    if (failures.length > 0) throw failures[0];
    this.#reaper.dismiss();
  }
}

/** The nth of the lab. */
function makeMac(n: number): string {
  const digits = n.toString(16).padStart(6, '0');
  return `52:54:00:${digits.slice(0, 2)}:${digits.slice(2, 4)}:${digits.slice(4)}`;
}
