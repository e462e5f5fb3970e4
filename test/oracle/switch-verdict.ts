/**
 * What the switch itself says would become of packets.
 *
 * Owns: asking `ofproto/trace` and reading a verdict off its answer, without the interpreter.
 * Assumes: new connections: conntrack is told to have seen nothing of them.
 */
import { decodePunt } from '../../flows/pipeline/punt.js';
import { Microflow, type FieldRecord } from '../../flows/trace/microflow.js';
import type { Target } from './compare.js';
import { runActions } from '../../flows/trace/switch/datapath-actions.js';
import { formatPacket, parsePacket } from '../../flows/trace/switch/flow-text.js';
import { parseTrace } from '../../flows/trace/switch/trace-text.js';
import { Unixctl } from '../../datapath/ovsdb/unixctl.js';

export async function switchVerdicts({ unixctl: socket, bridge }: Target, packets: readonly FieldRecord[]): Promise<SwitchVerdict[]> {
  const unixctl = await Unixctl.connect(socket);
  try {
    const texts = await Promise.all(packets.map((packet) => unixctl.command('ofproto/trace', bridge, formatPacket(packet))));
    return texts.map(verdictOf);
  } finally {
    unixctl.close();
  }
}

export type SwitchVerdict = 'allow' | 'drop' | 'reject';

function verdictOf(text: string): SwitchVerdict {
  const punts = [...text.matchAll(/userdata=([0-9a-f.]+)/g)].map(([, hex]) => decodePunt(Buffer.from(hex!.replaceAll('.', ''), 'hex')));
  if (punts.some((punt) => punt?.kind === 'reject')) return 'reject';
  const outputs = parseTrace(text).flatMap(({ flow, actions }) => runActions(actions, Microflow.from(parsePacket(flow))).outputs);
  return outputs.length > 0 ? 'allow' : 'drop';
}
