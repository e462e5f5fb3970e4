/**
 * Names for what policy punts carry as numbers.
 *
 * Owns: rules by their key, interfaces by their port key, as the slice has them now.
 */
import type { SliceRecord } from '../../controller/messages/slice.js';
import type { SecurityGroupRule } from '../../flows/model/entities/security-group.js';

export interface NamedRule {
  readonly rule: SecurityGroupRule;
  readonly security_group_uuid: string;
}

export class PolicyNames {
  readonly #rules = new Map<number, NamedRule>();
  readonly #interfaces = new Map<number, string>();
  /** Keys by record. */
  readonly #keys = new Map<string, readonly number[]>();

  /** @param deletes uuids. */
  apply(puts: readonly SliceRecord[], deletes: readonly string[]): void {
    for (const uuid of deletes) this.#forget(uuid);
    for (const record of puts) {
      if (record.kind === 'interface') {
        this.#forget(record.uuid);
        this.#keys.set(record.uuid, [record.port_key]);
        this.#interfaces.set(record.port_key, record.uuid);
      } else if (record.kind === 'security_group') {
        this.#forget(record.uuid);
        this.#keys.set(
          record.uuid,
          record.rules.map((rule) => rule.rule_key),
        );
        for (const rule of record.rules) this.#rules.set(rule.rule_key, { rule, security_group_uuid: record.uuid });
      }
    }
  }

  replace(records: readonly SliceRecord[]): void {
    this.#rules.clear();
    this.#interfaces.clear();
    this.#keys.clear();
    this.apply(records, []);
  }

  rule(key: number): NamedRule | undefined {
    return this.#rules.get(key);
  }

  /** uuid of the interface with this port key. */
  interfaceOf(portKey: number): string | undefined {
    return this.#interfaces.get(portKey);
  }

  #forget(uuid: string): void {
    const names = uuid.startsWith('if-') ? this.#interfaces : this.#rules;
    for (const key of this.#keys.get(uuid) ?? []) names.delete(key);
    this.#keys.delete(uuid);
  }
}
