/**
 * The configuration file.
 *
 * Owns: reading YAML into dotted keys that know their line, and refusing what is not a key.
 * Assumes: the text was read by the caller.
 * Promises: every complaint names the line and the key; values are not checked here.
 */
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node, type Pair } from 'yaml';
import { SETTINGS, VNA_SETTINGS } from './settings.js';

export interface Placed {
  readonly value: unknown;
  /** Such as `/etc/hotori.yaml:4`. */
  readonly where: string;
}

export interface FileContent {
  readonly settings: ReadonlyMap<string, Placed>;
  /** The entries of `vna:`; undefined when the key is absent. */
  readonly vna: readonly { readonly where: string; readonly settings: ReadonlyMap<string, Placed> }[] | undefined;
}

/** @param complain is told everything wrong; the content is what could be read. */
export function readConfigFile(name: string, text: string, complain: (message: string) => void): FileContent {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number | undefined) => `${name}:${lines.linePos(offset ?? 0).line}`;
  for (const error of document.errors) complain(`${at(error.pos[0])}: not YAML: ${error.message}`);
  if (document.errors.length > 0) return { settings: new Map(), vna: undefined };

  const where = (node: unknown, fallback: string) => (isNode(node) ? at(node.range?.[0]) : fallback);
  const plain = (node: unknown): unknown => (isNode(node) ? (node.toJS(document) as unknown) : node);

  function collect(map: readonly Pair[], prefix: string, known: readonly string[], into: Map<string, Placed>, fallback: string): void {
    for (const pair of map) {
      const place = where(pair.key, fallback);
      const key = `${prefix}${isScalar(pair.key) ? String(pair.key.value) : '?'}`;
      if (known.includes(key)) into.set(key, { value: plain(pair.value), where: place });
      else if (known.some((one) => one.startsWith(`${key}.`)))
        if (isMap(pair.value)) collect(pair.value.items, `${key}.`, known, into, place);
        else complain(`${place}: ${key}: must hold keys, such as ${known.find((one) => one.startsWith(`${key}.`))!}`);
      else complain(`${place}: ${key}: there is no such key${hint(key, known)}`);
    }
  }

  const settings = new Map<string, Placed>();
  if (document.contents === null) return { settings, vna: undefined };
  if (!isMap(document.contents)) {
    complain(`${at(document.contents.range[0])}: must be a list of keys and values`);
    return { settings, vna: undefined };
  }
  collect(document.contents.items, '', [...Object.keys(SETTINGS), 'vna'], settings, name);
  const list = settings.get('vna');
  settings.delete('vna');
  if (list === undefined) return { settings, vna: undefined };

  const node = document.contents.get('vna', true) as unknown;
  if (!isSeq(node) || node.items.length === 0) {
    complain(`${list.where}: vna: must be a list with at least one entry, each with keys such as ovsdb and bridge`);
    return { settings, vna: undefined };
  }
  const vna = node.items.map((item) => {
    const place = where(item, list.where);
    const found = new Map<string, Placed>();
    if (isMap(item)) collect(item.items, '', Object.keys(VNA_SETTINGS), found, place);
    else complain(`${place}: vna: an entry must hold keys such as ovsdb and bridge`);
    return { where: place, settings: found };
  });
  return { settings, vna };
}

function isNode(value: unknown): value is Node {
  return value !== null && typeof value === 'object' && 'range' in value;
}

/** The key that was probably meant. */
export function hint(key: string, known: readonly string[]): string {
  const near = known.filter((one) => distance(one, key) <= Math.max(1, Math.floor(key.length / 3)));
  return near.length === 0 ? '' : `; did you mean ${near.join(' or ')}?`;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
