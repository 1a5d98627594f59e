import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A temporary folder with a directory of manifests in it. */
export class TestFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'hdctl-'));
  readonly manifests = join(this.path, 'manifests');
  readonly socket = join(this.path, 'api.sock');

  constructor() {
    mkdirSync(this.manifests);
  }

  write(file: string, text: string): void {
    const path = join(this.manifests, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
