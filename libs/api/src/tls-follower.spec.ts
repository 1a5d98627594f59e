import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { issue, type KeyPair, makeAuthority } from '../../../deploy/setup/src/certificates.js';
import { readTlsFiles } from './tls-files.js';
import { TlsFollower } from './tls-follower.js';

const DAY = 86_400_000;
const authority = makeAuthority('one', 3650);
const pair = (days: number) => issue(authority, { commonName: 'x', names: [], usages: ['clientAuth'], days });
const [lasting, other, short] = [pair(300), pair(300), pair(10)];
const dir = mkdtempSync(join(tmpdir(), 'heddle-tls-'));
const files = { key: join(dir, 'tls.key'), cert: join(dir, 'tls.crt'), ca: join(dir, 'ca.crt') };
afterAll(() => rmSync(dir, { recursive: true }));

function write({ key, cert }: KeyPair, ca = authority.cert): void {
  writeFileSync(files.key, key);
  writeFileSync(files.cert, cert);
  writeFileSync(files.ca, ca);
}

let told: string[];
let now: number;
const follow = () =>
  new TlsFollower({
    files,
    now: () => now,
    events: {
      renewed: ({ cert }) => told.push(`renewed ${cert === other.cert ? 'other' : cert === short.cert ? 'short' : ''}`),
      refused: (reason) => told.push(reason.replaceAll(`${dir}/`, '')),
      ending: (what) => told.push(`${what} ends`),
    },
  });

beforeEach(() => {
  told = [];
  now = Date.now();
  write(lasting);
});

describe('TLS files that are followed', () => {
  it.each<[name: string, write: () => void, reason: RegExp]>([
    [
      'a certificate without its key',
      () => writeFileSync(files.cert, other.cert),
      /^the key in tls.key is not that of/,
    ],
    [
      'half a certificate',
      () => writeFileSync(files.cert, other.cert.slice(0, 200)),
      /^tls.crt has no certificate in it/,
    ],
    ['an empty authority', () => writeFileSync(files.ca, ''), /^ca.crt has no certificate in it/],
    ['a key that is none', () => writeFileSync(files.key, 'x'), /^tls.key cannot be used: /],
    ['a file that is gone', () => rmSync(files.key), /^tls.key cannot be used: ENOENT/],
  ])('%s leaves the last good set in use, and is told once', (_, spoil, reason) => {
    const follower = follow();
    spoil();
    follower.look();
    follower.look();
    expect(told).toEqual([expect.stringMatching(reason)]);
    expect(follower.trouble?.replaceAll(`${dir}/`, '')).toMatch(reason);
    expect(follower.current.cert).toBe(lasting.cert);
    write(other);
    follower.look();
    expect(told.slice(1)).toEqual(['renewed other']);
    expect([follower.trouble, follower.current.cert]).toEqual([undefined, other.cert]);
  });

  it('are told of once when they are others', () => {
    const follower = follow();
    const heard: string[] = [];
    follower.onRenewed(({ cert }) => heard.push(cert));
    follower.look();
    write(other);
    follower.look();
    follower.look();
    expect([told, heard]).toEqual([['renewed other'], [other.cert]]);
  });

  it('are told of once a day in the two weeks before they end, until they are renewed', () => {
    write(short);
    const follower = follow();
    const start = now;
    const days: Record<number, string[]> = {};
    for (const day of [0, 0.5, 1.01, 2.02]) {
      now = start + day * DAY;
      told = [];
      follower.look();
      days[day] = told;
    }
    expect(days).toEqual({ 0: ['certificate ends'], 0.5: [], 1.01: ['certificate ends'], 2.02: ['certificate ends'] });
    write(other);
    told = [];
    follower.look();
    expect(told).toEqual(['renewed other']);
    expect(follower.ending()).toEqual([]);
  });

  it('end when the first of the chain and the last authority do', () => {
    writeFileSync(files.ca, makeAuthority('two', 20).cert + authority.cert);
    const set = readTlsFiles(files);
    const daysLeft = (ms: number) => Math.round((ms - now) / DAY);
    expect([daysLeft(set.certificateEndsAt), daysLeft(set.authorityEndsAt)]).toEqual([300, 3650]);
    writeFileSync(files.cert, lasting.cert + short.cert);
    expect(daysLeft(readTlsFiles(files).certificateEndsAt)).toBe(10);
  });

  it('are watched: a new set counts without anybody asking', async () => {
    const follower = follow();
    follower.start();
    try {
      write(other);
      await expect.poll(() => follower.current.cert).toBe(readFileSync(files.cert, 'utf8'));
    } finally {
      follower.stop();
    }
  });

  it('that cannot be used from the start are refused', () => {
    write({ key: other.key, cert: lasting.cert });
    expect(follow).toThrow(/is not that of the certificate/);
  });
});
