/**
 * docs/openflow.md says what is so.
 */
import { readFileSync } from 'node:fs';
import { namedErrors } from '../../flows/openflow/error-codes.js';
import { FIELDS } from '../../flows/openflow/fields.js';
import { ACTIONS, BANDS, INSTRUCTIONS, MESSAGES, MULTIPARTS, type Supported } from '../../flows/openflow/support.js';
import { expectGenerated, markdownTable } from '../docs/generated.js';
import { example } from './example.js';
import { BRIDGE, startSwitch } from './switch.js';

const FILE = 'docs/openflow.md';

function supported(tables: Readonly<Record<string, Readonly<Record<string, Supported>>>>): string {
  const rows = Object.entries(tables).flatMap(([what, table]) =>
    Object.entries(table).map(([kind, { name, spec }]) => [what, `\`${kind}\``, name, spec]),
  );
  return markdownTable(['what', 'kind', 'on the wire', 'where'], rows);
}

/** Registers and tunnel options as one row each. */
function fields(): string {
  const rows = new Map<string, string[]>();
  for (const field of Object.values(FIELDS)) {
    const family = /^(reg|xreg|xxreg|tun_metadata)\d+$/.exec(field.name)?.[1];
    const old = family === undefined ? undefined : rows.get(family);
    if (old !== undefined) {
      old[0] = old[0]!.replace(/(….*)?`$/, `…${field.name.slice(family!.length)}\``);
      const wire = field.oxm.name.replace(/\d+$/, 'n');
      if (!old[4]!.includes(wire)) old[4] = `${old[4]}, ${wire}`;
      continue;
    }
    const width = field.variable ? 'up to 124 bytes' : `${field.bits} bits`;
    const prereq = field.prereq === 'none' ? '' : field.prereq;
    const flags = `${field.maskable ? 'mask' : ''}${field.maskable && field.writable ? ', ' : ''}${field.writable ? 'set' : ''}`;
    rows.set(family ?? field.name, [
      `\`${field.name}\``,
      width,
      flags,
      prereq,
      field.headers.map(({ name }) => (family === undefined ? name : name.replace(/\d+$/, 'n'))).join(', '),
    ]);
  }
  return markdownTable(['field', 'width', 'can', 'needs', 'on the wire; the first is written'], [...rows.values()]);
}

describe('docs/openflow.md', () => {
  it('lists what is supported', () => {
    expectGenerated(FILE, 'messages', supported({ message: MESSAGES, multipart: MULTIPARTS }));
    expectGenerated(FILE, 'actions', supported({ instruction: INSTRUCTIONS, action: ACTIONS, 'meter band': BANDS }));
    expectGenerated(FILE, 'fields', fields());
  });

  it('lists the errors there are names for', () => {
    const of = (experimenter: number | undefined) => namedErrors().filter((error) => error.experimenter === experimenter);
    const count = (list: readonly unknown[]) => String(list.length);
    const rows = [
      ['OpenFlow 1.3.5', count(of(undefined))],
      ['ONF extensions', count(of(0x4f4e4600))],
      ['Nicira', count(of(0x2320))],
    ];
    expectGenerated(FILE, 'errors', markdownTable(['errors of', 'named'], rows));
  });

  it('shows an example', () => {
    const code = readFileSync(new URL('example.ts', import.meta.url), 'utf8');
    expectGenerated(FILE, 'example', `\`\`\`ts\n${code}\`\`\``);
  });

  it('shows an example that works', async () => {
    const real = await startSwitch();
    try {
      const lines: string[] = [];
      await example(`unix:${real.ovs.openflowSocket(BRIDGE)}`, (line) => lines.push(line));
      expect(lines).toEqual([
        '2 flows',
        'cookie=0x2a00000000000001, priority=100,in_port=1 actions=goto_table:1',
        'cookie=0x2a00000000000001, table=1, tcp,nw_dst=10.0.0.0/8,tp_dst=80 actions=dec_ttl,output:2',
      ]);
    } finally {
      await real.stop();
    }
  }, 30_000);
});
