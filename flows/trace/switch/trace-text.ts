/**
 * What `ofproto/trace` prints, taken apart.
 *
 * Owns: the layout of its output (ofproto/ofproto-dpif-trace.c of Open vSwitch 3.1).
 * Promises: one section per pass; lines of other bridges, which a packet reaches through patch ports, are left out.
 */
export interface WalkedTable {
  readonly table: number;
  /** Absent on a miss. */
  readonly priority?: number | undefined;
  readonly cookie?: bigint | undefined;
  /** The match as printed. */
  readonly match: string;
}

export interface TraceSection {
  /** The packet at the start, as printed. */
  readonly flow: string;
  readonly tables: readonly WalkedTable[];
  /** The packet at the end, as printed; absent if unchanged. */
  readonly finalFlow: string | undefined;
  readonly actions: string;
  /** Why translation failed. */
  readonly error: string | undefined;
  /** Another bridge was entered: the actions are not this bridge's alone. */
  readonly leavesBridge: boolean;
  /** Translation stopped early because its result became too long, which depends on the datapath's encoding. */
  readonly oversized: boolean;
}

const RULE_LINE = /^(\s*)(\d+)\. (.*?),? ?priority (\d+)(?:, cookie (0x[0-9a-f]+))?$/;
const MISS_LINE = /^(\s*)(\d+)\. No match/;
const BRIDGE_LINE = /^(\s*)bridge\("([^"]+)"\)$/;

export function parseTrace(text: string): TraceSection[] {
  return text.split(/\n\n={79}\nrecirc\([^\n]*\n(?:[^\n]*\n)*?={79}\n\n/).map(parseSection);
}

function parseSection(text: string): TraceSection {
  const tables: WalkedTable[] = [];
  let foreign: number | undefined;
  let bridges = 0;
  let leavesBridge = false;
  for (const line of text.split('\n')) {
    const bridge = BRIDGE_LINE.exec(line);
    if (bridge !== null) {
      bridges += 1;
      if (bridges > 1) {
        foreign ??= bridge[1]!.length;
        leavesBridge = true;
      }
      continue;
    }
    if (foreign !== undefined && line.length > 0) {
      if (line.search(/\S/) >= foreign) continue;
      foreign = undefined;
    }
    const miss = MISS_LINE.exec(line);
    if (miss !== null) tables.push({ table: Number(miss[2]), match: '' });
    const rule = miss === null ? RULE_LINE.exec(line) : null;
    if (rule !== null) {
      const [, , table, match = '', priority, cookie] = rule;
      tables.push({ table: Number(table), priority: Number(priority), cookie: BigInt(cookie ?? 0), match });
    }
  }
  const find = (pattern: RegExp): string | undefined => pattern.exec(text)?.[1];
  const finalFlow = find(/^Final flow: (.*)$/m);
  return {
    flow: find(/^Flow: (.*)$/m) ?? '',
    tables,
    finalFlow: finalFlow === 'unchanged' ? undefined : finalFlow,
    actions: find(/^Datapath actions: (.*)$/m) ?? '',
    error: find(/^Translation failed \((.*?)\)/m),
    leavesBridge,
    oversized: text.includes('resubmits yielded over 64 kB'),
  };
}
