/**
 * Which routers of a slice translate addresses, and so need conntrack zones of their own.
 *
 * Promises: what `links` gives depends on the records held, not on how they came.
 */
import type { Entity } from '../model/entities.js';

type Part = Extract<Entity, { kind: 'floating_ip' | 'nat_rule' | 'translation' | 'route' }>;
const PARTS: readonly string[] = ['floating_ip', 'nat_rule', 'translation', 'route'] satisfies readonly Part['kind'][];

export class TranslatingRouters {
  readonly #parts = new Map<string, Part>();

  clear(): void {
    this.#parts.clear();
  }

  update(puts: Iterable<{ readonly kind: string; readonly uuid: string }>, deletes: Iterable<string>): void {
    for (const uuid of deletes) this.#parts.delete(uuid);
    for (const record of puts) if (PARTS.includes(record.kind)) this.#parts.set(record.uuid, record as Part);
  }

  /** uuids of their route links. */
  links(): ReadonlySet<string> {
    const links = new Set<string>();
    const interfaces = new Set<string>();
    for (const part of this.#parts.values()) {
      if (part.kind === 'translation') interfaces.add(part.interface_uuid);
      else if (part.kind !== 'route' && part.route_link_uuid !== null) links.add(part.route_link_uuid);
    }
    if (interfaces.size === 0) return links;
    for (const part of this.#parts.values())
      if (part.kind === 'route' && part.interface_uuid !== null && interfaces.has(part.interface_uuid)) links.add(part.route_link_uuid);
    return links;
  }
}
