/**
 * `vnctl <collection> add|show|modify|del`, as OpenVNet's command line has them.
 */
import { type Command } from 'commander';
import { KINDS, type UserKind } from '../../flows/model/entities.js';
import { INPUTS } from '../../flows/model/inputs.js';
import { nounOf } from '../words.js';
import type { Json } from './client.js';
import { addParameterOptions, givenParameters } from './options.js';
import { formatTable } from './output.js';
import type { Session } from './session.js';

export type Options = Readonly<Record<string, string | boolean | undefined>>;

export function addResourceCommands(program: Command, session: () => Session): void {
  for (const kind of Object.keys(KINDS) as UserKind[]) addCommandsOf(program, kind, session);
}

function addCommandsOf(program: Command, kind: UserKind, session: () => Session): void {
  const { collection } = KINDS[kind];
  const noun = nounOf(kind);
  const resource = program.command(collection).description(`add, show, modify and delete ${collection.replaceAll('_', ' ')}`);

  const add = resource.command('add').description(`create ${noun}`);
  addParameterOptions(add, INPUTS[kind].create);
  add.action(async (options: Options) => {
    const { client, print } = session();
    print(await client.change('POST', `/${collection}`, { form: givenParameters(options, INPUTS[kind].create) }));
  });

  resource
    .command('show')
    .description(`show ${collection.replaceAll('_', ' ')}: those named, or all, page by page`)
    .argument('[uuid...]')
    .option('--limit <number>', 'most items to show')
    .option('--offset <number>', 'items to leave out at the start')
    .action(async (uuids: string[], options: Options) => {
      const { client, print } = session();
      if (uuids.length === 0) return listPage(await client.get(`/${collection}`, pick(options, ['limit', 'offset'])), print, collection);
      const found = await Promise.all(uuids.map((uuid) => client.get(`/${collection}/${encodeURIComponent(uuid)}`)));
      print(found.length === 1 ? found[0] : found);
    });

  const modify = resource.command('modify').description(`change ${noun}; what is not given stays as it is`).argument('<uuid>');
  addParameterOptions(modify, INPUTS[kind].update);
  modify.action(async (uuid: string, options: Options) => {
    const { client, print } = session();
    print(
      await client.change('PUT', `/${collection}/${encodeURIComponent(uuid)}`, { form: givenParameters(options, INPUTS[kind].update) }),
    );
  });

  resource
    .command('del')
    .description(`delete ${collection.replaceAll('_', ' ')} and what they own; all of them, or none`)
    .argument('<uuid...>')
    .option('--cascade', 'delete what refers to them, too')
    .action(async (uuids: string[], options: Options) => {
      const { client, print } = session();
      const query: Record<string, string> = options['cascade'] === true ? { cascade: 'true' } : {};
      if (uuids.length === 1) await client.change('DELETE', `/${collection}/${encodeURIComponent(uuids[0]!)}`, { query });
      else {
        const operations = uuids.map((uuid) => ({
          method: 'DELETE',
          path: `/${collection}/${encodeURIComponent(uuid)}`,
          body: query['cascade'] === undefined ? {} : { cascade: true },
        }));
        await client.change('POST', '/batch', { json: { operations } });
      }
      print(uuids, () => uuids.map((uuid) => `${uuid}\n`).join(''));
    });
}

export function listPage(page: Json, print: Session['print'], collection: string): void {
  const items = page['items'] as Json[];
  const total = page['total_count'] as number;
  print(page, () => {
    const first = (page['offset'] as number) + 1;
    const rest =
      items.length < total
        ? `${items.length === 0 ? 'none' : `${first} to ${first + items.length - 1}`} of ${total} shown; --offset and --limit choose\n`
        : '';
    return items.length === 0 && total === 0 ? `no ${collection.replaceAll('_', ' ')}\n` : formatTable(items) + rest;
  });
}

export function pick(options: Options, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.filter((name) => options[name] !== undefined).map((name) => [name, String(options[name])]));
}
