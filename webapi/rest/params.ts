/**
 * The parameters of a call, from wherever they stand.
 *
 * Owns: merging query and body, and parting what is about the request (`wait`, `limit`…) from the fields of an entity.
 * Promises: a parameter given twice must have one value; every complaint is a reason with its pointer.
 */
import { z } from 'zod';
import type { Params } from '../../controller/contract.js';
import { HotoriError, type Reason } from '../../flows/model/errors.js';
import type { Body } from './body.js';
import { TextForms } from './text-form.js';

export interface Parameters {
  readonly params: Params;
  readonly controls: Readonly<Record<string, unknown>>;
}

/** Reads the parameters of one endpoint. */
export class ParameterReader {
  readonly #controls: z.ZodObject;
  readonly #hasFields: boolean;
  readonly #controlForms: TextForms;
  readonly #fieldForms: TextForms;

  constructor(controls: z.ZodObject, fields: z.ZodType | undefined) {
    this.#controls = controls;
    this.#hasFields = fields !== undefined;
    this.#controlForms = new TextForms(controls);
    this.#fieldForms = new TextForms(fields);
  }

  /** Throws HotoriError `invalid_argument`. Fields are not checked against their schema here, only refused where there are none. */
  read(query: URLSearchParams | undefined, body: Body | undefined): Parameters {
    const reasons: Reason[] = [];
    const params: Record<string, unknown> = {};
    const controls: Record<string, unknown> = {};
    const put = (name: string, value: unknown) => {
      const target = this.#controlForms.has(name) ? controls : params;
      if (!Object.hasOwn(target, name)) define(target, name, value);
      else if (JSON.stringify(target[name]) !== JSON.stringify(value))
        reasons.push({ pointer: pointerTo(name), detail: 'is given twice with different values' });
    };
    const putText = (name: string, text: string) =>
      put(name, (this.#controlForms.has(name) ? this.#controlForms : this.#fieldForms).read(name, text));

    if (body?.kind === 'fields') for (const [name, value] of Object.entries(body.fields)) put(name, value);
    if (body?.kind === 'form') for (const [name, text] of body.form) putText(name, text);
    if (query !== undefined) for (const [name, text] of query) putText(name, text);

    if (!this.#hasFields)
      for (const name of Object.keys(params)) reasons.push({ pointer: pointerTo(name), detail: 'there is no such parameter here' });
    const checked = this.#controls.safeParse(controls);
    if (!checked.success)
      for (const issue of checked.error.issues) reasons.push({ pointer: issue.path.map(pointerTo).join(''), detail: issue.message });
    if (reasons.length > 0 || !checked.success) throw refusal(reasons);
    return { params, controls: checked.data };
  }
}

/** One HotoriError for reasons about parameters; its message names the first. */
export function refusal(reasons: readonly Reason[]): HotoriError {
  const first = reasons[0]!;
  const more = reasons.length > 1 ? ` (and ${reasons.length - 1} more)` : '';
  return new HotoriError('invalid_argument', `${first.pointer.slice(1)}: ${first.detail}${more}`, { reasons });
}

/** One token of an RFC 6901 pointer. */
export function pointerTo(name: PropertyKey): string {
  return `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** Assignment that also takes `__proto__` for the plain name it is. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}
