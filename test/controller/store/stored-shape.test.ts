import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { changeSchema } from '../../../controller/store/codec.js';
import { STORE_SCHEMA_VERSION } from '../../../controller/store/contract.js';
import { STORE_SCHEMA } from '../../../controller/store/migrations.js';

/** One line for each thing that is stored, under the version of the schema it was recorded for. */
const RECORDED = new URL('stored-shape.txt', import.meta.url);

const WHAT_TO_DO = `
What is stored is not what test/controller/store/stored-shape.txt says (- recorded, + now). Processes of both kinds meet in one store, and each finds damaged what it cannot read.
* Does either not read, or take for something else, what the other has written? A field more or less is enough, for records with unknown fields are refused.
  Then raise STORE_SCHEMA_VERSION in controller/store/contract.ts, add a step to STORE_SCHEMA in controller/store/migrations.ts that makes records of the version before
  into records of this one (none is needed where defaults supply all that is new, but the step has to be there), and test it with a store of the version before.
* Do both read everything the other has written (say, a limit that nothing exceeds), or was no program of this version ever handed out? Then the version stays.
Record the shape then: UPDATE_STORED_SHAPE=1 npm run -s jest -- --selectProjects unit --testPathPatterns stored-shape
`;

type JsonSchema = Readonly<Record<string, unknown>> & {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
};

/** What may be stored at a place and below it; `?` where it may be missing. */
function shapeOf(place: string, schema: JsonSchema): string[] {
  const { properties, required = [], items, anyOf = [], oneOf = [], ...rest } = schema;
  const isPlain = anyOf.every((one) => one.properties === undefined);
  const below = [
    ...Object.entries(properties ?? {}).flatMap(([name, one]) => shapeOf(`${place}.${name}${required.includes(name) ? '' : '?'}`, one)),
    ...(items === undefined ? [] : shapeOf(`${place}[]`, items)),
    ...oneOf.flatMap((one) => shapeOf(String(one.properties?.['kind']?.['const']), one)),
    ...(isPlain ? [] : anyOf.flatMap((one, i) => shapeOf(`${place}|${i + 1}`, one))),
  ];
  return [`${place} ${JSON.stringify(isPlain && anyOf.length > 0 ? { ...rest, anyOf } : rest)}`, ...below];
}

function shapeNow(): string[] {
  return [`version ${STORE_SCHEMA_VERSION}`, ...shapeOf('change', z.toJSONSchema(changeSchema, { io: 'input' }) as JsonSchema)];
}

it('what is stored has the shape that was recorded for the version of the schema', () => {
  const now = shapeNow();
  if (process.env['UPDATE_STORED_SHAPE'] === '1') writeFileSync(RECORDED, `${now.join('\n')}\n`);
  const recorded = readFileSync(RECORDED, 'utf8').trimEnd().split('\n');
  const differences = [
    ...recorded.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
    ...now.filter((line) => !recorded.includes(line)).map((line) => `+ ${line}`),
  ];
  if (differences.length > 0) throw new Error(`${WHAT_TO_DO}\n${differences.join('\n')}`);
});

it('there is a migration to the version of the schema from each version before it', () => {
  expect({ version: STORE_SCHEMA.version, steps: STORE_SCHEMA.steps.length }).toEqual({
    version: STORE_SCHEMA_VERSION,
    steps: STORE_SCHEMA_VERSION - 1,
  });
});
