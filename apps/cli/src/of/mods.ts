import {
  type FlowModCommand,
  type GroupModCommand,
  type Message,
  type MeterMod,
  OpenFlowTextError,
  parseFlow,
  parseGroup,
  parseMeter,
  type Version,
} from 'openflow-ts';

/** What a line of text modifies. */
export type ModKind = 'flow' | 'group' | 'meter';

const FLOW_COMMANDS: Readonly<Record<string, FlowModCommand>> = {
  add: 'add',
  modify: 'modify',
  modify_strict: 'modify_strict',
  delete: 'delete',
  delete_strict: 'delete_strict',
};
const GROUP_COMMANDS: Readonly<Record<string, GroupModCommand>> = {
  add: 'add',
  modify: 'modify',
  add_or_mod: 'add_or_mod',
  delete: 'delete',
  insert_bucket: 'insert_bucket',
  remove_bucket: 'remove_bucket',
};
const METER_COMMANDS: Readonly<Record<string, MeterMod['command']>> = {
  add: 'add',
  modify: 'modify',
  delete: 'delete',
};

/** Cuts a word of `words` off the front of `text`. */
function cutWord<T>(text: string, words: Readonly<Record<string, T>>): readonly [word: T | undefined, skipped: number] {
  const m = /^\s*([a-z_]+)(\s+|$)/.exec(text);
  const word = m === null || !Object.hasOwn(words, m[1] as string) ? undefined : words[m[1] as string];
  return [word, word === undefined ? 0 : (m as RegExpExecArray)[0].length];
}

export interface ModOptions {
  readonly command?: string | undefined;
  /** Registers are then matched in the form that this version writes. */
  readonly version?: Version | undefined;
}
const versionIn = ({ version }: ModOptions) => (version === undefined ? {} : { version });

/**
 * One line of a file of flows, groups or meters, as `ovs-ofctl add-flows`, `add-groups` and `bundle` read them:
 * `[flow|group|meter] [add|modify|delete|...] DESCRIPTION`. Without the first word it is of `kind`, without the second it is `options.command`.
 * @throws OpenFlowTextError, whose place counts from the beginning of the line
 */
export function parseMod(line: string, kind: ModKind, options: ModOptions = {}): Message {
  const [named, skippedKind] = cutWord(line, { flow: 'flow', group: 'group', meter: 'meter' } as const);
  const what = named ?? kind;
  const rest = line.slice(skippedKind);
  const words = { flow: FLOW_COMMANDS, group: GROUP_COMMANDS, meter: METER_COMMANDS }[what];
  const [word, skippedCommand] = cutWord<string>(rest, words);
  const order = word ?? options.command ?? 'add';
  const text = rest.slice(skippedCommand);
  try {
    if (what === 'flow') return parseFlow(text, { command: FLOW_COMMANDS[order] ?? 'add', ...versionIn(options) });
    if (what === 'group') return parseGroup(text, { command: GROUP_COMMANDS[order] ?? 'add' });
    return parseMeter(text, { command: METER_COMMANDS[order] ?? 'add' });
  } catch (error) {
    if (!(error instanceof OpenFlowTextError)) throw error;
    throw new OpenFlowTextError(line, error.at + skippedKind + skippedCommand, error.reason, { cause: error });
  }
}

/** Whether a line says anything: it is neither empty nor a comment. */
export const saysSomething = (line: string): boolean => !/^\s*(#|$)/.test(line);
