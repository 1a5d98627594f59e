import { readFileSync } from 'node:fs';

/** Reads the bearer token in a file. @throws Error that names the file, also if the token has fewer than `least` characters */
export function readTokenFile(file: string, least = 1): string {
  const token = readFileSync(file, 'utf8').trim();
  if (token === '') throw new Error(`${file} is empty`);
  if (token.length < least) throw new Error(`the token in ${file} has fewer than ${least} characters`);
  return token;
}

/**
 * A bearer token in a file that somebody renews: read at each use. While it cannot be read the last one serves.
 * @throws Error as `readTokenFile`, if there was none yet
 */
export function tokenReader(file: string, onTrouble: (reason: string) => void, least = 1): () => string {
  let last: string | undefined;
  let trouble: string | undefined;
  return () => {
    try {
      last = readTokenFile(file, least);
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
