/**
 * The codec agrees with other implementations on every vector of the corpus.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { decodeActions } from '../../flows/openflow/action-decode.js';
import { encodeActions } from '../../flows/openflow/action-encode.js';
import { canonicalActions } from '../../flows/openflow/canonical-action.js';
import { canonicalMatch } from '../../flows/openflow/canonical-match.js';
import { flowBody, flowKey } from '../../flows/openflow/canonical.js';
import { decodeMessage, encodeMessage } from '../../flows/openflow/codec.js';
import { DecodeError } from '../../flows/openflow/errors.js';
import { namedErrors } from '../../flows/openflow/error-codes.js';
import { FIELDS } from '../../flows/openflow/fields.js';
import { decodeInstructions, encodeInstructions } from '../../flows/openflow/instruction.js';
import { decodeMatch, encodeMatch, matchEnd } from '../../flows/openflow/oxm.js';
import { actionsToString, instructionsToString } from '../../flows/openflow/text-action.js';
import { parseActions, parseInstructions } from '../../flows/openflow/text-action-parse.js';
import { parseMatch } from '../../flows/openflow/text-flow.js';
import { matchToString } from '../../flows/openflow/text-match.js';
import { ofPrintLine } from '../../flows/openflow/tool.js';
import { Writer } from '../../flows/openflow/writer.js';
import { bytesOf, hexOf, MORE, rows, viewOf, type Row } from './corpus.js';
import { missing, ours } from './leaves.js';

const MESSAGES = [...rows('of13.jsonl'), ...rows('ovs-captured.jsonl')].filter((row) => row.truncated !== true);

/** Messages that are wrong: the peers refuse them or, where noted, are more lenient than the specification. */
const REFUSED: Readonly<Record<string, string>> = {
  'ryu/4-63-onf_flow_monitor_request.packet': 'bare OXMs where EXT-187 has a struct ofp_match; Open vSwitch refuses it too',
  'ovs/ofp-print.at:2393': 'meter command 8',
  'loxigen/hello': 'hello elements without their padding',
  'cap/0797': 'role 99',
  'cap/0818': 'a flow_mod of 8 bytes',
  'cap/0830': 'version 5 after the handshake',
  'cap/0859': 'group type 9',
  'cap/0863': 'meter command 9',
  'cap/0912': 'bundle control 0x63',
  'cap/0913': 'bundle control 0x61',
};

/** Messages that are written in another form than they came in. */
const REWRITTEN: Readonly<Record<string, string>> = {
  'ovs/ofp-print.at:3704': 'a match_len of 65535 that Open vSwitch does not look at',
  'ovs-restamped/ofp-print.at:1033': 'dp_hash by its experimenter number',
  'cap/0747': 'in_port and tun_id by their NXM numbers',
  'cap/0748': 'in_port and tun_id by their NXM numbers',
};

function encoded(write: (w: Writer) => void): string {
  const writer = new Writer();
  writer.begin();
  write(writer);
  return hexOf(writer.take());
}

/** What is wrong with each row; nothing for those where nothing is. */
function complaints(list: readonly Row[], check: (row: Row) => string | undefined): string[] {
  return list.flatMap((row) => {
    let complaint: string | undefined;
    try {
      complaint = check(row);
    } catch (error) {
      complaint = String(error);
    }
    return complaint === undefined ? [] : [`${row.id} ${row.name ?? ''}: ${complaint}`];
  });
}

