/**
 * A vna that has no switch: it answers each slice message as the test says.
 */
import type { DatapathHello, SliceAttachment, SliceMessage, SliceSource } from '../../controller/messages/slice.js';

export type Answer = 'applies' | 'hangs' | 'fails';

export class FakeVna {
  readonly attachment: SliceAttachment;
  #lastSeq = 0;

  private constructor(attachment: SliceAttachment) {
    this.attachment = attachment;
  }

  static async attach(source: SliceSource, hello: DatapathHello, answer: (message: SliceMessage) => Answer): Promise<FakeVna> {
    const early: SliceMessage[] = [];
    let take = (message: SliceMessage): void => void early.push(message);
    const attachment = await source.attach(hello, (message) => take(message), new AbortController().signal);
    const vna = new FakeVna(attachment);
    take = (message) => vna.#take(message, answer);
    for (const message of early) take(message);
    await new Promise((resolve) => setImmediate(resolve));
    return vna;
  }

  get uuid(): string {
    return this.attachment.datapath_uuid;
  }

  /** Confirms everything sent so far. */
  applyAll(): void {
    this.#report(this.#lastSeq, null);
  }

  #take(message: SliceMessage, answer: (message: SliceMessage) => Answer): void {
    const before = this.#lastSeq;
    this.#lastSeq = message.seq;
    const how = answer(message);
    if (how === 'applies') this.#report(message.seq, null);
    if (how === 'fails') this.#report(before, { seq: message.seq, message: 'table is full', uuids: [] });
  }

  #report(applied_seq: number, error: { seq: number; message: string; uuids: readonly string[] } | null): void {
    this.attachment.reportApplied({ datapath_uuid: this.uuid, connected: true, applied_seq, flow_count: 1, flow_mods: 1, error });
  }
}
