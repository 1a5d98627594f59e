import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { announce } from './announce.js';
import { CONFLIST_NAME, conflist, removeConflist, writeConflist } from './conflist.js';
import { copyToHost } from './copy.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hdinst-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const text = conflist({ cniVersion: '1.0.0', socket: '/run/heddle/agent.sock' });

describe('the network configuration list', () => {
  it('has our plugin, then portmap, each with the capability that it honours', () => {
    expect(JSON.parse(text)).toEqual({
      cniVersion: '1.0.0',
      name: 'heddle',
      plugins: [
        { type: 'heddle-cni', socket: '/run/heddle/agent.sock', capabilities: { bandwidth: true } },
        { type: 'portmap', capabilities: { portMappings: true }, snat: true },
      ],
    });
  });

  it('is written once, readable for everybody, with nothing unfinished beside it', () => {
    const nested = join(dir, 'net.d');
    expect(writeConflist(nested, text)).toEqual({ changed: true, before: [] });
    expect(writeConflist(nested, text)).toEqual({ changed: false, before: [] });
    expect(readdirSync(nested)).toEqual([CONFLIST_NAME]);
    expect(statSync(join(nested, CONFLIST_NAME)).mode & 0o777).toBe(0o644);
  });

  it('replaces an older one', () => {
    writeFileSync(join(dir, CONFLIST_NAME), 'old');
    expect(writeConflist(dir, text).changed).toBe(true);
    expect(readFileSync(join(dir, CONFLIST_NAME), 'utf8')).toBe(text);
  });

  it('names the networks that the runtime would take instead', () => {
    for (const name of ['10-flannel.conflist', '05-x.conf', '10-heddle.conflist.new', '99-y.conflist', 'README'])
      writeFileSync(join(dir, name), '');
    expect(writeConflist(dir, text).before).toEqual(['05-x.conf', '10-flannel.conflist']);
  });

  it('is removed, also when it is gone already', () => {
    writeConflist(dir, text);
    expect([removeConflist(dir), removeConflist(dir)]).toEqual([true, false]);
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe('announcing', () => {
  const logger = pino({ level: 'silent' });
  /** Runs it against a script of troubles; gives what was in the folder before each try. */
  async function run(troubles: (string | undefined)[], realized: (string | undefined)[]) {
    const seen: string[][] = [];
    const stop = new AbortController();
    await announce({
      dir,
      text,
      trouble: async () => {
        seen.push(readdirSync(dir));
        const reason = troubles.shift();
        return reason === undefined ? undefined : new Error(reason);
      },
      realized: async () => {
        const reason = realized.shift();
        if (reason !== undefined) throw new Error(reason);
      },
      pause: async () => {
        if (troubles.length === 0 && realized.length === 0 && seen.length > 9) stop.abort();
      },
      signal: stop.signal,
      logger,
    });
    return seen;
  }

  it('waits for the machine and then for the switch, and writes last', async () => {
    expect(await run(['no controller', undefined, undefined], ['not acknowledged', undefined])).toEqual([[], [], []]);
    expect(readdirSync(dir)).toEqual([CONFLIST_NAME]);
  });

  it('writes nothing when it is stopped before', async () => {
    await run(Array(10).fill('no controller'), []);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('leaves the file of an earlier run alone while there is trouble', async () => {
    writeConflist(dir, text);
    await run(Array(10).fill('no controller'), []);
    expect(readdirSync(dir)).toEqual([CONFLIST_NAME]);
  });
});

describe('copying to the host', () => {
  const file = (name: string, content: string) => {
    const path = join(dir, name);
    writeFileSync(path, content);
    chmodSync(path, 0o600);
    return path;
  };

  it('writes what is absent or different, executable, and by a new file', async () => {
    const from = file('from', 'new');
    const [absent, same] = [join(dir, 'bin/absent'), file('same', 'new')];
    const old = file('old', 'old');
    const inode = statSync(old).ino;
    const files = [absent, same, old].map((to) => ({ from, to, when: 'different' as const }));
    expect(await copyToHost(files)).toEqual([absent, old]);
    expect([absent, old].map((f) => [readFileSync(f, 'utf8'), statSync(f).mode & 0o777])).toEqual([
      ['new', 0o755],
      ['new', 0o755],
    ]);
    expect(statSync(old).ino).not.toBe(inode);
    expect(readdirSync(join(dir, 'bin'))).toEqual(['absent']);
    expect(await copyToHost(files)).toEqual([]);
  });

  it('leaves plugins of others as they are', async () => {
    const to = file('portmap', 'theirs');
    expect(await copyToHost([{ from: file('ours', 'ours'), to, when: 'missing' }])).toEqual([]);
    expect(readFileSync(to, 'utf8')).toBe('theirs');
  });
});