describe('messages', () => {
  const readable = MESSAGES.filter((row) => REFUSED[row.id] === undefined);

  it('decode, and encode to the same bytes', () => {
    const wrong = complaints(readable, (row) => {
      const bytes = bytesOf(row.hex);
      const { xid, message } = decodeMessage(bytes, 0, bytes.length);
      const writer = new Writer();
      encodeMessage(writer, message, xid);
      const back = hexOf(writer.take());
      if (REWRITTEN[row.id] !== undefined) {
        const again = decodeMessage(bytesOf(back), 0, back.length / 2);
        return back === row.hex ? 'is listed as rewritten but is not' : isDeepStrictEqual(again, { xid, message }) ? undefined : back;
      }
      return back === row.hex ? undefined : back;
    });
    expect(wrong).toEqual([]);
  });

  it('that are wrong are refused', () => {
    const refused = MESSAGES.filter((row) => REFUSED[row.id] !== undefined);
    const wrong = complaints(refused, (row) => {
      const bytes = bytesOf(row.hex);
      expect(() => decodeMessage(bytes, 0, bytes.length)).toThrow(DecodeError);
      return undefined;
    });
    expect(wrong).toEqual([]);
  });

  it('mean what os-ken and Ryu read in them', () => {
    const read = readable.flatMap((row) => {
      const json = row.expect_format === 'ryu-json' ? row.expect : row.osken;
      return json === undefined || json === null ? [] : [{ ...row, osken: json }];
    });
    expect(read.length).toBeGreaterThan(600);
    const wrong = complaints(read, (row) => {
      const bytes = bytesOf(row.hex);
      const { xid, message } = decodeMessage(bytes, 0, bytes.length);
      const absent = missing(row.osken, ours({ xid, message }));
      return absent.length === 0 ? undefined : absent.slice(0, 3).join(', ');
    });
    expect(wrong).toEqual([]);
  });
});

/** Names that Open vSwitch has and OpenFlow 1.3.5 spells otherwise. */
const RENAMED = [
  ['OFPBRC_BAD_STAT', 'OFPBRC_BAD_MULTIPART'],
  ['OFPBRC_BAD_VENDOR', 'OFPBRC_BAD_EXPERIMENTER'],
  ['OFPBRC_BAD_SUBTYPE', 'OFPBRC_BAD_EXP_TYPE'],
  ['OFPBRC_IS_SECONDARY', 'OFPBRC_IS_SLAVE'],
  ['OFPBAC_BAD_VENDOR_TYPE', 'OFPBAC_BAD_EXP_TYPE'],
  ['OFPBAC_BAD_VENDOR', 'OFPBAC_BAD_EXPERIMENTER'],
] as const;

/** Only the packet itself, which we print as bytes, is left out. */
function comparable(text: string): string {
  const renamed = RENAMED.reduce((all, [theirs, name]) => all.replaceAll(theirs, name), text);
  return renamed
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '' && !/^[0-9a-f]{28,}$/.test(line) && !/^ ?(continuation|userdata)/.test(line))
    .filter(
      (line) =>
        !/^(r?arp|ip|tcp|udp|icmp6?|ipv6|vlan_tci|dl_vlan|tcp6|udp6|sctp).*dl_src=/.test(line) &&
        !/^icmp6?_csum|^(tcp|udp)_csum/.test(line),
    )
    .join('\n');
}

/** Texts that differ, and why. */
const OTHER_TEXT: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [
      ...[
        'ryu/4-55-ofp_table_features_request.packet',
        'ryu/4-56-ofp_table_features_reply.packet',
        'ovs/ofp-print.at:2493',
        'cap/0702',
        'cap/0703',
      ],
      'loxigen/table_features_stats_reply',
    ].map((id) => [id, 'table features have a shorter form of our own']),
  ),
  ...Object.fromEntries(
    ['ovs/ofp-print.at:396', 'ovs/ofp-print.at:432', 'ovs-restamped/ofp-print.at:408', 'ovs/ofp-print.at:2824'].map((id) => [
      id,
      'we print bits that have no name',
    ]),
  ),
  ...Object.fromEntries(
    ['cap/0063', 'cap/0064', 'cap/0066', 'cap/0236', 'cap/0237', 'cap/0238', 'cap/0239', 'cap/0242', 'cap/0924'].map((id) => [
      id,
      'ovs-ofctl leaves fields out',
    ]),
  ),
  ...Object.fromEntries(
    ['ovs-restamped/ofp-errors.at:138', 'ovs-restamped/ofp-errors.at:146', 'ovs-restamped/ofp-errors.at:162', 'cap/0831'].map((id) => [
      id,
      'quotes a message of another version',
    ]),
  ),
  ...Object.fromEntries(['loxigen/bad_match_error_msg', 'loxigen/bad_request_error_msg'].map((id) => [id, 'quotes three bytes'])),
  'ryu/libofproto-OFP13-packet_in.packet': 'checksums of the packet',
  'ovs/ofp-print.at:589': 'the packet byte by byte',
};

