import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { jsonDocuments } from './json-documents.js';
import { readManifest } from './read-manifest.js';

const namespace = (name: string, labels: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
});

describe('JSON as programs write it', () => {
  it.each<[name: string, text: string, lines: number[]]>([
    ['in one line', '{"a":[1,"x",null,true]}', [1]],
    ['in one line, with its end', '{"a":1}\n', [1]],
    ['indented by four', '{\n    "a": [\n        1\n    ]\n}\n', [1]],
    ['indented by two', '{\n  "a": {\n    "b": "\\u0000\\n---\\n"\n  }\n}', [1]],
    ['several documents', '{"a":1}\n---\n{\n  "b": 2\n}\n---\n{"c":3}\n', [1, 3, 7]],
    ['a key that is special elsewhere', '{"__proto__":1,"<<":{"x":2},"":3}', [1]],
  ])('%s is read as YAML reads it', (_, text, lines) => {
    const found = jsonDocuments(text) ?? expect.fail('not taken for JSON');
    const documents = parseAllDocuments(text);
    expect(found.map((d) => d.line)).toEqual(lines);
    expect(found.map((d) => d.value)).toEqual(Array.isArray(documents) ? documents.map((d) => d.toJS()) : []);
  });

  it.each<[name: string, text: string]>([
    ['YAML', 'a: 1\n'],
    ['nothing', ''],
    ['a flow mapping of YAML', '{a: 1}'],
    ['a key given twice', '{"a":1,"a":2}'],
    ['a key given twice, further down', '{"a":{"b":1,"b":1}}'],
    ['a number that is written otherwise', '{"a":1.0}'],
    ['a number that is too large to be kept', '{"a":12345678901234567890}'],
    ['a minus zero', '{"a":-0}'],
    ['spaces of its own', '{ "a": 1 }'],
    ['a document that is YAML behind one that is not', '{"a":1}\n---\nb: 2\n'],
    ['an empty document at the end', '{"a":1}\n---\n'],
    ['a sequence', '[{"a":1}]'],
    ['what is nested too deeply', `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`],
  ])('%s is left to the reader of YAML', (_, text) => {
    expect(jsonDocuments(text)).toBeUndefined();
  });
});

describe('a manifest in JSON', () => {
  it('gives its objects with the lines that they begin on', () => {
    const text = `${JSON.stringify(namespace('a'), undefined, 2)}\n---\n${JSON.stringify(namespace('b'))}\n`;
    const { objects, problems } = readManifest('f.json', text);
    expect(objects.map((o) => [o.object.name, o.line])).toEqual([
      ['a', 1],
      ['b', 10],
    ]);
    expect(problems).toEqual([]);
  });

  it('tells the line of what is wrong in it', () => {
    const text = `${JSON.stringify(namespace('a'))}\n---\n${JSON.stringify(namespace('b', { x: 1 }), undefined, 2)}\n`;
    expect(readManifest('f.json', text).problems).toMatchObject([
      { line: 9, object: { kind: 'Namespace', name: 'b' }, reason: expect.stringContaining('metadata.labels.x') },
    ]);
  });

  it('gives the objects of a List with lines of their own', () => {
    const list = { apiVersion: 'v1', kind: 'List', items: [namespace('a'), namespace('b')] };
    const { objects } = readManifest('f.json', JSON.stringify(list, undefined, 2));
    expect(objects.map((o) => [o.object.name, o.line])).toEqual([
      ['a', 5],
      ['b', 13],
    ]);
  });
});
