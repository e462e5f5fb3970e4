/**
 * `vnctl <collection> <relation> add|show|del`, as OpenVNet's command line has them.
 */
import { type Command } from 'commander';
import { KINDS } from '../../flows/model/entities.js';
import { RELATIONS, rowFields, rowFilters, singularOf, type Relation } from '../relations.js';
import { nounOf } from '../words.js';
import { addParameterOptions, givenParameters } from './options.js';
import { listPage, pick, type Options } from './resource-commands.js';
import type { Session } from './session.js';

export function addRelationCommands(program: Command, session: () => Session): void {
  for (const relation of RELATIONS) {
    const { collection } = KINDS[relation.owner];
    const resource = program.commands.find((command) => command.name() === collection)!;
    const words = relation.name.replaceAll('_', ' ');
    const group = resource.command(relation.name).description(`add, show and delete ${words} of ${nounOf(relation.owner)}`);
    addAdd(group, relation, session);
    addShow(group, relation, session);
    addDel(group, relation, session);
  }
}

const at = ({ owner, name }: Relation, uuid: string, target?: string) =>
  `/${KINDS[owner].collection}/${encodeURIComponent(uuid)}/${name}${target === undefined ? '' : `/${encodeURIComponent(target)}`}`;

function addAdd(group: Command, relation: Relation, session: () => Session): void {
  const { owner, target } = relation;
  const fields = rowFields(relation);
  const add = group.command('add').argument(`<${owner}>`);
  if (target) add.description(`connect ${nounOf(owner)} to ${nounOf(target.kind)}`).argument(`<${target.kind}>`);
  else add.description(`give ${nounOf(owner)} a ${singularOf(relation)}`);
  addParameterOptions(add, fields);
  add.action(async (uuid: string, ...rest: unknown[]) => {
    const { client, print } = session();
    const [named, options] = (target ? rest : [undefined, ...rest]) as [string | undefined, Options];
    print(await client.change('POST', at(relation, uuid, named), { form: givenParameters(options, fields) }));
  });
}

function addShow(group: Command, relation: Relation, session: () => Session): void {
  group
    .command('show')
    .description(`show the ${relation.name.replaceAll('_', ' ')} of ${nounOf(relation.owner)}`)
    .argument(`<${relation.owner}>`)
    .option('--limit <number>', 'most items to show')
    .option('--offset <number>', 'items to leave out at the start')
    .action(async (uuid: string, options: Options) => {
      const { client, print } = session();
      listPage(await client.get(at(relation, uuid), pick(options, ['limit', 'offset'])), print, relation.name);
    });
}

function addDel(group: Command, relation: Relation, session: () => Session): void {
  const { owner, name, target } = relation;
  const del = group.command('del').argument(`<${owner}>`);
  if (target === undefined) {
    const filters = rowFilters(relation);
    del.description(`delete those ${name} of ${nounOf(owner)} that have the values given, or all`);
    addParameterOptions(del, filters);
    del.action(async (uuid: string, options: Options) => {
      const { client, print } = session();
      print(await client.change('DELETE', at(relation, uuid), { form: givenParameters(options, filters) }));
    });
    return;
  }
  del
    .description(`disconnect ${nounOf(owner)} from ${target.kind.replaceAll('_', ' ')}s; from all of them, or none`)
    .argument(`<${target.kind}...>`)
    .action(async (uuid: string, targets: string[]) => {
      const { client, print } = session();
      if (targets.length === 1) await client.change('DELETE', at(relation, uuid, targets[0]));
      else {
        const operations = targets.map((one) => ({ method: 'DELETE', path: at(relation, uuid, one) }));
        await client.change('POST', '/batch', { json: { operations } });
      }
      print(targets, () => targets.map((one) => `${one}\n`).join(''));
    });
}