function textExpectation(row: Row): string | undefined {
  const text = row.text ?? row.ovs31 ?? (row.expect_format === 'ovs-ofp-print' && typeof row.expect === 'string' ? row.expect : undefined);
  return text === undefined || text.includes('decode error') ? undefined : text;
}

describe('the text of messages', () => {
  it('is what ovs-ofctl ofp-print says', () => {
    const printed = MESSAGES.filter(
      (row) => textExpectation(row) !== undefined && OTHER_TEXT[row.id] === undefined && REFUSED[row.id] === undefined,
    );
    const wrong = complaints(printed, (row) => {
      const theirs = comparable(textExpectation(row)!);
      const text = comparable(ofPrintLine(row.hex));
      if (theirs === text) return undefined;
      const line = theirs.split('\n').findIndex((words, index) => words !== text.split('\n')[index]);
      return `${theirs.split('\n')[line]} :: ${text.split('\n')[line]}`;
    });
    expect(wrong).toEqual([]);
  });
});

describe('actions and instructions', () => {
  const all = rows('ovs-actions.jsonl');
  const known = all.filter((row) => row.error === undefined && row.not_in_of13 !== true);

  const reencoded = (row: Row): string => {
    const bytes = bytesOf(row.hex);
    return row.kind === 'instructions'
      ? encoded((w) => encodeInstructions(w, decodeInstructions(viewOf(bytes), 0, bytes.length)))
      : encoded((w) => encodeActions(w, decodeActions(viewOf(bytes), 0, bytes.length)));
  };

  /** ONF copy_field is written as NXAST_REG_MOVE, as Open vSwitch does; padding is zero. */
  const REWRITTEN_ACTIONS = new Set(['ofp-actions.at:756:124', 'ofp-actions.at:518:100', 'ofp-actions.at:518:115']);

  it('decode, and encode to the same bytes or those of Open vSwitch', () => {
    const wrong = complaints(known, (row) => {
      const back = reencoded(row);
      return back === row.hex || back === row.canonical_hex || REWRITTEN_ACTIONS.has(row.id) ? undefined : back;
    });
    expect(wrong).toEqual([]);
  });

  it('of a wrong length are refused', () => {
    // OpenFlow 1.0 and 1.1 had actions of these numbers; to 1.3 they are unknown, not wrong.
    // A ct zone of other than 16 bits is what Ryu writes.
    const isForeign = (row: Row): boolean => /^000[1-9a-de]|^ffff001800002320002300000001000400[01][7f]/.test(row.hex);
    const short = all.filter((row) => row.error !== undefined && /_LEN$/.test(row.error) && !isForeign(row));
    expect(short.length).toBeGreaterThan(5);
    const wrong = complaints(short, (row) => {
      expect(() => reencoded(row)).toThrow(DecodeError);
      return undefined;
    });
    expect(wrong).toEqual([]);
  });

  it('that Open vSwitch refuses for their meaning end in a value or a DecodeError', () => {
    const wrong = complaints(
      all.filter((row) => row.error !== undefined),
      (row) => {
        try {
          reencoded(row);
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
        }
        return undefined;
      },
    );
    expect(wrong).toEqual([]);
  });

  /** The write_metadata action of OpenFlow 1.0 has no value of its own. */
  const NO_WORDS = new Set(['ofp-actions.at:518:109']);
  const spoken = known.filter((row) => row.text !== undefined && !NO_WORDS.has(row.id));

  it('are printed as ovs-ofctl prints them', () => {
    const wrong = complaints(spoken, (row) => {
      const bytes = bytesOf(row.hex);
      const text =
        row.kind === 'instructions'
          ? instructionsToString(decodeInstructions(viewOf(bytes), 0, bytes.length))
          : actionsToString(decodeActions(viewOf(bytes), 0, bytes.length));
      return text === row.text?.replace(/^ *actions=/, '') ? undefined : text;
    });
    expect(wrong).toEqual([]);
  });

  it('are read from what ovs-ofctl prints', () => {
    const wrong = complaints(spoken, (row) => {
      const bytes = bytesOf(row.hex);
      const text = row.text!.replace(/^ *actions=/, '');
      if (row.kind === 'instructions') {
        const sent = flowBody({ instructions: decodeInstructions(viewOf(bytes), 0, bytes.length) });
        const read = flowBody({ instructions: parseInstructions(text) });
        return read === sent || instructionsToString(parseInstructions(text)) === text ? undefined : read;
      }
      const read = parseActions(text);
      const sent = canonicalActions(decodeActions(viewOf(bytes), 0, bytes.length));
      return actionsToString(read) === text && actionsToString(sent) === actionsToString(canonicalActions(read))
        ? undefined
        : actionsToString(read);
    });
    expect(wrong).toEqual([]);
  });
});

