/**
 * The description of the API: OpenAPI 3.1, made from the endpoints and their schemas.
 */
import { z } from 'zod';
import { createDocument, type ZodOpenApiObject, type ZodOpenApiOperationObject } from 'zod-openapi';
import { planSchema } from '../../controller/messages/plan.js';
import type { Endpoint } from './endpoint.js';
import { noControls } from './controls.js';
import { PROBLEM_MEDIA_TYPE } from './problem.js';
import { REVISION_HEADER } from './write.js';

const problemSchema = z
  .looseObject({
    type: z.string().describe('urn:hotori:error: and a stable code.'),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    errors: z
      .array(z.object({ pointer: z.string(), detail: z.string(), uuid: z.string().optional() }))
      .describe('Every reason, with a JSON pointer into the request.'),
    request_id: z.string(),
    error: z.string().describe("OpenVNet's error class."),
    code: z.string().describe("OpenVNet's error code."),
    message: z.string(),
  })
  .meta({ id: 'Problem' });

const plan = planSchema.meta({ id: 'Plan' });

/** The endpoint that answers the description; it describes itself too. */
export function describeApi(endpoints: readonly Endpoint[], version: () => string): Endpoint {
  let document: unknown;
  const self: Endpoint = {
    method: 'GET',
    path: '/openapi',
    operation_id: 'openapi',
    summary: 'This description',
    tag: 'status',
    controls: noControls,
    answer: z.looseObject({ openapi: z.string() }),
    handle: () => ({ body: (document ??= describeEndpoints([...endpoints, self], version())) }),
  };
  return self;
}

function describeEndpoints(endpoints: readonly Endpoint[], version: string): unknown {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const endpoint of endpoints) (paths[endpoint.path] ??= {})[endpoint.method.toLowerCase()] = operationOf(endpoint);
  const document: ZodOpenApiObject = {
    openapi: '3.1.0',
    info: {
      title: 'Hotori',
      version,
      description:
        'Virtual networks, routers and security groups for Open vSwitch. Parameters may stand in the query, in a form or in a JSON or YAML body; `.json` or `.yml` after a path chooses the form of the answer.',
    },
    servers: [{ url: '/api/1.0' }],
    paths: paths,
  };
  return createDocument(document, { override: ({ jsonSchema }) => dropSafeBounds(jsonSchema) });
}

/** Every integer of JavaScript has these bounds; they say nothing about the API. */
function dropSafeBounds(schema: { minimum?: number; maximum?: number }): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
}

function operationOf(endpoint: Endpoint): ZodOpenApiOperationObject {
  const { method, path, fields } = endpoint;
  const writes = method !== 'GET' && endpoint.commits !== false;
  const names = Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name!);
  const pathParameters = names.length > 0 ? { path: z.object(Object.fromEntries(names.map((name) => [name, z.string()]))) } : {};
  const headerParameters =
    writes && path.endsWith('/{uuid}')
      ? { header: z.object({ 'If-Match': z.string().optional().describe('The ETag that the entity must still have.') }) }
      : {};
  const mediaType = endpoint.media_type ?? 'application/json';
  return {
    operationId: endpoint.operation_id,
    summary: endpoint.summary,
    tags: [endpoint.tag],
    requestParams: { ...pathParameters, ...headerParameters, query: endpoint.controls },
    ...(fields === undefined ? {} : { requestBody: { required: true, content: { 'application/json': { schema: fields } } } }),
    responses: {
      '200': {
        description: 'Done.',
        ...(writes ? { headers: z.object({ [REVISION_HEADER]: z.string().describe('The revision the change made.') }) } : {}),
        content: { [mediaType]: { schema: 'dry_run' in endpoint.controls.shape ? z.union([endpoint.answer, plan]) : endpoint.answer } },
      },
      default: { description: 'Not done, for the reasons given.', content: { [PROBLEM_MEDIA_TYPE]: { schema: problemSchema } } },
    },
  };
}
