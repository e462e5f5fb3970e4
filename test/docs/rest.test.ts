import type { z } from 'zod';
import type { Controller } from '../../controller/contract.js';
import { KINDS, type UserKind } from '../../flows/model/entities.js';
import { INPUTS } from '../../flows/model/inputs.js';
import { endpointsFor } from '../../webapi/rest/endpoints.js';
import { liveInput } from '../../controller/live/question.js';
import { liveFilterSchema } from '../../flows/pipeline/live-filter.js';
import { reachInput } from '../../flows/trace/reach/question.js';
import { traceFields } from '../../webapi/rest/traces.js';
import { typeOf } from '../../webapi/words.js';
import { expectGenerated, markdownTable } from './generated.js';

// Endpoints are described without being called.
const endpoints = endpointsFor({} as Controller, { heartbeatMs: 0, stallMs: 0, maxClients: 0 });
const collections = Object.values(KINDS).map(({ collection }) => collection as string);

describe('docs/rest.md', () => {
  it('lists the endpoints there are', () => {
    const ofCollections = endpoints.filter(({ path }) => collections.includes(path.split('/')[1]!) && path.split('/').length < 4);
    const general = new Map<string, string[]>();
    for (const { method, path, controls } of ofCollections) {
      const [, collection, uuid] = path.split('/') as [string, string, string?];
      const line = `${method} \`/{collection}${uuid === undefined ? '' : '/{uuid}'}\` ${Object.keys(controls.shape).join(' ')}`;
      general.set(line, [...(general.get(line) ?? []), collection]);
    }
    for (const found of general.values()) expect(found).toEqual(collections);
    const row = (method: string, path: string, names: readonly string[], does: string) => [
      method,
      `\`${path}\``,
      names.map((name) => `\`${name}\``).join(' '),
      does,
    ];
    const rows = [
      ...ofCollections
        .slice(0, 5)
        .map(({ method, path, controls, summary }) =>
          row(
            method,
            path.replace('/datapaths', '/{collection}'),
            Object.keys(controls.shape),
            summary.replace('datapaths', 'entities').replace('a datapath', 'an entity'),
          ),
        ),
      ...endpoints
        .filter((endpoint) => !ofCollections.includes(endpoint))
        .map(({ method, path, controls, summary }) => row(method, path, Object.keys(controls.shape), summary)),
    ];
    expectGenerated('docs/rest.md', 'endpoints', markdownTable(['method', 'path', 'query', 'does'], rows));
  });

  it.each([
    ['a trace', 'trace', traceFields],
    ['a live trace', 'live trace', liveInput],
    ['the filter of a live trace', 'live filter', liveFilterSchema],
    ['a question about reachability', 'reachability', reachInput],
  ])('lists the parameters of %s', (_what, name, { shape }) => {
    const rows = Object.entries(shape as Record<string, z.ZodType>).map(([parameter, field]) => [
      `\`${parameter}\``,
      typeOf(field).replaceAll('|', ' \\| '),
      field.safeParse(undefined).success ? '' : 'required',
      field.description ?? '',
    ]);
    expectGenerated('docs/rest.md', name, markdownTable(['parameter', 'type', '', 'is'], rows));
  });

  it('lists the parameters there are', () => {
    const sections = (Object.keys(KINDS) as UserKind[]).map((kind) => {
      const create = INPUTS[kind].create.shape as Record<string, z.ZodType>;
      const update = INPUTS[kind].update.shape as Record<string, z.ZodType>;
      const rows = Object.keys({ ...create, ...update }).map((name) => {
        const field = (create[name] ?? update[name])!;
        const onCreate = create[name] === undefined ? '' : create[name].safeParse(undefined).success ? 'yes' : 'required';
        return [`\`${name}\``, typeOf(field).replaceAll('|', ' \\| '), onCreate, name in update ? 'yes' : '', field.description ?? ''];
      });
      const { collection, prefix } = KINDS[kind];
      return `### ${collection}\n\nuuid \`${prefix}-…\`\n\n${markdownTable(['parameter', 'type', 'POST', 'PUT', 'is'], rows)}`;
    });
    expectGenerated('docs/rest.md', 'parameters', sections.join('\n\n'));
  });
});
