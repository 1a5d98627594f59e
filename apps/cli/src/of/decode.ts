import { Command } from 'commander';
import {
  type Decoded,
  decodeActions,
  decodeInstructions,
  decodeMatch,
  decodeMessage,
  formatActions,
  formatMatch,
  formatMessage,
  type Version,
} from 'openflow-ts';
import { toJson } from './json.js';
import { bytesOfHex, convertLines, versionOption } from './lines.js';

interface DecodeOptions {
  readonly actions: boolean;
  readonly instructions: boolean;
  readonly match: boolean;
  readonly version: Version;
  readonly json: boolean;
  readonly summary: boolean;
}

/** A message in one line: its first line, and how much there is beside it. */
export function summaryOf(decoded: Decoded): string {
  const { message } = decoded;
  if (message.kind === 'multipart_reply' && message.elements.length > 1) {
    const text = formatMessage({ ...decoded, message: { ...message, elements: [] } as typeof message });
    return `${text.split('\n', 1)[0]?.replace(/:.*$/, '')}: ${message.elements.length} elements${message.more ? ', more follow' : ''}`;
  }
  return formatMessage(decoded)
    .trim()
    .replace(/\s*\n\s*/g, ' ');
}

/** What one line of hexadecimal digits says. */
function decodeLine(text: string, o: DecodeOptions): string {
  const bytes = bytesOfHex(text);
  if (o.actions) {
    const actions = decodeActions(bytes, o.version);
    return o.json ? toJson(actions) : `actions=${formatActions(actions)}`;
  }
  if (o.instructions) {
    const instructions = decodeInstructions(bytes, o.version);
    return o.json ? toJson(instructions) : `actions=${formatActions(instructions)}`;
  }
  if (o.match) {
    const match = decodeMatch(bytes);
    return o.json ? toJson(match) : formatMatch(match);
  }
  const decoded = decodeMessage(bytes);
  if (o.json) return toJson(decoded);
  return o.summary ? summaryOf(decoded) : formatMessage(decoded).replace(/\n+$/, '');
}

/** `heddle of decode` */
export function decodeCommand(): Command {
  return new Command('decode')
    .description('say what messages in hexadecimal mean')
    .argument('[file]', 'one message (or list) a line; - is standard input', '-')
    .option('--actions', 'each line is a list of actions', false)
    .option('--instructions', 'each line is a list of instructions', false)
    .option('--match', 'each line is a match: a whole ofp_match, or OXMs', false)
    .addOption(versionOption('version of lists, which do not say it themselves').default('OF1.3', '1.3'))
    .option('--summary', 'one line for each message', false)
    .option('--json', 'the decoded object, one line for each', false)
    .addHelpText(
      'after',
      `
Messages are printed as "ovs-ofctl ofp-print" prints them, on as many lines. Empty lines and lines with # are passed over.
A line that cannot be decoded becomes "error: WHERE: WHY". In JSON, wide numbers are "0x..." and bytes "hex:...".

Exit code: 0 everything was decoded, 1 there were errors.

Examples:
  echo 0400000800000001 | heddle of decode
  heddle of decode --summary messages.txt
  echo ffff001000002320000e001400000000 | heddle of decode --actions --version 1.3
  echo 80000a020800 | heddle of decode --match --json`,
    )
    .action(async (file: string, options: DecodeOptions) => {
      const list = options.actions || options.instructions || options.match;
      await convertLines(
        file,
        (text) => text.startsWith('#') || (text.trim() === '' && !list),
        (text) => decodeLine(text, options),
      );
    });
}
