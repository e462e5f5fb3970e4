/**
 * `vnctl status`, `vnctl flows` and `vnctl datapaths accept-slice`.
 */
import { type Command } from 'commander';
import type { DatapathStatus } from '../../controller/contract.js';
import type { FlowEntry } from '../../controller/messages/slice.js';
import { KINDS } from '../../flows/model/entities.js';
import { formatTable } from './output.js';
import type { Session } from './session.js';

export function addStatusCommands(program: Command, session: () => Session): void {
  program
    .command('status')
    .description('show the version, the revision, and what each datapath has of it')
    .action(async () => {
      const { client, print } = session();
      const status = await client.get('/status');
      print(status, () => {
        const rows = (status['datapaths'] as DatapathStatus[]).map((one) => ({ ...one, connected: one.connected ? 'yes' : 'no' }));
        return `hotori ${String(status['version'])}, revision ${String(status['revision'])}\n${rows.length === 0 ? 'no datapaths\n' : formatTable(rows)}`;
      });
    });

  program
    .command('flows')
    .description('show the flows that belong on a datapath, each with the entities and the rule it comes from')
    .argument('<datapath>')
    .option('--owner <uuid>', 'only flows made from this entity')
    .action(async (datapath: string, options: { owner?: string }) => {
      const path = `/datapaths/${encodeURIComponent(datapath)}/flows`;
      const { client, print } = session();
      const answer = await client.get(path, options.owner === undefined ? {} : { owner: options.owner });
      print(answer, () => (answer['items'] as FlowEntry[]).map(flowLine).join(''));
    });

  program.commands
    .find((command) => command.name() === KINDS.datapath.collection)!
    .command('accept-slice')
    .description('say that the slice which a datapath holds back, as its last_error says, is right')
    .argument('<datapath>')
    .action(async (datapath: string) => {
      const { client, print } = session();
      const answer = await client.act(`/datapaths/${encodeURIComponent(datapath)}/accept_slice`);
      print(answer, () => (answer['accepted'] === true ? 'accepted\n' : 'nothing is held back\n'));
    });
}

/** Table and cookie are said better than in the flow's own text. */
function flowLine({ table, table_name, text, owners, rule }: FlowEntry): string {
  return `${table}(${table_name}) ${text.replace(/^(cookie=0x[0-9a-f]+, |table=\d+, )*/, '')}  # ${[rule, ...owners].join(' ')}\n`;
}
