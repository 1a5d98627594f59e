import { OpenFlowEncodeError } from '../errors.js';
import { FIELD_INFO } from '../fields/info.js';
import { VERSIONS, type WireVersion } from '../version.js';
import type { ByteReader } from '../wire/reader.js';
import type { ByteWriter } from '../wire/writer.js';
import { LEARN_ACTION } from './learn.js';
import { NESTING_ACTIONS } from './nested.js';
import { NICIRA_ACTIONS } from './nicira.js';
import { type ActionContext, type ActionForm, type ActionRow, NICIRA_ID, ONF_ID } from './row.js';
import { STANDARD_ACTIONS } from './standard.js';
import type { Action, ActionOf } from './types.js';

type KnownKind = Exclude<Action['kind'], 'unknown'>;

/** One row for every kind of action; a kind without a row does not compile. */
const ACTIONS: { readonly [K in KnownKind]: ActionRow<ActionOf<K>> } = {
  ...STANDARD_ACTIONS,
  ...NICIRA_ACTIONS,
  ...NESTING_ACTIONS,
  learn: LEARN_ACTION,
};

type AnyForm = ActionForm<Action>;
const rows = ACTIONS as unknown as Readonly<Record<string, ActionRow<Action>>>;
/** Forms by type, of one version. */
interface Forms {
  readonly standard: (AnyForm | undefined)[];
  readonly nicira: (AnyForm | undefined)[];
  readonly onf: Map<number, AnyForm>;
}
function formsOf(version: WireVersion): Forms {
  const forms: Forms = { standard: [], nicira: [], onf: new Map() };
  for (const row of Object.values(rows)) {
    for (const form of row.forms) {
      if (form.versions?.includes(version) === false) continue;
      if (form.experimenter === 0) forms.standard[form.type] = form;
      else if (form.experimenter === NICIRA_ID) forms.nicira[form.type] = form;
      else forms.onf.set(form.type, form);
    }
  }
  return forms;
}
const FORMS: Readonly<Record<WireVersion, Forms>> = { 4: formsOf(4), 5: formsOf(5), 6: formsOf(6) };

const MAX_NESTING = 64;
const EXPERIMENTER = 0xffff;

function readAction(r: ByteReader, ctx: ActionContext): Action {
  const start = r.pos;
  const type = r.u16();
  const length = r.u16();
  if (length < 8 || length & 7) r.fail(`action of ${length} bytes`, start);
  if (length > r.end - start) r.fail(`action of ${length} bytes, ${r.end - start} left`, start);
  const outer = r.end;
  r.end = start + length;
  const forms = FORMS[ctx.version];
  let form: AnyForm | undefined;
  if (type !== EXPERIMENTER) form = forms.standard[type];
  else if (length >= 16) {
    const experimenter = r.u32();
    if (experimenter === NICIRA_ID) form = forms.nicira[r.u16()];
    else if (experimenter === ONF_ID) form = forms.onf.get(r.u16());
  }
  if (form !== undefined && (form.variable ? length < form.size : length !== form.size))
    r.fail(`action ${type} of ${length} bytes, want ${form.size}`, start);
  let action = form?.read(r, ctx);
  if (action === undefined) {
    r.pos = start + 4;
    action = { kind: 'unknown', type, body: r.rest() };
  }
  r.pos = r.end;
  r.end = outer;
  return action;
}

function readElement(r: ByteReader, ctx: ActionContext, index: number): Action {
  r.enter(index);
  const action = readAction(r, ctx);
  r.leave();
  return action;
}

/** Short lists are made in one piece: one that grows has room for 17, and dumps hold lists by the hundred thousand. */
function readList(r: ByteReader, ctx: ActionContext): Action[] {
  if (r.pos >= r.end) return [];
  const a = readElement(r, ctx, 0);
  if (r.pos >= r.end) return [a];
  const b = readElement(r, ctx, 1);
  if (r.pos >= r.end) return [a, b];
  const c = readElement(r, ctx, 2);
  if (r.pos >= r.end) return [a, b, c];
  const d = readElement(r, ctx, 3);
  if (r.pos >= r.end) return [a, b, c, d];
  const actions = [a, b, c, d];
  while (r.pos < r.end) actions.push(readElement(r, ctx, actions.length));
  return actions.length < 16 ? actions.slice() : actions;
}

