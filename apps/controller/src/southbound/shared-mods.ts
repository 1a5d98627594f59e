import { encodeShared, type Mod, type SharedMessages } from 'openflow-ts';

/** A longer list is encoded piece by piece while its switch works on the beginning. */
const MAX_SHARED = 256;

const isSame = (a: readonly Mod[], b: readonly Mod[]): boolean =>
  a.length === b.length && a.every((mod, i) => mod === b[i]);

/** Equal bundles that go to several switches in one turn of the event loop, as those of one change do, are encoded once. */
export class SharedMods {
  /** By their first mod. */
  #lists = new Map<Mod, SharedMessages<Mod>[]>();

  of(mods: readonly Mod[]): SharedMessages<Mod> | readonly Mod[] {
    const [first] = mods;
    if (first === undefined || mods.length > MAX_SHARED) return mods;
    if (this.#lists.size === 0)
      setImmediate(() => {
        this.#lists = new Map();
      });
    const lists = this.#lists.get(first) ?? [];
    const known = lists.find((list) => isSame(list.messages, mods));
    if (known !== undefined) return known;
    const made = encodeShared(mods);
    lists.push(made);
    this.#lists.set(first, lists);
    return made;
  }
}
