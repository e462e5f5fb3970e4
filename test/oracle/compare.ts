/**
 * The interpreter against the switch.
 *
 * Owns: running many packets through both, and counting what they agree on.
 * Assumes: the switch holds the very tables given.
 * Promises: nothing of the switch is changed: no packet is sent, no packet-in is made.
 */
import type { Tables } from '../../flows/compile/contract.js';
import { Interpreter } from '../../flows/trace/interpreter.js';
import { agreementOn, traceArguments, type Difference, type TracedPacket } from '../../flows/trace/switch/agreement.js';
import { parsePorts } from '../../flows/trace/switch/ports.js';
import { Unixctl } from '../../datapath/ovsdb/unixctl.js';

/** A bridge of a running switch. */
export interface Target {
  /** Control socket of ovs-vswitchd. */
  readonly unixctl: string;
  readonly bridge: string;
}

export interface Comparison {
  readonly packets: number;
  /** Packets that reached at least one port, were punted, were dropped. */
  readonly verdicts: Readonly<Record<string, number>>;
  /** Distinct flows that were hit. */
  readonly flows_hit: number;
  /** Traces whose outputs could not be compared: the packet left through a patch port, or its length decides. */
  readonly partly: number;
  readonly differences: readonly Difference[];
}

export interface CompareOptions {
  readonly tables: Tables;
  readonly packets: readonly TracedPacket[];
  readonly target: Target;
  /** Differences after which to stop. Default 5. */
  readonly limit?: number | undefined;
}

/** Traces under way at once. */
const WINDOW = 8;

export async function compareWithSwitch({ tables, packets, target, limit = 5 }: CompareOptions): Promise<Comparison> {
  const unixctl = await Unixctl.connect(target.unixctl);
  try {
    const interpreter = new Interpreter(tables);
    const shown = parsePorts(await unixctl.command('dpif/show'), target.bridge);
    const differences: Difference[] = [];
    const verdicts: Record<string, number> = {};
    const hit = new Set<string>();
    let partly = 0;
    for (let at = 0; at < packets.length && differences.length < limit; at += WINDOW) {
      const batch = packets.slice(at, at + WINDOW);
      const texts = await Promise.all(batch.map((packet) => unixctl.command('ofproto/trace', ...traceArguments(target.bridge, packet))));
      for (const [index, text] of texts.entries()) {
        const outcome = agreementOn(interpreter, batch[index]!, text, shown);
        if (outcome.difference !== undefined) differences.push(outcome.difference);
        if (outcome.partly) partly++;
        const { trace } = outcome;
        verdicts[trace.verdict] = (verdicts[trace.verdict] ?? 0) + 1;
        for (const step of trace.steps) if (step.kind === 'table' && step.hit !== undefined) hit.add(step.hit.key);
      }
    }
    return { packets: packets.length, verdicts, flows_hit: hit.size, partly, differences };
  } finally {
    unixctl.close();
  }
}
