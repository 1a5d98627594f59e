import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestFolder } from '../../testing/folder.js';
import { ManualClock } from '../../testing/manual-clock.js';
import { ManifestDirectory } from './manifest-directory.js';

describe('when a directory is looked at', () => {
  let folder: TestFolder;
  let clock: ManualClock;
  let directory: ManifestDirectory;
  /** Times at which it was told that something may have changed. */
  let told: number[];

  beforeEach(async () => {
    folder = new TestFolder();
    folder.write('a.yaml', 'before');
    clock = new ManualClock();
    directory = new ManifestDirectory(folder.manifests, clock);
    told = [];
    directory.watch(() => told.push(clock.now()));
    await directory.scan();
  });
  afterEach(() => {
    directory.close();
    folder.remove();
  });

  const at = (name: string) => join(folder.manifests, name);
  const putInPlace = (name: string, text: string) => {
    writeFileSync(join(folder.path, 'next'), text);
    renameSync(join(folder.path, 'next'), at(name));
  };
  const seen = new Map<string, string | undefined>();
  /** The texts of all files, as the last looks found them. */
  const texts = async () => {
    const scan = await directory.scanTouched();
    if (scan.kind === 'all') seen.clear();
    else for (const path of scan.gone) seen.delete(path);
    for (const { path, text } of scan.files) seen.set(path, text);
    return [...seen.values()];
  };
  /** Lets time pass, slowly enough for what is heard, until something is told. */
  const tellingTime = async () => {
    await expect
      .poll(
        () => {
          clock.advance(1);
          return told.length;
        },
        { interval: 2 },
      )
      .toBeGreaterThan(0);
    return told[0];
  };

  it('is told of a file that is put in place without waiting for anything', async () => {
    putInPlace('a.yaml', 'after');
    // No time passes.
    await expect.poll(() => told, { interval: 2 }).toEqual([0]);
    expect(await directory.scanTouched()).toMatchObject({
      kind: 'some',
      files: [{ path: 'a.yaml', text: 'after' }],
      gone: [],
    });
  });

  it('tells of several that are put in place at once when no more come', async () => {
    for (const name of ['b.yaml', 'c.yaml', 'd.yaml']) putInPlace(name, name);
    await tellingTime();
    await expect.poll(texts, { interval: 2 }).toEqual(['b.yaml', 'c.yaml', 'd.yaml']);
  });

  it.each<[name: string, change: () => void]>([
    ['is written in place', () => appendFileSync(at('a.yaml'), 'more')],
    ['is made and then written', () => writeFileSync(at('b.yaml'), 'half of it')],
    ['is made empty', () => writeFileSync(at('b.yaml'), '')],
    ['is moved away', () => renameSync(at('a.yaml'), join(folder.path, 'a.yaml~'))],
    [
      'is put in place and goes on being written',
      () => {
        putInPlace('a.yaml', 'after');
        appendFileSync(at('a.yaml'), 'more');
      },
    ],
  ])('gives a file that %s time to become whole', async (_, change) => {
    change();
    expect(await tellingTime()).toBeGreaterThanOrEqual(40);
  });
});
