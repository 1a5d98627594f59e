import type { LastGoodTexts } from '../source/manifests/manifests-source.js';

/** The last good texts in memory, for sources that are started several times in one spec. */
export class MemoryTexts implements LastGoodTexts {
  readonly texts = new Map<string, string>();

  async load(): Promise<ReadonlyMap<string, string>> {
    return new Map(this.texts);
  }

  async save(changed: ReadonlyMap<string, string>, gone: readonly string[]): Promise<void> {
    for (const path of gone) this.texts.delete(path);
    for (const [path, text] of changed) this.texts.set(path, text);
  }
}
