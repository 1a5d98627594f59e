import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NAME = 'HEDDLE_TEST_FOLDER';

/** A folder for what specs leave to the end of the run: their own processes are ended by vitest without a chance to remove anything. */
export const temporaryFolder = (): string => process.env[NAME] ?? tmpdir();

/** Vitest's global setup: before all specs of a project, and what it gives is run after them. */
export default function setUp(): () => void {
  // In that of `make test`, which removes it also if vitest could not.
  const folder = mkdtempSync(join(temporaryFolder(), 'hdt-'));
  process.env[NAME] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
