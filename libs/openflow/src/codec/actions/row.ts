import type { WireVersion } from '../version.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import type { Action } from './types.js';

/** What an action's codec may need beside its own bytes. */
export interface ActionContext {
  readonly version: WireVersion;
  readActions(r: ByteReader): Action[];
  writeActions(w: ByteWriter, actions: readonly Action[]): void;
}

/** One form of an action on the wire. */
export interface ActionForm<A> {
  /** 0 for the standard's own; otherwise type is the experimenter's subtype. */
  readonly experimenter: number;
  readonly type: number;
  /** The versions that have it; all when absent. */
  readonly versions?: readonly WireVersion[];
  /** Bytes in all; a form of variable size gives its least size and `variable`. */
  readonly size: number;
  readonly variable: boolean;
  /** Writes what follows the header (4 bytes, or 10 with experimenter and subtype). Padding to 8 is added. */
  write(w: ByteWriter, action: A, ctx: ActionContext): void;
  /** Undefined: a value inside is not known, so the action is kept as `unknown`. */
  read(r: ByteReader, ctx: ActionContext): A | undefined;
}

/** A row of the action table: the forms, and which one to write (the first, unless said otherwise). */
export interface ActionRow<A> {
  readonly forms: readonly ActionForm<A>[];
  readonly pick?: (action: A, version: WireVersion) => number;
}

export const NICIRA_ID = 0x00002320;
export const ONF_ID = 0x4f4e4600;

type Write<A> = ActionForm<A>['write'];
type Read<A> = ActionForm<A>['read'];

/** A standard action of `size` bytes. */
export const of = <A>(type: number, size: number, write: Write<A>, read: Read<A>): ActionForm<A> => ({
  experimenter: 0,
  type,
  size,
  variable: false,
  write,
  read,
});
/** A Nicira extension of `size` bytes. */
export const nx = <A>(type: number, size: number, write: Write<A>, read: Read<A>): ActionForm<A> => ({
  experimenter: NICIRA_ID,
  type,
  size,
  variable: false,
  write,
  read,
});
/** The same form with `size` as the least size. */
export const variable = <A>(form: ActionForm<A>): ActionForm<A> => ({ ...form, variable: true });

/** A form that 1.5 no longer has, and one that only 1.5 has. In other versions it reads as `unknown`. */
export const until14 = <A>(form: ActionForm<A>): ActionForm<A> => ({ ...form, versions: [4, 5] });
export const only15 = <A>(form: ActionForm<A>): ActionForm<A> => ({ ...form, versions: [6] });
