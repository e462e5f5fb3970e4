/**
 * An ovsdb-server and ovs-vswitchd of one bridge, as far as a vna sees them: for simulations with more bridges than a machine can run.
 *
 * Owns: the rows of one bridge in memory; `monitor`, `transact` (insert, update, mutate by row, comment) and updates to everyone who monitors.
 * Promises: an Interface that is inserted gets a port number at once, as from a switch that opens every device; a transaction that holds anything
 * else is refused whole.
 */
import { randomUUID } from 'node:crypto';
import net from 'node:net';
import { JsonStream } from '../../datapath/ovsdb/json-stream.js';

type WireRow = Record<string, unknown>;
interface Request {
  readonly method?: string;
  readonly params?: readonly unknown[];
  readonly id?: unknown;
}
interface Operation {
  readonly op: string;
  readonly table: string;
  readonly row?: WireRow;
  readonly where?: readonly (readonly [string, string, unknown])[];
  readonly mutations?: readonly (readonly [string, 'insert' | 'delete', unknown])[];
  readonly 'uuid-name'?: string;
}

export interface FakeOvsdbOptions {
  readonly bridge: string;
  /** 16 hex digits. */
  readonly datapathId: string;
  /** Name and iface-id of each NIC plugged in. */
  readonly nics: readonly (readonly [name: string, ifaceId: string])[];
}

