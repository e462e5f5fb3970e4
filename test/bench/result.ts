/**
 * What a benchmark reports.
 *
 * Owns: the shape of one figure, its JSON line and its line for people.
 */
export interface BenchResult {
  readonly bench: string;
  readonly case: string;
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  /** Samples behind the value. */
  readonly n: number;
  readonly p50?: number;
  readonly p99?: number;
  /** What ran beside us in the same invocation; absent where it is not installed. */
  readonly peer?: { readonly name: string; readonly value: number };
  /** Our value by the peer's. */
  readonly ratio?: number;
  /** Why something is missing, or what bounds the figure. */
  readonly note?: string;
}

/** A benchmark yields its figures as it gets them. `args` is what follows its name on the command line. */
export type Bench = (args: readonly string[]) => AsyncIterable<BenchResult>;

export function resultLine(r: BenchResult): string {
  const number = (n: number) => (Math.abs(n) >= 1000 ? Math.round(n).toLocaleString('en-US') : String(Number(n.toPrecision(3))));
  const spread = r.p99 === undefined ? '' : `  p99 ${number(r.p99)}`;
  const peer =
    r.peer === undefined ? '' : `  (${r.peer.name}: ${number(r.peer.value)}, ratio ${number(r.ratio ?? r.value / r.peer.value)})`;
  const note = r.note === undefined ? '' : `  [${r.note}]`;
  return `${r.bench}  ${r.case}  ${r.metric} = ${number(r.value)} ${r.unit}  n=${r.n}${spread}${peer}${note}`;
}

/** The value below which a share (0 to 1) of the samples lies. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}
