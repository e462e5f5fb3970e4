/**
 * Traces beside real packets.
 *
 * Owns: what a trace says of a question, in the words of what is seen on the wire.
 */
import type { Hotori, Json } from '../lab/hotori.js';

export interface Said {
  /** With the code of the reason. */
  readonly verdict: string;
  /** Of the way back; null where nothing is answered. */
  readonly back: string | null;
  /** As traceroute lists it; `?` for what cannot be known. */
  readonly traceroute: readonly string[];
  /** The address that the receiver sees it come from; undefined where it is not delivered. */
  readonly seen: string | undefined;
  /** Where the switches' own trace differs. */
  readonly contradictions: readonly Json[];
}

export async function said(hotori: Hotori, question: object): Promise<Said> {
  const answer = await hotori.post('/traces', { verify: true, ...question });
  const last = answer.visits.at(-1)?.outputs[0]?.packet;
  return {
    verdict: `${answer.verdict} ${answer.reason.code}`,
    back: answer.return && answer.return.verdict,
    traceroute: answer.traceroute.map(({ address, mark }: { address: string | null; mark: string }) =>
      mark === '?' ? mark : (address ?? '*'),
    ),
    seen: answer.verdict === 'delivered' ? (last?.ip_src ?? last?.ipv6_src) : undefined,
    contradictions: answer.verified.filter(({ agrees }: { agrees: boolean | null }) => agrees !== true),
  };
}
