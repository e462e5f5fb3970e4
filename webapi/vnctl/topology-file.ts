/**
 * Topology files: YAML with collections as keys and lists of entities, each with its uuid.
 *
 * Promises: every complaint names the file, the line and the place in the document; the order of entities is that in which they can refer to one another.
 */
import { isCollection, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document } from 'yaml';
import { KINDS, type UserKind } from '../../flows/model/entities.js';
import { CliError, EXIT } from './io.js';

/** What is referred to stands before what refers to it. */
export const ORDER: readonly UserKind[] = [
  'datapath',
  'segment',
  'network',
  'address_set',
  'security_group',
  'interface',
  'filter',
  'mac_lease',
  'ip_lease',
  'route_link',
  'route',
  'policy_route',
  'router',
  'floating_ip',
  'nat_rule',
  'translation',
  'network_service',
  'interface_port',
  'datapath_network',
  'datapath_segment',
  'datapath_route_link',
  'tunnel',
];

export interface TopologyEntity {
  readonly kind: UserKind;
  readonly uuid: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** The place of a field, such as `lab.yaml:12: networks[0].ipv4_network`; of the entity without one. */
  where(path?: readonly string[]): string;
}

/** @throws CliError with a line for everything wrong. */
export function readTopology(name: string, text: string): TopologyEntity[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const complaints = document.errors.map((error) => `${name}:${lines.linePos(error.pos[0]).line}: not YAML: ${error.message}`);
  if (complaints.length > 0) throw new CliError(EXIT.error, complaints);

  const place = (path: readonly (string | number)[]): string => {
    const shown = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
    return `${name}:${lines.linePos(offsetOf(document, path)).line}: ${shown.slice(1)}`;
  };
  const entities: TopologyEntity[] = [];
  if (document.contents === null) return entities;
  if (!isMap(document.contents)) throw new CliError(EXIT.error, [`${name}:1: must have collections as keys, such as networks`]);

  for (const pair of document.contents.items) {
    const collection = String(isScalar(pair.key) ? pair.key.value : pair.key);
    const kind = ORDER.find((one) => KINDS[one].collection === collection);
    if (kind === undefined)
      complaints.push(
        `${place([collection])}: there is no such collection; there are ${ORDER.map((one) => KINDS[one].collection).join(', ')}`,
      );
    else if (isSeq(pair.value)) readEntities(kind, collection, pair.value.items);
    else if (!isScalar(pair.value) || pair.value.value !== null) complaints.push(`${place([collection])}: must be a list`);
  }

  function readEntities(kind: UserKind, collection: string, items: readonly unknown[]): void {
    for (const [index, item] of items.entries()) {
      const at = [collection, index];
      const fields = isMap(item) ? (item.toJS(document) as Record<string, unknown>) : {};
      const uuid = fields['uuid'];
      if (typeof uuid === 'string')
        entities.push({
          kind,
          uuid,
          fields,
          where: (path = []) => place([...at, ...path.map((step) => (/^\d+$/.test(step) ? Number(step) : step))]),
        });
      else complaints.push(`${place(at)}: must have a uuid, such as ${KINDS[kind].prefix}-a`);
    }
  }

  const seen = new Map<string, TopologyEntity>();
  for (const entity of entities) {
    const other = seen.get(entity.uuid);
    if (other === undefined) seen.set(entity.uuid, entity);
    else complaints.push(`${entity.where(['uuid'])}: ${entity.uuid} is there already (${other.where(['uuid'])})`);
  }
  if (complaints.length > 0) throw new CliError(EXIT.error, complaints);
  return entities.sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}

/** Of the deepest part of a path that is there. */
function offsetOf(document: Document, path: readonly (string | number)[]): number {
  let offset = 0;
  let node: unknown = document.contents;
  for (const step of path) {
    if (!isCollection(node)) break;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === step);
      offset = (isScalar(pair?.key) ? pair.key.range?.[0] : undefined) ?? offset;
    }
    node = node.get(step, true);
    if (typeof step === 'number') offset = (node as { range?: [number] } | undefined)?.range?.[0] ?? offset;
  }
  return offset;
}
