import { readFileSync } from 'node:fs';

/**
 * A bearer token in a file that somebody renews: read at each use. While it cannot be read the last one serves.
 * @throws Error if there was none yet
 */
export function tokenReader(file: string, onTrouble: (reason: string) => void): () => string {
  let last: string | undefined;
  let trouble: string | undefined;
  return () => {
    try {
      const token = readFileSync(file, 'utf8').trim();
      if (token === '') throw new Error(`${file} is empty`);
      last = token;
      trouble = undefined;
    } catch (e) {
      const { message } = e as Error;
      if (last === undefined) throw e;
      if (message !== trouble) onTrouble(message);
      trouble = message;
    }
    return last;
  };
}
