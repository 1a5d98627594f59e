import type { ObjectRef } from '@heddle/api';
import { type Document, isAlias, isCollection, isNode, isPair, LineCounter, parseAllDocuments } from 'yaml';
import type { z } from 'zod';
import type { Problem } from '../model.js';
import { describeIssue, isRecord, withoutNulls } from '../objects/issues.js';
import { CLUSTER_SCOPED, KINDS, type Kind, type Manifest } from '../objects/schemas.js';
import { type JsonDocument, jsonDocuments } from './json-documents.js';

/** An object as it stands in a file. */
export interface Located {
  readonly object: ObjectRef;
  readonly manifest: Manifest;
  readonly file: string;
  readonly line: number;
}

/** What one text says. Nothing is thrown: what is wrong stands in `problems`. */
export interface Reading {
  readonly objects: readonly Located[];
  readonly problems: readonly Problem[];
  /** Objects that are there but broken: what is known of them from before stays. Keys as of `objectKey`. */
  readonly broken: ReadonlySet<string>;
  /** Something is broken that cannot be told to be one object: everything known from before stays. */
  readonly brokenSomewhere: boolean;
}

/** A file above this size is not read. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_DOCUMENTS = 5_000;

export const objectKey = (o: ObjectRef): string => `${o.kind}/${o.namespace}/${o.name}`;

/** Reads YAML or JSON with any number of documents; `file` is only for messages. */
export function readManifest(file: string, content: string): Reading {
  const json = jsonDocuments(content);
  const reading = json && new Reader(file).readJson(json);
  // What is wrong is told with its place, which only the reader of YAML knows.
  return reading?.problems.length === 0 ? reading : new Reader(file).read(content);
}

/** Line of what a path within a document leads to. */
type LineOf = (path: readonly PropertyKey[]) => number;

class Reader {
  private readonly objects: Located[] = [];
  private readonly problems: Problem[] = [];
  private readonly broken = new Set<string>();
  private brokenSomewhere = false;
  private readonly lines = new LineCounter();

  constructor(private readonly file: string) {}

  read(content: string): Reading {
    const documents = parseAllDocuments(content, { lineCounter: this.lines, prettyErrors: false });
    const list: Document[] = Array.isArray(documents) ? documents : [];
    if (list.length > MAX_DOCUMENTS) this.unusable(null, `more than ${MAX_DOCUMENTS} documents in one file`);
    // After a syntax error the borders of the documents are not certain: nothing of the text is believed.
    else if (list.some((d) => d.errors.length > 0)) for (const d of list) this.syntaxErrors(d);
    else for (const d of list) this.document(d);
    return this.reading();
  }

  /** Lines within a document are not known here; it takes no `List`, whose objects have lines of their own. */
  readJson(documents: readonly JsonDocument[]): Reading | undefined {
    if (documents.length > MAX_DOCUMENTS) return undefined;
    for (const { value, line } of documents) {
      if (isRecord(value) && value.kind === 'List') return undefined;
      this.item(() => line, [], value);
    }
    return this.reading();
  }

  private reading(): Reading {
    const { objects, problems, broken, brokenSomewhere } = this;
    return { objects, problems, broken, brokenSomewhere };
  }

  private syntaxErrors(document: Document): void {
    for (const error of document.errors) this.unusable(this.lineAt(error.pos[0]), `not YAML: ${error.message}`);
  }

  private document(document: Document): void {
    let value: unknown;
    try {
      // Bounds the growth through aliases ("billion laughs").
      value = document.toJS({ maxAliasCount: 100 });
    } catch (e) {
      this.unusable(this.lineOf(document, []), e instanceof Error ? e.message : String(e));
      return;
    }
    if (value !== null && value !== undefined) this.item((path) => this.lineOf(document, path), [], value);
  }

  private item(lineOf: LineOf, path: readonly PropertyKey[], value: unknown): void {
    const line = lineOf(path);
    if (!isRecord(value)) {
      this.unusable(line, 'not a Kubernetes object: a mapping with apiVersion and kind is needed');
      return;
    }
    const { apiVersion, kind } = value;
    if (typeof kind !== 'string' || typeof apiVersion !== 'string') {
      this.unusable(line, 'not a Kubernetes object: apiVersion or kind is missing');
      return;
    }
    if (kind === 'List' && apiVersion === 'v1') {
      const items = value.items ?? [];
      if (!Array.isArray(items)) {
        this.unusable(line, 'items of a List must be a sequence');
        return;
      }
      for (const [i, item] of items.entries()) this.item(lineOf, [...path, 'items', i], item);
      return;
    }
    const object = refOf(kind, value);
    if (!isKind(kind)) {
      this.warn(line, object, `kind ${kind} is not used by Heddle, skipped`);
      return;
    }
    const known = KINDS[kind];
    if (apiVersion !== known.apiVersion) {
      this.warn(line, object, `${kind} is read in ${known.apiVersion}, not in ${apiVersion}; skipped`);
      return;
    }
    const parsed = known.schema.safeParse(withoutNulls(value));
    if (!parsed.success) {
      this.invalid(lineOf, path, object, parsed.error);
      return;
    }
    if (object === null) {
      this.unusable(line, 'metadata.name is missing');
      return;
    }
    this.objects.push({ object, manifest: { kind, body: parsed.data } as Manifest, file: this.file, line });
  }

  private invalid(lineOf: LineOf, path: readonly PropertyKey[], object: ObjectRef | null, error: z.ZodError): void {
    if (object === null) this.brokenSomewhere = true;
    else this.broken.add(objectKey(object));
    for (const issue of error.issues)
      this.problems.push({
        severity: 'error',
        file: this.file,
        line: lineOf([...path, ...issue.path]),
        object,
        reason: describeIssue(issue),
      });
  }

  private unusable(line: number | null, reason: string): void {
    this.brokenSomewhere = true;
    this.problems.push({ severity: 'error', file: this.file, line, object: null, reason });
  }

  private warn(line: number, object: ObjectRef | null, reason: string): void {
    this.problems.push({ severity: 'warning', file: this.file, line, object, reason });
  }

  private lineAt(offset: number): number {
    return Math.max(1, this.lines.linePos(offset).line);
  }

  /** Line of the value at the path, or of the nearest thing around it that exists. */
  private lineOf(document: Document, path: readonly PropertyKey[]): number {
    let node: unknown = document.contents;
    let line = isNode(node) && node.range ? this.lineAt(node.range[0]) : 1;
    for (const step of path) {
      if (isAlias(node)) node = node.resolve(document);
      if (!isCollection(node)) break;
      const pair = node.items.find((i) => isPair(i) && String(i.key) === String(step));
      // A mapping's key stands on the line that people look for; its value may begin below.
      const place = pair === undefined ? node.get(step, true) : (pair as { key: unknown }).key;
      node = node.get(step, true);
      if (isNode(place) && place.range) line = this.lineAt(place.range[0]);
      if (node === undefined) break;
    }
    return line;
  }
}

function isKind(kind: string): kind is Kind {
  return Object.hasOwn(KINDS, kind);
}

/** The object's identity, if it can be told; a broken object is recognized by it. */
function refOf(kind: string, value: Record<string, unknown>): ObjectRef | null {
  const metadata = value.metadata;
  if (!isRecord(metadata) || typeof metadata.name !== 'string' || metadata.name === '') return null;
  const namespace = metadata.namespace ?? 'default';
  if (typeof namespace !== 'string') return null;
  return { kind, namespace: CLUSTER_SCOPED.has(kind) ? '' : namespace, name: metadata.name };
}
