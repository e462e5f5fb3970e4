/**
 * `vnctl apply`, `vnctl export`.
 */
import { type Command } from 'commander';
import { KINDS, type UserKind } from '../../flows/model/entities.js';
import { ProblemError, type Json } from './client.js';
import { CliError, EXIT } from './io.js';
import type { Session } from './session.js';
import { planTopology, type PlannedChange } from './topology-diff.js';
import { exportTopology, topologyText } from './topology-export.js';
import { ORDER, readTopology, type TopologyEntity } from './topology-file.js';

export function addTopologyCommands(program: Command, session: () => Session): void {
  program
    .command('apply')
    .description('make the model say what a file says, as one transaction; nothing is deleted, and what is already so stays untouched')
    .requiredOption('-f, --file <file>', 'YAML with collections as keys and lists of entities with uuids; - is standard input')
    .action(async ({ file }: { file: string }) => apply(session(), file));

  program
    .command('export')
    .description('print the model as a file for apply')
    .action(async () => {
      const { client, print } = session();
      const document = exportTopology(await fetchAll(client, ORDER));
      print(document, () => topologyText(document));
    });
}

async function apply(session: Session, file: string): Promise<void> {
  const { client, io } = session;
  const text = file === '-' ? await io.stdin() : await io.readFile(file);
  const entities = readTopology(file === '-' ? 'standard input' : file, text);
  const current = await fetchAll(
    client,
    ORDER.filter((kind) => entities.some((entity) => entity.kind === kind)),
  );
  const views = new Map([...current.values()].flat().map((view) => [view['uuid'] as string, view]));
  const { changes, unchanged, complaints } = planTopology(entities, views);
  if (complaints.length > 0) throw new CliError(EXIT.error, complaints);

  const answer = changes.length === 0 ? await client.get('/status') : await send(session, changes);
  const summary = {
    revision: answer['revision'],
    created: changes.filter(({ operation }) => operation.method === 'POST').map(({ entity }) => entity.uuid),
    changed: changes.filter(({ operation }) => operation.method === 'PUT').map(({ entity }) => entity.uuid),
    unchanged,
  };
  session.print(summary, () => {
    const lines = changes.map(({ entity, operation }) =>
      operation.method === 'POST' ? `+ ${entity.uuid}\n` : `~ ${entity.uuid} ${Object.keys(operation.body).join(' ')}\n`,
    );
    return `${lines.join('')}${summary.created.length} created, ${summary.changed.length} changed, ${unchanged} unchanged; revision ${String(summary.revision)}\n`;
  });
}

async function send({ client }: Session, changes: readonly PlannedChange[]): Promise<Json> {
  try {
    return (await client.change('POST', '/batch', { json: { operations: changes.map(({ operation }) => operation) } })) as Json;
  } catch (error) {
    if (!(error instanceof ProblemError) || error.problem.errors.length === 0) throw error;
    throw new CliError(
      error.exitCode,
      error.problem.errors.map(
        ({ pointer, detail }) =>
          `${
            placeOf(
              pointer,
              changes.map(({ entity }) => entity),
            ) ?? pointer
          }: ${detail}`,
      ),
    );
  }
}

/** The place in the file of what `/operations/3/body/ipv4_address` points at. */
function placeOf(pointer: string, entities: readonly TopologyEntity[]): string | undefined {
  const [, , index, , ...path] = pointer.split('/').map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  return entities[Number(index)]?.where(path);
}

async function fetchAll(client: Session['client'], kinds: readonly UserKind[]): Promise<Map<UserKind, Json[]>> {
  return new Map(await Promise.all(kinds.map(async (kind) => [kind, await client.all(KINDS[kind].collection)] as const)));
}
