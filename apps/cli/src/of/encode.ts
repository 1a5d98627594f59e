import { Command, InvalidArgumentError, Option } from 'commander';
import {
  type Action,
  encodeActions,
  encodeInstructions,
  encodeMatch,
  encodeMessage,
  type Instruction,
  type Match,
  type Message,
  parseActions,
  parseInstructions,
  parseMatch,
  type Version,
} from 'openflow-ts';
import { fromJson } from './json.js';
import { convertLines, LineError, versionOf, versionOption } from './lines.js';
import { type ModKind, parseMod, saysSomething } from './mods.js';

const KINDS = ['flow', 'group', 'meter', 'actions', 'instructions', 'match', 'message'] as const;

interface EncodeOptions {
  readonly kind: (typeof KINDS)[number];
  readonly version?: Version;
  readonly command?: string;
  readonly xid: number;
  readonly bare: boolean;
}

/** What `decode --json` prints of a message. */
interface JsonMessage {
  readonly version?: string;
  readonly xid?: number;
  readonly message: Message;
}

function encodeJson(text: string, o: EncodeOptions, version: Version): Uint8Array {
  const value = fromJson(text);
  if (o.kind === 'actions') return encodeActions(value as readonly Action[], version);
  if (o.kind === 'instructions') return encodeInstructions(value as readonly Instruction[], version);
  if (o.kind === 'match') return encodeMatch(value as Match, version, { bare: o.bare });
  const { message, ...header } =
    'message' in (value as object) ? (value as JsonMessage) : { message: value as Message };
  if (typeof message?.kind !== 'string') throw new LineError('', 'a message needs a "kind"');
  const said = o.version ?? (header.version === undefined ? version : versionOf(header.version));
  return encodeMessage(message, { version: said, xid: header.xid ?? o.xid });
}

/** How a group selects can be said in 1.5 only. Before, `ovs-ofctl` leaves it out in silence; we leave it out and say so. */
function sayable(mod: Message, version: Version): Message {
  if (mod.kind !== 'group_mod' || mod.selectionMethod === undefined || version === 'OF1.5') return mod;
  const { selectionMethod, selectionMethodParam: _, selectionFields: __, ...rest } = mod;
  process.stderr.write(
    `heddle: group ${mod.groupId}: ${version} cannot say selection_method=${selectionMethod}; it is left out\n`,
  );
  return rest;
}

/** The bytes of what one line says. */
function encodeLine(text: string, o: EncodeOptions): Uint8Array {
  const version = o.version ?? 'OF1.3';
  if (/^\s*[{[]/.test(text))
    try {
      return encodeJson(text, o, version);
    } catch (error) {
      // What JSON cannot be held to before it is used: a missing member, a number for a list.
      if (error instanceof TypeError) throw new LineError('', `not what decode --json prints: ${error.message}`);
      throw error;
    }
  const list = text.replace(/^\s*actions=/, '');
  if (o.kind === 'actions') return encodeActions(parseActions(list), version);
  if (o.kind === 'instructions') return encodeInstructions(parseInstructions(list), version);
  if (o.kind === 'match') return encodeMatch(parseMatch(text, { version }), version, { bare: o.bare });
  if (o.kind === 'message') throw new LineError('', 'a message of any kind is said in JSON');
  const mod = parseMod(text, o.kind as ModKind, { command: o.command, version });
  return encodeMessage(sayable(mod, version), { version, xid: o.xid });
}

function xidOf(text: string): number {
  const xid = Number(text);
  if (!Number.isInteger(xid) || xid < 0 || xid > 0xffffffff) throw new InvalidArgumentError('want 0 to 0xffffffff');
  return xid;
}

/** `heddle of encode` */
export function encodeCommand(): Command {
  return new Command('encode')
    .description('bytes, in hexadecimal, of flows and other things written in the language of ovs-ofctl')
    .argument('[file]', 'one thing a line; - is standard input', '-')
    .addOption(versionOption('version of the protocol (default 1.3, or what JSON says)'))
    .addOption(new Option('--kind <kind>', 'what the lines are').choices(KINDS).default('flow'))
    .option('--command <command>', 'for lines that name none: add, modify, delete, delete_strict, insert_bucket ...')
    .option('--xid <number>', 'transaction id of the messages', xidOf, 0)
    .option('--bare', 'of a match only the OXMs, without type, length and padding', false)
    .addHelpText(
      'after',
      `
Lines may begin with "flow", "group" or "meter" and with a command, as in files for "ovs-ofctl bundle". A line that begins with
{ or [ is JSON as "heddle of decode --json" prints it. Empty lines and lines with # are passed over.
A line that cannot be encoded becomes "error: WHERE: WHY".

Exit code: 0 everything was encoded, 1 there were errors.

Examples:
  echo 'table=0,priority=100,ip,nw_dst=10.0.0.0/24,actions=ct(table=1,zone=5)' | heddle of encode --version 1.4
  echo 'group_id=1,type=select,bucket=actions=output:1' | heddle of encode --kind group --version 1.5
  echo 'delete table=3' | heddle of encode
  echo 'output:1,resubmit(,5)' | heddle of encode --kind actions`,
    )
    .action((file: string, options: EncodeOptions) =>
      convertLines(
        file,
        // An empty match matches everything.
        (text) => !saysSomething(text) && (options.kind !== 'match' || text.startsWith('#')),
        (text) => Buffer.from(encodeLine(text, options)).toString('hex'),
      ),
    );
}
