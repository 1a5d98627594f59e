import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../clock.js';
import { TestFolder } from '../../testing/folder.js';
import { MemoryTexts } from '../../testing/memory-texts.js';
import { NO_OBJECTS, type SourceChange, type SourceObjects } from '../model.js';
import { ManifestsSource } from './manifests-source.js';

const namespace = (name: string, labels = '{}') =>
  `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name}, labels: ${labels} }\n`;
const names = (objects: SourceObjects) => [...objects.namespaces.keys()].sort();
/** Everything after a change, as a consumer has it. */
function after(before: SourceObjects, change: SourceChange): SourceObjects {
  if (change.kind === 'all') return change.objects;
  const kinds = Object.entries(before) as [keyof SourceObjects, ReadonlyMap<string, unknown>][];
  return Object.fromEntries(
    kinds.map(([kind, map]) => [
      kind,
      new Map([...new Map([...map, ...(change.delta[kind] ?? [])])].filter(([, value]) => value !== undefined)),
    ]),
  ) as unknown as SourceObjects;
}

let folder: TestFolder;
let texts: MemoryTexts;
let source: ManifestsSource;
let heard: SourceObjects[];

async function start(): Promise<SourceObjects> {
  heard = [];
  source = new ManifestsSource({
    directory: folder.manifests,
    clock: systemClock,
    lastGood: texts,
    onError: (e) => {
      throw e;
    },
  });
  const first: SourceObjects = await source.start(async (change) => {
    heard.push(after(heard.at(-1) ?? first, change));
  });
  return first;
}
const last = () => heard.at(-1) ?? expect.fail('the listener heard nothing');
/** What a change makes of the objects when the source notices it by itself. */
async function noticed(): Promise<SourceObjects> {
  const before = heard.length;
  await expect.poll(() => heard.length, { interval: 5 }).toBeGreaterThan(before);
  return last();
}

beforeEach(() => {
  folder = new TestFolder();
  texts = new MemoryTexts();
});
afterEach(async () => {
  await source.stop();
  folder.remove();
});

describe('the directory', () => {
  it('is read with its sub-directories, hidden files and other endings left out', async () => {
    folder.write('a.yaml', namespace('a'));
    folder.write('deep/er/b.yml', namespace('b'));
    folder.write('c.json', '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"c"}}');
    folder.write('.d.yaml.swp', namespace('d'));
    folder.write('.git/e.yaml', namespace('e'));
    folder.write('f.txt', namespace('f'));
    expect(names(await start())).toEqual(['a', 'b', 'c']);
  });

  it('tells of a new file, a changed one and a removed one', async () => {
    folder.write('a.yaml', namespace('a'));
    await start();
    folder.write('b.yaml', namespace('b'));
    expect(names(await noticed())).toEqual(['a', 'b']);
    folder.write('b.yaml', namespace('b2'));
    expect(names(await noticed())).toEqual(['a', 'b2']);
    rmSync(join(folder.manifests, 'a.yaml'));
    expect(names(await noticed())).toEqual(['b2']);
  });

  it('follows the atomic rename of editors', async () => {
    folder.write('a.yaml', namespace('a'));
    await start();
    const temporary = join(folder.manifests, '.a.yaml.new');
    writeFileSync(temporary, namespace('renamed'));
    renameSync(temporary, join(folder.manifests, 'a.yaml'));
    expect(names(await noticed())).toEqual(['renamed']);
  });

  it('sees files in a folder that appears later', async () => {
    await start();
    mkdirSync(join(folder.manifests, 'later'));
    folder.write('later/x.yaml', namespace('x'));
    expect(names(await noticed())).toEqual(['x']);
    folder.write('later/y.yaml', namespace('y'));
    expect(names(await noticed())).toEqual(['x', 'y']);
  });

  it('follows a link to a file', async () => {
    folder.write('real.txt', namespace('linked'));
    symlinkSync(join(folder.manifests, 'real.txt'), join(folder.manifests, 'link.yaml'));
    expect(names(await start())).toEqual(['linked']);
  });

  it('says nothing when nothing that counts has changed', async () => {
    folder.write('a.yaml', namespace('a'));
    await start();
    folder.write('notes.txt', 'x');
    await source.refresh();
    expect(heard).toEqual([]);
  });

  it('has a change in the listener when refresh resolves', async () => {
    await start();
    folder.write('a.yaml', namespace('a'));
    await source.refresh();
    expect(names(last())).toEqual(['a']);
  });

  it('keeps everything while the directory is away', async () => {
    folder.write('a.yaml', namespace('a'));
    await start();
    renameSync(folder.manifests, `${folder.manifests}.away`);
    await source.refresh();
    expect(heard).toEqual([]);
    expect(source.problems()).toMatchObject([
      { severity: 'error', reason: expect.stringContaining('last known state') },
    ]);
    renameSync(`${folder.manifests}.away`, folder.manifests);
    await source.refresh();
    expect(source.problems()).toEqual([]);
  });

  it('hands a change on again when the listener failed', async () => {
    source = new ManifestsSource({
      directory: folder.manifests,
      clock: systemClock,
      lastGood: texts,
      onError: () => {},
    });
    let fail = true;
    const taken: string[][] = [];
    await source.start(async (change) => {
      if (fail) throw new Error('database away');
      taken.push(names(after(NO_OBJECTS, change)));
    });
    folder.write('a.yaml', namespace('a'));
    await expect(source.refresh()).rejects.toThrow('database away');
    fail = false;
    await source.refresh();
    expect(taken).toEqual([['a']]);
  });

  it('cannot start without the directory', async () => {
    rmSync(folder.manifests, { recursive: true });
    await expect(start()).rejects.toThrow(/ENOENT/);
  });
});