export class FakeOvsdb {
  /** Port numbers by name. */
  readonly ports = new Map<string, number>();
  readonly #tables: Record<string, Map<string, WireRow>> = {
    Open_vSwitch: new Map(),
    Bridge: new Map(),
    Port: new Map(),
    Interface: new Map(),
  };
  readonly #monitors = new Map<net.Socket, unknown>();
  readonly #sockets = new Set<net.Socket>();
  #server: net.Server | undefined;

  constructor({ bridge, datapathId, nics }: FakeOvsdbOptions) {
    const ports = [[bridge, undefined] as const, ...nics].map(([name, ifaceId]) => {
      const interfaces = this.#insert('Interface', {
        name,
        type: ifaceId === undefined ? 'internal' : '',
        external_ids: ['map', ifaceId === undefined ? [] : [['iface-id', ifaceId]]],
      });
      return ['uuid', this.#insert('Port', { name, interfaces: ['uuid', interfaces] })];
    });
    const row = this.#insert('Bridge', {
      name: bridge,
      ports: ['set', ports],
      fail_mode: 'secure',
      protocols: ['set', ['OpenFlow10', 'OpenFlow13']],
      datapath_id: datapathId,
      other_config: [
        'map',
        [
          ['datapath-id', datapathId],
          ['disable-in-band', 'true'],
        ],
      ],
      external_ids: ['map', [['hotori-managed', 'true']]],
    });
    this.#insert('Open_vSwitch', { bridges: ['uuid', row], ovs_version: '3.1.0' });
  }

  async listen(path: string): Promise<void> {
    const server = net.createServer((socket) => this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(path, resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  #serve(socket: net.Socket): void {
    const stream = new JsonStream({ maxBytes: 2 ** 24, maxDepth: 64 });
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#monitors.delete(socket);
    });
    socket.on('data', (chunk: Buffer) => {
      for (const request of stream.push(chunk) as Request[]) {
        if (request.method === undefined) continue;
        const { result, error } = this.#answer(socket, request.method, request.params ?? []);
        socket.write(JSON.stringify({ id: request.id, result, error }));
      }
    });
  }

  #answer(socket: net.Socket, method: string, params: readonly unknown[]): { result: unknown; error: unknown } {
    switch (method) {
      case 'echo':
        return { result: params, error: null };
      case 'monitor': {
        this.#monitors.set(socket, params[1]);
        const all = Object.entries(this.#tables).map(([table, rows]) => [
          table,
          Object.fromEntries([...rows].map(([uuid, row]) => [uuid, { new: row }])),
        ]);
        return { result: Object.fromEntries(all) as unknown, error: null };
      }
      case 'transact':
        return { result: this.#transact(params.slice(1) as readonly Operation[]), error: null };
      default:
        return { result: null, error: 'unknown method' };
    }
  }

  #transact(operations: readonly Operation[]): unknown[] {
    const known = operations.every(({ op }) => ['insert', 'update', 'mutate', 'comment'].includes(op));
    if (!known) return [{ error: 'not supported' }];
    const names = new Map<string, string>();
    const touched = new Map<string, Set<string>>();
    const results = operations.map(({ op, table, row = {}, where = [], mutations = [], 'uuid-name': name }) => {
      if (op === 'comment') return {};
      if (op === 'insert') {
        const uuid = this.#insert(table, Object.fromEntries(Object.entries(row).map(([column, value]) => [column, named(value, names)])));
        if (name !== undefined) names.set(name, uuid);
        touch(touched, table, uuid);
        return { uuid: ['uuid', uuid] };
      }
      const uuid = (where[0]?.[2] as [string, string] | undefined)?.[1] ?? '';
      const old = this.#tables[table]?.get(uuid);
      if (old === undefined) return { count: 0 };
      const next = op === 'update' ? { ...old, ...row } : { ...old };
      for (const [column, how, value] of mutations) next[column] = mutated(next[column], how, named(value, names));
      this.#tables[table]!.set(uuid, next);
      touch(touched, table, uuid);
      return { count: 1 };
    });
    this.#tell(touched);
    return results;
  }

  #insert(table: string, row: WireRow): string {
    const uuid = randomUUID();
    const name = row['name'];
    if (table === 'Interface' && typeof name === 'string') {
      const ofport = row['type'] === 'internal' ? 65534 : this.ports.size + 1;
      this.ports.set(name, ofport);
      this.#tables[table]!.set(uuid, { ...row, ofport, link_state: 'up' });
    } else this.#tables[table]!.set(uuid, row);
    return uuid;
  }

  #tell(touched: ReadonlyMap<string, ReadonlySet<string>>): void {
    const update = Object.fromEntries(
      [...touched].map(([table, uuids]) => [
        table,
        Object.fromEntries([...uuids].map((uuid) => [uuid, { new: this.#tables[table]!.get(uuid) }])),
      ]),
    );
    for (const [socket, monitor] of this.#monitors) socket.write(JSON.stringify({ method: 'update', params: [monitor, update], id: null }));
  }
}

function touch(touched: Map<string, Set<string>>, table: string, uuid: string): void {
  const uuids = touched.get(table) ?? new Set<string>();
  touched.set(table, uuids.add(uuid));
}

/** References to rows of the same transaction by their uuids. */
function named(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (!Array.isArray(value)) return value;
  if (value[0] === 'named-uuid') return ['uuid', names.get(value[1] as string)];
  return value[0] === 'set' ? ['set', (value[1] as unknown[]).map((one) => named(one, names))] : value;
}

function mutated(value: unknown, how: 'insert' | 'delete', by: unknown): unknown {
  const [kind] = Array.isArray(value) ? (value as [string]) : ['set'];
  if (kind === 'map') {
    const pairs = new Map((value as [string, [string, string][]])[1]);
    const [of, elements] = by as [string, (string | [string, string])[]];
    for (const element of elements) {
      const [key, content] = typeof element === 'string' ? [element, ''] : element;
      if (how === 'delete') pairs.delete(key);
      else if (of === 'map' && !pairs.has(key)) pairs.set(key, content);
    }
    return ['map', [...pairs]];
  }
  const texts = new Set(elementsOf(value).map((element) => JSON.stringify(element)));
  for (const element of elementsOf(by)) {
    if (how === 'insert') texts.add(JSON.stringify(element));
    else texts.delete(JSON.stringify(element));
  }
  return ['set', [...texts].map((text) => JSON.parse(text) as unknown)];
}

function elementsOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) && value[0] === 'set' ? (value[1] as unknown[]) : [value];
}