describe('matches', () => {
  const all = rows('ovs-match.jsonl');
  const known = all.filter((row) => row.error === undefined);
  const decoded = (row: Row) => {
    const view = viewOf(bytesOf(row.hex));
    matchEnd(view, 0, view.byteLength);
    return decodeMatch(view, 0);
  };

  /** Open vSwitch 3.1 does not know these fields yet (and lets them pass here), or writes more of the mask than there are bits in the field. */
  const isOther = (row: Row): boolean => /REG16|REG31|PKT_REG(8|15)|XXREG[47]|ERSPAN|PACKET_TYPE\(00000000\)/.test(row.text ?? '');

  it('decode, and are in canonical form what Open vSwitch writes', () => {
    const wrong = complaints(
      known.filter((row) => !isOther(row)),
      (row) => {
        const back = encoded((w) => encodeMatch(w, canonicalMatch(decoded(row))));
        const theirs = row.canonical_hex ?? row.hex;
        // Asked not to be strict, it drops what it does not know; we never do.
        if (row.strict === false && decoded(row).some((oxm) => oxm.field === 'unknown')) return undefined;
        // What it leaves out or writes in more words must still be the same match.
        const same = encoded((w) => encodeMatch(w, canonicalMatch(decoded({ ...row, hex: theirs }))));
        return back === theirs || back === same ? undefined : back;
      },
    );
    expect(wrong).toEqual([]);
  });

  it('of a wrong length are refused', () => {
    const short = all.filter((row) => row.error !== undefined && /_LEN$/.test(row.error));
    const wrong = complaints(short, (row) => {
      expect(() => decoded(row)).toThrow(DecodeError);
      return undefined;
    });
    expect(wrong).toEqual([]);
  });

  it('are printed as ovs-ofctl prints them, and read back', () => {
    const spoken = known.flatMap((row) => {
      const text = row.style === 'flow' ? row.text : row.ofp_print?.replace(/^ADD /, '').replace(/ ?actions=drop$/, '');
      return text === undefined || text.startsWith('OFP') ? [] : [{ ...row, text }];
    });
    expect(spoken.length).toBeGreaterThan(400);
    const wrong = complaints(spoken, (row) => {
      const text = matchToString(decoded(row));
      // ovs-ofctl does not print some fields at all; ours then says more.
      const isSilent = row.text === '' || text.includes('<error>') || /(^|,)dl_type=0x894f$/.test(row.text ?? '');
      if (text !== row.text && !isSilent) return text;
      if (text.includes('<error>')) return undefined;
      return flowKey({ table: 0, priority: 0, match: parseMatch(text) }) ===
        flowKey({ table: 0, priority: 0, match: parseMatch(matchToString(parseMatch(text))) })
        ? undefined
        : 'is read differently';
    });
    expect(wrong).toEqual([]);
  });
});

