/**
 * What parsing the text form throws.
 */
export class TextError extends Error {
  override readonly name = 'TextError';
  readonly code = 'invalid_flow_text';
  /** The part that was not understood. */
  readonly text: string;

  constructor(text: string, reason: string) {
    super(`${JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)}: ${reason}`);
    this.text = text;
  }
}
