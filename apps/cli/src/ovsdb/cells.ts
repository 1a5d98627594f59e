import { type Atom, type ColumnType, compareAtoms, type Value } from 'ovsdb-client';

/** A value that is known to have this type. */
export interface Cell {
  readonly type: ColumnType;
  readonly value: Value;
}

const BARE = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

function atomText(atom: Atom): string {
  if (typeof atom !== 'string') return String(atom);
  return BARE.test(atom) && atom !== 'true' && atom !== 'false' ? atom : JSON.stringify(atom);
}

/** Atoms as Open vSwitch's tools print them: strings in quotes unless they are plain words, UUIDs bare. */
const textOf = (type: 'key' | 'value', column: ColumnType) => {
  const base = type === 'key' ? column.key : (column.value ?? column.key);
  return (atom: Atom): string => (base.type === 'uuid' ? String(atom) : atomText(atom));
};

/** Keys and, in a map, values; sorted by key. */
function elements({ value }: Cell): readonly (readonly [Atom, Atom | undefined])[] {
  if (value === undefined) return [];
  if (value instanceof Map) return [...(value as ReadonlyMap<Atom, Atom>)].sort(([a], [b]) => compareAtoms(a, b));
  return (Array.isArray(value) ? (value as readonly Atom[]) : [value as Atom]).map((atom) => [atom, undefined]);
}

/** A value in the notation of `ovs-vsctl` and `ovsdb-client dump`: `[1, 2]`, `{a=b}`, an empty optional
 * scalar `[]`. */
export function cellText(cell: Cell): string {
  const key = textOf('key', cell.type);
  const all = elements(cell);
  if (cell.type.value !== undefined) {
    const item = textOf('value', cell.type);
    return `{${all.map(([k, v]) => `${key(k)}=${item(v as Atom)}`).join(', ')}}`;
  }
  const texts = all.map(([k]) => key(k));
  return cell.type.max > 1 || texts.length === 0 ? `[${texts.join(', ')}]` : (texts[0] as string);
}

/** A value as it stands in OVSDB's JSON (RFC 7047 §5.1), a set of one as its atom. */
export function cellJson(cell: Cell): unknown {
  const { type } = cell;
  const atom = (base: ColumnType['key'], each: Atom): unknown => (base.type === 'uuid' ? ['uuid', each] : each);
  const all = elements(cell);
  if (type.value !== undefined) {
    const { value } = type;
    return ['map', all.map(([k, v]) => [atom(type.key, k), atom(value, v as Atom)])];
  }
  const atoms = all.map(([k]) => atom(type.key, k));
  return atoms.length === 1 ? atoms[0] : ['set', atoms];
}

/** Order of values of one type: first by number of elements, then by keys, then by values. */
export function compareCells(a: Cell, b: Cell): number {
  const [x, y] = [elements(a), elements(b)];
  if (x.length !== y.length) return x.length - y.length;
  for (const side of [0, 1] as const) {
    for (const [i, element] of x.entries()) {
      const [left, right] = [element[side], y[i]?.[side]];
      const order = left === undefined || right === undefined ? 0 : compareAtoms(left, right);
      if (order !== 0) return order;
    }
  }
  return 0;
}
