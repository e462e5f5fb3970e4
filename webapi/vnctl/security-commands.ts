/**
 * `vnctl filters static add|del|show` and `vnctl translations static_address add|del|show`, as OpenVNet's command line has them, and counters of security groups and interfaces.
 */
import { type Command } from 'commander';
import { filterStaticInput } from '../../flows/model/input-fields.js';
import { translationStaticInput } from '../../flows/model/nat-inputs.js';
import type { Json } from './client.js';
import { addParameterOptions, givenParameters } from './options.js';
import { formatTable } from './output.js';
import type { Options } from './resource-commands.js';
import type { Session } from './session.js';

const COUNTED = [
  { collection: 'security_groups', argument: '<security_group>', list: 'rules', what: 'what each rule has decided' },
  { collection: 'interfaces', argument: '<interface>', list: 'drops', what: 'what was dropped at it, by reason' },
] as const;

/** Rows below an entity, as OpenVNet's command line has them. */
const ROWS = [
  { collection: 'filters', argument: 'filter', path: 'static', added: filterStaticInput, named: filterStaticInput.omit({ action: true }) },
  {
    collection: 'translations',
    argument: 'translation',
    path: 'static_address',
    added: translationStaticInput,
    named: translationStaticInput,
  },
] as const;

export function addSecurityCommands(program: Command, session: () => Session): void {
  const named = (name: string) => program.commands.find((command) => command.name() === name)!;
  for (const { collection, argument, list, what } of COUNTED) {
    named(collection)
      .command('statistics')
      .description(`count ${what}`)
      .argument(argument)
      .action(async (uuid: string) => {
        const { client, print } = session();
        const counted = await client.get(`/${collection}/${encodeURIComponent(uuid)}/statistics`);
        print(counted, () => tableOf(counted, list));
      });
  }

  for (const rows of ROWS) addRowCommands(named(rows.collection), rows, session);
}

function addRowCommands(
  parent: Command,
  { collection, argument, path, added, named }: (typeof ROWS)[number],
  session: () => Session,
): void {
  const rows = parent.command(path).description(`add, show and delete rows of a ${argument}`);
  const place = (uuid: string) => `/${collection}/${encodeURIComponent(uuid)}/${path}`;
  for (const [name, method, description, schema] of [
    ['add', 'POST', 'add a row', added],
    ['del', 'DELETE', 'delete the row that matches this', named],
  ] as const) {
    const command = rows.command(name).description(description).argument(`<${argument}>`);
    addParameterOptions(command, schema);
    command.action(async (uuid: string, options: Options) => {
      const { client, print } = session();
      print(await client.change(method, place(uuid), { form: givenParameters(options, schema) }));
    });
  }
  rows
    .command('show')
    .description(`show the rows of a ${argument}`)
    .argument(`<${argument}>`)
    .action(async (uuid: string) => {
      const { client, print } = session();
      const found = (await client.get(place(uuid))) as unknown as Json[];
      print(found, () => (found.length === 0 ? 'no rows\n' : formatTable(found)));
    });
}

function tableOf(counted: Json, list: string): string {
  const items = counted[list] as Json[];
  const silent = counted['unavailable'] as string[];
  const note = silent.length > 0 ? `did not answer: ${silent.join(', ')}\n` : '';
  return (items.length === 0 ? 'nothing counted\n' : formatTable(items)) + note;
}
