/**
 * Text to JSON values, for parameters that come in a query string or a form.
 *
 * Owns: how each type of field is written as text: `true false t f 1 0`, decimal integers, lists with commas or as JSON, objects as JSON; empty is null
 * where null is allowed.
 * Assumes: schemas are zod's.
 * Promises: text that does not fit is left as it is, for the schema to refuse with its own words.
 */
import { z } from 'zod';

type TextForm = (text: string) => unknown;

const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, t: true, '1': true, false: false, f: false, '0': false };
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?$/;

/** One reader for each field of an object schema; fields it does not have are plain text. */
export class TextForms {
  readonly #forms = new Map<string, TextForm>();

  constructor(schema: z.ZodType | undefined) {
    const object = schema === undefined ? undefined : unwrap(schema).inner;
    if (object instanceof z.ZodObject)
      for (const [name, field] of Object.entries(object.shape)) this.#forms.set(name, formOf(field as z.ZodType));
  }

  has(name: string): boolean {
    return this.#forms.has(name);
  }

  read(name: string, text: string): unknown {
    const form = this.#forms.get(name);
    return form === undefined ? text : form(text);
  }
}

function formOf(schema: z.ZodType): TextForm {
  const { inner, nullable } = unwrap(schema);
  const form = plainForm(inner);
  return nullable ? (text) => (text === '' ? null : form(text)) : form;
}

function plainForm(schema: z.ZodType): TextForm {
  if (schema instanceof z.ZodNumber) return (text) => (NUMBER.test(text) ? Number(text) : text);
  if (schema instanceof z.ZodBoolean) return (text) => BOOLEANS[text.toLowerCase()] ?? text;
  if (schema instanceof z.ZodArray) {
    const { inner } = unwrap(schema.element as z.ZodType);
    if (inner instanceof z.ZodObject || inner instanceof z.ZodUnion || inner instanceof z.ZodArray) return json;
    const element = plainForm(inner);
    return (text) => (text.startsWith('[') ? json(text) : text === '' ? [] : text.split(',').map((part) => element(part.trim())));
  }
  if (schema instanceof z.ZodObject || schema instanceof z.ZodRecord) return json;
  if (schema instanceof z.ZodUnion) {
    const forms = schema.options.map((option) => formOf(option as z.ZodType));
    return (text) => forms.map((form) => form(text)).find((value) => value !== text) ?? text;
  }
  return (text) => text;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function unwrap(schema: z.ZodType): { inner: z.ZodType; nullable: boolean } {
  let inner = schema;
  let nullable = false;
  for (;;) {
    if (inner instanceof z.ZodNullable) nullable = true;
    if (
      inner instanceof z.ZodOptional ||
      inner instanceof z.ZodNullable ||
      inner instanceof z.ZodDefault ||
      inner instanceof z.ZodPrefault ||
      inner instanceof z.ZodReadonly
    )
      inner = inner.unwrap() as z.ZodType;
    else if (inner instanceof z.ZodPipe) inner = inner.in as z.ZodType;
    else return { inner, nullable };
  }
}
