/**
 * What a process measures of itself, in Prometheus' words.
 *
 * Owns: the registry, and what every process has (CPU, memory, lag of the event loop).
 * Promises: names begin with `hotori_`, units are base units, counters end in `_total`. Values are read when they are asked for. Labels are bounded by what
 * is configured: datapaths, bridges, routes; never addresses or interfaces.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface Reading {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface MetricText {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

export class Metrics {
  private readonly registry = new Registry();

  constructor() {
    collectDefaultMetrics({ register: this.registry, prefix: 'hotori_' });
  }

  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;

  /** All values as they are now, in Prometheus' text format. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  /** What is measured, in the order it was made known; without what every Node.js process has (`hotori_process_…`, `hotori_nodejs_…`). */
  list(): readonly (Required<MetricText> & { readonly type: string })[] {
    const all = this.registry.getMetricsAsArray() as unknown as readonly {
      readonly name: string;
      readonly help: string;
      readonly type: string;
      readonly labelNames: readonly string[];
    }[];
    return all
      .filter(({ name }) => !/^hotori_(process|nodejs)_/.test(name))
      .map(({ name, help, type, labelNames }) => ({ name, help, type, labels: labelNames }));
  }

  /** A value that may fall; `read` gives all of its series. */
  gauge({ name, help, labels = [] }: MetricText, read: () => Iterable<Reading> | Promise<Iterable<Reading>>): void {
    new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers: [this.registry],
      async collect() {
        const readings = await read();
        this.reset();
        for (const { labels: of = {}, value } of readings) this.set(of, value);
      },
    });
  }

  /** A value that only grows; `read` gives all of its series. */
  counter({ name, help, labels = [] }: MetricText, read: () => Iterable<Reading> | Promise<Iterable<Reading>>): void {
    new Counter({
      name,
      help,
      labelNames: [...labels],
      registers: [this.registry],
      async collect() {
        const readings = await read();
        this.reset();
        for (const { labels: of = {}, value } of readings) this.inc(of, value);
      },
    });
  }

  /** @returns what notes a duration in seconds. */
  durations(
    { name, help, labels = [] }: MetricText,
    buckets: readonly number[],
  ): (labels: Readonly<Record<string, string>>, seconds: number) => void {
    const histogram = new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers: [this.registry] });
    return (of, seconds) => histogram.observe(of, seconds);
  }
}
