import { renameSync, writeFileSync } from 'node:fs';

/**
 * Puts a text in a file's place so that who reads it, and a crash, finds either the old content or the new. What is unfinished
 * is called `FILE.new` meanwhile.
 * @param mode of the file, whatever it was
 * @param flush true: on the disk before it takes the place
 */
export function replaceFile(file: string, text: string, mode: number, flush = false): void {
  const unfinished = `${file}.new`;
  writeFileSync(unfinished, text, { mode, flush });
  renameSync(unfinished, file);
}