describe('malformed messages', () => {
  /** What switches quote or keep for themselves is not looked into: the data of an error, the continuation of a packet-in. */
  const OPAQUE = /^(mutation-length.*(match (dp_hash|recirc_id) |NXT_RESUME))/;

  it('are refused where they must be, and never do anything but that', () => {
    const wrong = complaints(rows('malformed.jsonl'), (row) => {
      const bytes = bytesOf(row.hex);
      const start = performance.now();
      let outcome = 'decoded';
      try {
        decodeMessage(bytes, 0, bytes.length);
      } catch (error) {
        outcome = error instanceof DecodeError ? 'refused' : String(error);
      }
      const elapsed = performance.now() - start;
      if (outcome !== 'decoded' && outcome !== 'refused') return outcome;
      if (elapsed > 1000) return `took ${elapsed} ms`;
      const label = `${(row as { category?: string }).category ?? ''} ${row.name ?? ''}`;
      return row.expect === 'error' && outcome === 'decoded' && !OPAQUE.test(label) ? 'was not refused' : undefined;
    });
    expect(wrong).toEqual([]);
  });

  it('of other OpenFlow versions are refused, but for HELLO and ERROR', () => {
    const wrong = complaints(rows('of-other-versions.jsonl'), (row) => {
      const bytes = bytesOf(row.hex);
      if (bytes.length < 8) return undefined;
      let outcome = 'decoded';
      try {
        decodeMessage(bytes, 0, bytes.length);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        outcome = error.code;
      }
      const isHandshake = bytes[1] === 0 || bytes[1] === 1;
      return isHandshake || bytes[0] === 4 || outcome !== 'decoded' ? undefined : 'was decoded';
    });
    expect(wrong).toEqual([]);
  });
});

describe('captured streams', () => {
  for (const name of ['ovs-captured-table-features-stream.json', 'ovs-captured-flow-stats-stream.json']) {
    const file = path.join(MORE, name);
    (existsSync(file) ? it : it.skip)(`${name} decodes part by part and encodes again`, () => {
      const text = readFileSync(file, 'utf8');
      const parts = [...text.matchAll(/"([0-9a-f]{32,})"/g)].map(([, hex]) => hex!);
      expect(parts.length).toBeGreaterThan(1);
      for (const hex of parts) {
        const bytes = bytesOf(hex);
        const { xid, message } = decodeMessage(bytes, 0, bytes.length);
        const writer = new Writer();
        encodeMessage(writer, message, xid);
        expect(hexOf(writer.take()) === hex).toBe(true);
      }
    });
  }
});

const REGISTRY = path.join(MORE, 'oxm-registry.json');
(existsSync(REGISTRY) ? describe : describe.skip)('the registry', () => {
  it('has every field number that Open vSwitch has', () => {
    const theirs = JSON.parse(readFileSync(REGISTRY, 'utf8')) as {
      oxm: string;
      cls: number;
      num: number;
      vendor: number;
      bytes: number;
      bits: number;
    }[];
    const mine = Object.values(FIELDS).flatMap((field) =>
      field.headers.map(
        (header) => `${header.name} ${header.oxmClass}.${header.number} ${header.experimenter} ${field.bytes} ${field.bits}`,
      ),
    );
    expect(
      theirs.map((row) => `${row.oxm} ${row.cls}.${row.num} ${row.vendor} ${row.bytes} ${row.bits}`).filter((row) => !mine.includes(row)),
    ).toEqual([]);
  });

  it('has every error that Open vSwitch has', () => {
    const { errors13 } = JSON.parse(readFileSync(path.join(MORE, 'of13-registry.json'), 'utf8')) as {
      errors13: { code: string; kind: string }[];
    };
    const experimenters: Readonly<Record<string, number | undefined>> = { ONF: 0x4f4e4600, NX: 0x2320 };
    const mine = new Set(namedErrors().map((error) => `${error.experimenter ?? error.type},${error.code}`));
    const theirs = errors13.map(({ code, kind }) => (kind === 'OF' ? code : `${experimenters[kind]},${code}`));
    expect(theirs.filter((error) => !mine.has(error))).toEqual([]);
  });
});
