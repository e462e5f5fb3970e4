/**
 * Who serves the subjects that this member asks for.
 *
 * Owns: a watch for each subject, from the first request until it was not asked for a while: there may be a subject for each of many datapaths.
 */
import type { TableChange } from './contract.js';

export interface RosterParts {
  /** This member, whose name decides with which server it begins. */
  readonly member: string;
  readonly followMs: number;
  readonly watch: (subject: string, sink: (change: TableChange) => void, signal: AbortSignal) => void;
  readonly onLost: (server: string, subject: string) => void;
}

/** Those who serve one subject. */
export interface Servers {
  readonly live: ReadonlySet<string>;
  /** Resolves once it is known who serves. */
  readonly known: Promise<void>;
  /** Grows by one with each server that is taken. */
  turn: number;
}

interface Followed extends Servers {
  readonly live: Set<string>;
  readonly stop: AbortController;
  /** Requests under way, and when the last one ended. */
  asked: number;
  idleSince: number;
}

export class Roster {
  private readonly parts: RosterParts;
  private readonly subjects = new Map<string, Followed>();

  constructor(parts: RosterParts) {
    this.parts = parts;
  }

  /** Does something with those who serve; they are followed until it is done, and for a while after. */
  async with<T>(subject: string, work: (servers: Servers) => Promise<T>): Promise<T> {
    const servers = this.subjects.get(subject) ?? this.follow(subject);
    servers.asked++;
    try {
      return await work(servers);
    } finally {
      servers.asked--;
      servers.idleSince = performance.now();
    }
  }

  /** Stops following subjects that nobody asks for. */
  tidy(): void {
    const limit = performance.now() - this.parts.followMs;
    for (const [subject, { asked, idleSince }] of this.subjects) if (asked === 0 && idleSince < limit) this.forget(subject);
  }

  /** Of all subjects. */
  close(): void {
    for (const subject of [...this.subjects.keys()]) this.forget(subject);
  }

  private follow(subject: string): Followed {
    const { member, watch, onLost } = this.parts;
    const live = new Set<string>();
    let know!: () => void;
    const known = new Promise<void>((resolve) => (know = resolve));
    const servers = { live, known, stop: new AbortController(), turn: hashOf(member), asked: 0, idleSince: 0 };
    this.subjects.set(subject, servers);
    const sink = (change: TableChange): void => {
      for (const [server, value] of change)
        if (value !== undefined) live.add(server);
        else if (live.delete(server)) onLost(server, subject);
      know();
    };
    watch(subject, sink, servers.stop.signal);
    return servers;
  }

  private forget(subject: string): void {
    this.subjects.get(subject)?.stop.abort();
    this.subjects.delete(subject);
  }
}

/** Members begin at different servers. */
function hashOf(text: string): number {
  let hash = 7;
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) >>> 0;
  return hash % 1_000_003;
}
