/** A document of a text and the line that it begins on, from 1. */
export interface JsonDocument {
  readonly value: unknown;
  readonly line: number;
}

const SEPARATOR = '\n---\n';
/** Indentation that programs write JSON with; kubectl takes four. */
const INDENTATIONS = [0, 4, 2] as const;

/**
 * The documents of a text that is JSON as programs write it, which is read many times as fast as YAML. Undefined for any other text,
 * also for JSON that means something else to a reader of YAML or has a key twice: what is written again as it stood has neither.
 */
export function jsonDocuments(text: string): readonly JsonDocument[] | undefined {
  const documents: JsonDocument[] = [];
  let line = 1;
  for (const part of text.split(SEPARATOR)) {
    if (!part.startsWith('{')) return undefined;
    const value = jsonValue(part.trimEnd());
    if (value === undefined) return undefined;
    documents.push({ value, line });
    line += part.split('\n').length + 1;
  }
  return documents;
}

function jsonValue(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return INDENTATIONS.some((spaces) => JSON.stringify(value, undefined, spaces) === text) ? value : undefined;
  } catch {
    // Not JSON, or nested too deeply to be written again.
    return undefined;
  }
}