function readActions(r: ByteReader, ctx: ActionContext): Action[] {
  if (r.nesting >= MAX_NESTING) r.fail(`actions nested more than ${MAX_NESTING} deep`);
  r.nesting++;
  const actions = readList(r, ctx);
  r.nesting--;
  return actions;
}

/** A masked set_field before 1.5: a load for each run of ones in the mask, from the lowest bit up. */
function loadsOf(a: ActionOf<'set_field'>): ActionOf<'load'>[] {
  const { bytes } = FIELD_INFO[a.field];
  const mask = BigInt(a.mask ?? 0);
  const value = BigInt(a.value);
  const loads: ActionOf<'load'>[] = [];
  const end = bytes * 8;
  for (let at = 0; at < end; ) {
    if (!((mask >> BigInt(at)) & 1n)) {
      at++;
      continue;
    }
    let bits = 1;
    while (bits < 64 && at + bits < end && (mask >> BigInt(at + bits)) & 1n) bits++;
    loads.push({
      kind: 'load',
      target: { field: a.field, offset: at, bits },
      value: BigInt.asUintN(bits, value >> BigInt(at)),
    });
    at += bits;
  }
  return loads;
}

function writeAction(w: ByteWriter, action: Action, ctx: ActionContext): void {
  const start = w.length;
  if (action.kind === 'unknown') {
    w.u16(action.type);
    w.u16(action.body.length + 4);
    w.raw(action.body);
    return;
  }
  if (action.kind === 'set_field' && action.mask !== undefined && action.via === undefined && ctx.version < 6) {
    const info = FIELD_INFO[action.field];
    if (info.first.experimenter === 0 && !info.variable) {
      for (const load of loadsOf(action)) writeAction(w, load, ctx);
      return;
    }
  }
  if (action.kind === 'load' && (ctx.version === 6 || action.target.bits > 64)) {
    // 1.5 has no load; before it, one load takes 64 bits.
    const set = setFieldOf(action);
    writeAction(
      w,
      set.mask === undefined && ctx.version !== 6 ? { ...set, mask: FIELD_INFO[set.field].ones } : set,
      ctx,
    );
    return;
  }
  const row = rows[action.kind];
  if (row === undefined) throw new OpenFlowEncodeError('actions', `no action is called ${action.kind}`);
  const form = row.forms[row.pick === undefined ? 0 : row.pick(action, ctx.version)] as AnyForm;
  if (form.versions?.includes(ctx.version) === false)
    throw new OpenFlowEncodeError('actions', `this version has no action ${action.kind}`);
  if (form.experimenter === 0) {
    w.u16(form.type);
    w.skip(2);
  } else {
    w.u16(EXPERIMENTER);
    w.skip(2);
    w.u32(form.experimenter);
    w.u16(form.type);
  }
  form.write(w, action, ctx);
  w.align8(start);
  w.closeLength(start + 2, start, action.kind);
}

/** 1.5 has no load: the same bits as a masked set_field. */
export function setFieldOf(a: ActionOf<'load'>): ActionOf<'set_field'> {
  const { field, offset, bits } = a.target;
  const info = FIELD_INFO[field];
  const mask = ((1n << BigInt(bits)) - 1n) << BigInt(offset);
  const value = BigInt(a.value) << BigInt(offset);
  // Fields that do not fill their bytes get a mask, as Open vSwitch writes it.
  const whole = offset === 0 && bits === info.bytes * 8;
  const as = (n: bigint): number | bigint => (info.wide ? n : Number(n));
  return {
    kind: 'set_field',
    field,
    value: as(value),
    ...(whole ? {} : { mask: as(mask) }),
    ...(info.variable && !whole ? { bytes: info.bytes } : {}),
  };
}

const contextOf = (version: WireVersion): ActionContext => {
  const ctx: ActionContext = {
    version,
    readActions: (r) => readActions(r, ctx),
    writeActions: (w, actions) => {
      for (const action of actions) writeAction(w, action, ctx);
    },
  };
  return ctx;
};

/** Readers and writers of action lists, by wire version. */
export const ACTION_CODEC: Readonly<Record<WireVersion, ActionContext>> = {
  4: contextOf(VERSIONS['OF1.3']),
  5: contextOf(VERSIONS['OF1.4']),
  6: contextOf(VERSIONS['OF1.5']),
};
