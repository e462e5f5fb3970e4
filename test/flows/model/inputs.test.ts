import { z } from 'zod';
import { KINDS, type UserKind } from '../../../flows/model/entities.js';
import { INPUTS } from '../../../flows/model/inputs.js';

const kinds = Object.keys(KINDS) as UserKind[];

interface JsonSchema {
  readonly type?: string;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly enum?: unknown;
  readonly const?: unknown;
  readonly additionalProperties?: unknown;
  readonly properties?: Record<string, JsonSchema>;
  readonly anyOf?: JsonSchema[];
  readonly items?: JsonSchema;
}

/** Every string, array and object a user can send without a limit, with where it is. */
function unbounded(node: JsonSchema, path: string): string[] {
  const bad: string[] = [];
  if (node.type === 'string' && node.maxLength === undefined && node.enum === undefined && node.const === undefined) bad.push(path);
  if (node.type === 'array' && node.maxItems === undefined) bad.push(path);
  if (node.type === 'object' && node.additionalProperties !== false) bad.push(`${path} (open)`);
  for (const [key, child] of Object.entries(node.properties ?? {})) bad.push(...unbounded(child, `${path}.${key}`));
  for (const child of [...(node.anyOf ?? []), ...(node.items ? [node.items] : [])]) bad.push(...unbounded(child, `${path}[]`));
  return bad;
}

describe('INPUTS', () => {
  it.each(kinds)('of %s describe every parameter, and bound every string and array', (kind) => {
    for (const verb of ['create', 'update'] as const) {
      const schema = INPUTS[kind][verb];
      expect(Object.entries(schema.shape).filter(([, field]) => !field.description)).toEqual([]);
      expect(unbounded(z.toJSONSchema(schema, { io: 'input' }) as JsonSchema, kind)).toEqual([]);
    }
  });

  it.each(kinds)('of %s leave absent parameters of an update absent', (kind) => {
    expect(INPUTS[kind].update.parse({})).toEqual({});
  });

  it('make addresses canonical', () => {
    expect(
      INPUTS.interface.create.parse({
        mode: 'vif',
        mac_address: '02:00:00:AA:bb:01',
        ipv4_address: '10.0.0.1',
        ipv6_address: '2001:DB8:0::0:1',
      }),
    ).toMatchObject({ mac_address: '02:00:00:aa:bb:01', ipv4_address: '10.0.0.1', ipv6_address: '2001:db8::1' });
    expect(INPUTS.datapath.create.parse({ display_name: 'a', dpid: 'ABC', node_id: 'vna' })).toMatchObject({ dpid: '0x0000000000000abc' });
  });

  it.each([
    [{ ipv4_address: '010.0.0.1' }, 'ipv4_address'],
    [{ ipv4_address: '10.1' }, 'ipv4_address'],
    [{ ipv4_address: '0x0a.0.0.1' }, 'ipv4_address'],
    [{ ipv6_address: 'fe80::1%eth0' }, 'ipv6_address'],
    [{ mac_address: '01:00:5e:00:00:01' }, 'mac_address'],
    [{ mac_address: '00:00:00:00:00:00' }, 'mac_address'],
    [{ port_name: '-x' }, 'port_name'],
    [{ port_name: 'sixteen-chars-xx' }, 'port_name'],
    [{ display_name: 'a\u0007' }, 'display_name'],
    [{ security_group_uuids: ['if-x'] }, 'security_group_uuids.0'],
  ])('refuse %j', (params, path) => {
    const result = INPUTS.interface.create.safeParse({ mode: 'vif', ...params });
    expect(result.error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
  });
});
