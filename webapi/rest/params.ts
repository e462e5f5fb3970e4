/**
 * The parameters of a call, from wherever they stand.
 *
 * Owns: merging query and body, and parting what is about the request (`wait`, `limit`…) from the fields of an entity.
 * Promises: a parameter given twice must have one value; every complaint is a reason with its pointer.
 */
import type { Params } from '../../controller/contract.js';
import { HotoriError, summaryOf, type Reason } from '../../flows/model/errors.js';
import { parseParameters, pointer } from '../../flows/model/parse-input.js';
import type { Body } from './body.js';
import type { Endpoint } from './endpoint.js';
import { TextForms } from './text-form.js';

const NO_SUCH_PARAMETER = 'there is no such parameter here';

export interface Parameters {
  readonly params: Params;
  readonly controls: Readonly<Record<string, unknown>>;
}

/** What of an endpoint says how to read its parameters. */
export type ParameterSchemas = Pick<Endpoint, 'controls' | 'fields' | 'checkFields'>;

/** Reads the parameters of one endpoint. */
export class ParameterReader {
  readonly #schemas: ParameterSchemas;
  readonly #controlForms: TextForms;
  readonly #fieldForms: TextForms;

  constructor(schemas: ParameterSchemas) {
    this.#schemas = schemas;
    this.#controlForms = new TextForms(schemas.controls);
    this.#fieldForms = new TextForms(schemas.fields);
  }

  /** Throws HotoriError `invalid_argument`. Fields are checked only when something else is wrong already, so that everything is said at once. */
  read(query: URLSearchParams | undefined, body: Body | undefined): Parameters {
    const { controls: controlSchema, fields, checkFields } = this.#schemas;
    const reasons: Reason[] = [];
    const params: Record<string, unknown> = {};
    const controls: Record<string, unknown> = {};
    const put = (name: string, value: unknown) => {
      const target = this.#controlForms.has(name) ? controls : params;
      if (!Object.hasOwn(target, name)) define(target, name, value);
      else if (JSON.stringify(target[name]) !== JSON.stringify(value))
        reasons.push({ pointer: pointer([name]), detail: 'is given twice with different values' });
    };
    const putText = (name: string, text: string) =>
      put(name, (this.#controlForms.has(name) ? this.#controlForms : this.#fieldForms).read(name, text));

    if (body?.kind === 'fields') for (const [name, value] of Object.entries(body.fields)) put(name, value);
    if (body?.kind === 'form') for (const [name, text] of body.form) putText(name, text);
    if (query !== undefined) for (const [name, text] of query) putText(name, text);

    if (fields === undefined) for (const name of Object.keys(params)) reasons.push({ pointer: pointer([name]), detail: NO_SUCH_PARAMETER });
    const checked = parseParameters(controlSchema, controls, () => NO_SUCH_PARAMETER);
    if (checked.ok && reasons.length === 0) return { params, controls: checked.value as Record<string, unknown> };
    if (!checked.ok) reasons.push(...checked.reasons);
    reasons.push(...(checkFields?.(params) ?? []));
    throw refusal(reasons);
  }
}

/** One HotoriError for several reasons; its message names the first. */
export function refusal(reasons: readonly Reason[]): HotoriError {
  return new HotoriError('invalid_argument', summaryOf(reasons), {
    reasons: reasons.map(({ pointer: at, detail, uuid }) => ({ pointer: at, detail, uuid })),
  });
}

/** Assignment that also takes `__proto__` for the plain name it is. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
  else target[name] = value;
}
