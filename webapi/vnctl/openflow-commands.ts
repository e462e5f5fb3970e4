/**
 * `vnctl of`: OpenFlow messages in hex, without any server.
 */
import { type Command } from 'commander';
import { ofPrintLine, ofRoundtripLine } from '../../flows/openflow/tool.js';
import { usageError, type Io } from './io.js';

/** Lines printed at once. */
const STRIDE = 1000;

export function addOpenflowCommands(program: Command, io: Io): void {
  const openflow = program.command('of').description('look at OpenFlow messages in hex; needs no server');

  addLineCommand('print', 'print messages as text', ofPrintLine);
  addLineCommand('roundtrip', 'decode and encode messages, and print the outcome in hex', ofRoundtripLine);

  function addLineCommand(name: string, description: string, work: (line: string) => string): void {
    openflow
      .command(name)
      .description(description)
      .argument('[hex...]', 'one message each')
      .option('--stdin', 'read messages from standard input, one on a line')
      .action(async (hex: string[], { stdin = false }: { stdin?: boolean }) => {
        if (stdin === hex.length > 0) throw usageError('give messages in hex, or --stdin');
        const lines = stdin ? linesOf(await io.stdin()) : hex;
        for (let at = 0; at < lines.length; at += STRIDE)
          io.out(
            lines
              .slice(at, at + STRIDE)
              .map((line) => `${work(line)}\n`)
              .join(''),
          );
      });
  }
}

/** Every line has its line in the output, also an empty one. */
function linesOf(text: string): string[] {
  return text.replace(/\n$/, '').split('\n');
}
