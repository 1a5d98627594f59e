import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { openVSwitchSchema, startTestServer } from './testing/index.js';

const home = new URL('..', import.meta.url).pathname;
const [, code = ''] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(home, 'README.md'), 'utf8')) ?? [];

test('the example of the README runs', async () => {
  const server = await startTestServer({ schemas: [openVSwitchSchema], vswitchd: true });
  const folder = mkdtempSync(join(home, '.readme-'));
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  try {
    server.transact(
      'Open_vSwitch',
      { op: 'insert', table: 'Bridge', row: { name: 'br-int' }, 'uuid-name': 'b' },
      { op: 'update', table: 'Open_vSwitch', where: [], row: { bridges: ['named-uuid', 'b'] } },
    );
    process.env.OVSDB = server.target;
    writeFileSync(join(folder, 'example.ts'), code);
    await import(join(folder, 'example.ts'));
    expect(log.mock.calls).toEqual([['veth0: ofport 1'], [1]]);
    expect(server.rows('Open_vSwitch', 'Interface')).toMatchObject([{ external_ids: new Map([['owner', 'example']]) }]);
  } finally {
    log.mockRestore();
    delete process.env.OVSDB;
    rmSync(folder, { recursive: true, force: true });
    await server.close();
  }
});
