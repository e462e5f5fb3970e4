/**
 * The form of an answer: JSON, or YAML when the path ends in `.yml`.
 *
 * Promises: YAML is quoted so that readers of YAML 1.1 (Ruby's, OpenVNet's clients) see the same strings.
 */
import { stringify } from 'yaml';

export type Format = 'json' | 'yaml';

const SUFFIXES: Readonly<Record<string, Format>> = { '.json': 'json', '.yml': 'yaml', '.yaml': 'yaml' };

/** Takes the suffix off a URL (path and query). `format` is undefined for a suffix that means nothing. */
export function splitSuffix(url: string): { readonly url: string; readonly format: Format | undefined } {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const dot = path.indexOf('.', path.lastIndexOf('/'));
  // The dot of a version is none of a suffix.
  if (dot < 0 || /^\.\d/.test(path.slice(dot))) return { url, format: 'json' };
  return { url: path.slice(0, dot) + (mark < 0 ? '' : url.slice(mark)), format: SUFFIXES[path.slice(dot)] };
}

export function mediaTypeOf(format: Format): string {
  return format === 'json' ? 'application/json; charset=utf-8' : 'application/yaml; charset=utf-8';
}

export function render(body: unknown, format: Format): string {
  return format === 'json' ? JSON.stringify(body) : stringify(body, { compat: 'yaml-1.1', aliasDuplicateObjects: false });
}
