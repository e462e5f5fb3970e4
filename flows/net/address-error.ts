/**
 * The error of everything in flows/net that reads text.
 *
 * Promises: `reason` says in words what is wrong with `text`; `message` is both, fit to be shown to the user who wrote the text.
 */
const MAX_SHOWN = 64;

export class AddressError extends Error {
  override readonly name = 'AddressError';
  readonly code = 'invalid_address';
  readonly text: string;
  readonly reason: string;

  constructor(text: string, reason: string) {
    super(`${JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text)}: ${reason}`);
    this.text = text;
    this.reason = reason;
  }
}