describe('broken files', () => {
  const labels = (objects: SourceObjects, name: string) => objects.namespaces.get(name)?.labels.v;

  it.each<[name: string, good: string, bad: string, stays: string[], gone: string[]]>([
    ['a syntax error keeps all of the file', `${namespace('a')}---\n${namespace('b')}`, 'a: [1\n', ['a', 'b'], []],
    [
      'a broken object keeps only itself',
      `${namespace('a')}---\n${namespace('b')}`,
      namespace('a', '{ x: 1 }'),
      ['a'],
      ['b'],
    ],
    [
      'an object without name keeps what is not in the file any more',
      `${namespace('a')}---\n${namespace('b')}`,
      'apiVersion: v1\nkind: Namespace\nmetadata: {}\n',
      ['a', 'b'],
      [],
    ],
    ['a broken object of another name keeps nothing', namespace('a'), namespace('c', '{ x: 1 }'), [], ['a']],
  ])('%s', async (_, good, bad, stays, gone) => {
    folder.write('f.yaml', good);
    folder.write('other.yaml', namespace('other'));
    await start();
    folder.write('f.yaml', bad);
    // Changed as well, so that the listener hears of the state in every row.
    folder.write('other.yaml', namespace('other', '{ v: "2" }'));
    await source.refresh();
    expect(names(last())).toEqual([...stays, 'other'].sort());
    expect(gone.filter((name) => last().namespaces.has(name))).toEqual([]);
    expect(source.problems()).toMatchObject([{ severity: 'error', file: 'f.yaml' }]);
  });

  it('keeps the last good state of an object, and takes the rest of its file anew', async () => {
    folder.write('f.yaml', `${namespace('a', '{ v: "1" }')}---\n${namespace('b', '{ v: "1" }')}`);
    await start();
    folder.write('f.yaml', `${namespace('a', '{ v: 2 }')}---\n${namespace('b', '{ v: "2" }')}`);
    await source.refresh();
    expect([labels(last(), 'a'), labels(last(), 'b')]).toEqual(['1', '2']);
    folder.write('f.yaml', `${namespace('a', '{ v: "3" }')}---\n${namespace('b', '{ v: "2" }')}`);
    await source.refresh();
    expect(labels(last(), 'a')).toBe('3');
    expect(source.problems()).toEqual([]);
  });

  it('survive a restart with what they said last', async () => {
    folder.write('f.yaml', namespace('a'));
    await start();
    await source.stop();
    folder.write('f.yaml', 'a: [1\n');
    expect(names(await start())).toEqual(['a']);
    expect(source.problems()).toMatchObject([{ severity: 'error', file: 'f.yaml', line: 2 }]);
  });

  it('that are gone after a restart take their objects with them', async () => {
    folder.write('f.yaml', namespace('a'));
    await start();
    await source.stop();
    rmSync(join(folder.manifests, 'f.yaml'));
    expect(names(await start())).toEqual([]);
    expect(texts.texts.size).toBe(0);
  });

  it('are told of once', async () => {
    const told: string[] = [];
    source = new ManifestsSource({
      directory: folder.manifests,
      clock: systemClock,
      lastGood: texts,
      onError: () => {},
      onProblem: (p) => told.push(p.file),
    });
    await source.start(async () => {});
    folder.write('f.yaml', 'a: [1\n');
    await source.refresh();
    folder.write('g.yaml', 'a: [1\n');
    await source.refresh();
    expect(told).toEqual(['f.yaml', 'g.yaml']);
  });

  it('that are too large are not read', async () => {
    folder.write('f.yaml', namespace('a'));
    await start();
    folder.write('f.yaml', `${namespace('b')}#${'x'.repeat(5 * 1024 * 1024)}`);
    await source.refresh();
    expect(names(last())).toEqual(['a']);
    expect(source.problems()).toMatchObject([{ reason: expect.stringContaining('larger than') }]);
  });
});

describe('an object that is defined twice', () => {
  it('counts as the first definition says, and the second is reported', async () => {
    folder.write('1.yaml', namespace('a', '{ v: "1" }'));
    folder.write('2.yaml', `# comment\n${namespace('a', '{ v: "2" }')}`);
    const objects = await start();
    expect(objects.namespaces.get('a')?.labels.v).toBe('1');
    expect(source.problems()).toMatchObject([
      { severity: 'error', file: '2.yaml', line: 2, reason: expect.stringContaining('1.yaml:1') },
    ]);
    expect(source.placeOf({ kind: 'Namespace', namespace: '', name: 'a' })).toMatchObject({ file: '1.yaml', line: 1 });
  });

  it('is reported when a workload would make a pod that is written out', async () => {
    folder.write(
      '1.yaml',
      `apiVersion: apps/v1
kind: ReplicaSet
metadata: { name: d }
spec:
  selector: { matchLabels: { a: b } }
  template: { metadata: { labels: { a: b } }, spec: { containers: [{ name: c }] } }
`,
    );
    folder.write(
      '2.yaml',
      'apiVersion: v1\nkind: Pod\nmetadata: { name: d-0, labels: { own: pod } }\nspec: { containers: [{ name: c }] }\n',
    );
    const objects = await start();
    expect(objects.pods.get('default/d-0')?.labels).toEqual({ own: 'pod' });
    expect(source.problems()).toMatchObject([
      { file: '1.yaml', reason: expect.stringContaining('there is another pod') },
    ]);
  });
});
