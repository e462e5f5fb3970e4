/**
 * The connections of a process to its Redis.
 *
 * Owns: their list, so that all are closed together and their state can be told.
 */
import type { Random } from '../kernel/ambient.js';
import type { RedisAccess } from './access.js';
import { RedisLink, type LinkState } from './link.js';

export interface RedisConnectionsOptions {
  readonly access: RedisAccess;
  readonly random: Random;
  /** What the connections are called in CLIENT LIST, before their purpose: `hotori-vnmgr`. No spaces. */
  readonly name: string;
  /** For the log: a link found its server, or failed to. */
  readonly onState?: (purpose: string, state: LinkState) => void;
}

export class RedisConnections {
  /** What every key starts with, such as `{hotori}:`. */
  readonly keyPrefix: string;
  /** The URL without secrets. */
  readonly text: string;
  private readonly options: RedisConnectionsOptions;
  private readonly links = new Map<string, RedisLink>();

  constructor(options: RedisConnectionsOptions) {
    this.options = options;
    this.keyPrefix = options.access.keyPrefix;
    this.text = options.access.text;
  }

  /**
   * A connection for one purpose, made when first asked for. Commands on it are answered in order: whoever sends blocking commands takes a
   * purpose of its own.
   * @param purpose shown in CLIENT LIST; no spaces
   */
  link(purpose: string): RedisLink {
    let link = this.links.get(purpose);
    if (link === undefined) {
      const { access, random, name, onState } = this.options;
      link = new RedisLink({ access, random, name: `${name}-${purpose}`, onState: onState && ((state) => onState(purpose, state)) });
      this.links.set(purpose, link);
    }
    return link;
  }

  /** Ends one connection, with the commands on their way. */
  async release(purpose: string): Promise<void> {
    const link = this.links.get(purpose);
    this.links.delete(purpose);
    await link?.close();
  }

  /** By purpose. */
  states(): ReadonlyMap<string, LinkState> {
    return new Map([...this.links].map(([purpose, link]) => [purpose, link.state()]));
  }

  async close(): Promise<void> {
    await Promise.all([...this.links.keys()].map((purpose) => this.release(purpose)));
  }
}
