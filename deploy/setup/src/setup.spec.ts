import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { issue, makeAuthority } from './certificates.js';
import { HOME, stayHome } from './home.js';
import type { Secret, SecretStore } from './secrets.js';
import { type ControllerFiles, SECRETS, setUp } from './setup.js';

/** A namespace in memory; `interfere` runs before each write. */
class Namespace implements SecretStore {
  readonly secrets = new Map<string, Secret>();
  readonly writes: string[] = [];
  interfere: () => void = () => undefined;
  #version = 0;

  put(secret: Secret): void {
    this.secrets.set(secret.name, { ...secret, resourceVersion: String(++this.#version) });
  }
  async get(name: string) {
    return this.secrets.get(name);
  }
  async create(secret: Secret) {
    this.interfere();
    if (this.secrets.has(secret.name)) return 'taken' as const;
    this.writes.push(`create ${secret.name}`);
    this.put(secret);
    return 'created' as const;
  }
  async replace(secret: Secret) {
    this.interfere();
    if (this.secrets.get(secret.name)?.resourceVersion !== secret.resourceVersion) return 'changed' as const;
    this.writes.push(`replace ${secret.name}`);
    this.put(secret);
    return 'replaced' as const;
  }
}

const NAMES = ['10.96.7.7', '127.0.0.1', 'heddle-controller.heddle-system.svc'];
const run = (store: SecretStore, names = NAMES, now = new Date()): Promise<ControllerFiles> =>
  setUp({ store, names, now, say: () => undefined });
const DAY = 86_400_000;

describe('a controller with a database in a file', () => {
  const FILE = '/var/lib/heddle/heddle.db';
  const start = (store: SecretStore, node: string, files: readonly string[], databaseUrl = `sqlite:${FILE}`) =>
    stayHome({ store, node, databaseUrl, exists: (file) => files.includes(file), say: () => undefined });

  it('starts where it was, also when the file is gone', async () => {
    const cluster = new Namespace();
    await start(cluster, 'a', []);
    await start(cluster, 'a', [FILE]);
    await start(cluster, 'a', []);
    expect(cluster.writes).toEqual([`create ${HOME}`]);
  });

  it('does not start on another node, unless its file was brought there', async () => {
    const cluster = new Namespace();
    await start(cluster, 'a', []);
    await expect(start(cluster, 'b', [])).rejects.toThrow(/the controller's database is on node a, and this is b\./);
    await start(cluster, 'b', [FILE]);
    await expect(start(cluster, 'a', [])).rejects.toThrow(/is on node b/);
    expect(cluster.writes).toEqual([`create ${HOME}`, `replace ${HOME}`]);
  });

  it('starts anywhere with a database elsewhere', async () => {
    const cluster = new Namespace();
    await start(cluster, 'a', [], 'postgres://h/n');
    await start(cluster, 'b', [], 'postgres://h/n');
    expect(cluster.writes).toEqual([]);
  });
});

// Each run starts openssl half a dozen times, which a busy machine takes its time for.
describe('the set-up of a cluster', { timeout: 30_000 }, () => {
  it('makes everything once, and nothing the second time', async () => {
    const cluster = new Namespace();
    const first = await run(cluster);
    expect(cluster.writes).toEqual(Object.values(SECRETS).map((name) => `create ${name}`));
    expect(await run(cluster)).toEqual(first);
    expect(cluster.writes).toHaveLength(4);
  });

  it('gives certificates that name what they are for, signed by the authority', async () => {
    const cluster = new Namespace();
    const files = await run(cluster);
    const ca = new X509Certificate(files['ca.crt']);
    const own = new X509Certificate(files['tls.crt']);
    const agent = new X509Certificate(cluster.secrets.get(SECRETS.agent)?.data['tls.crt'] ?? '');
    expect([ca.ca, own.ca, agent.ca]).toEqual([true, false, false]);
    expect([own.verify(ca.publicKey), agent.verify(ca.publicKey)]).toEqual([true, true]);
    expect(own.subjectAltName).toBe(
      'IP Address:10.96.7.7, IP Address:127.0.0.1, DNS:heddle-controller.heddle-system.svc',
    );
    // OIDs of serverAuth and clientAuth.
    expect([own.keyUsage, agent.keyUsage]).toEqual([['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'], ['1.3.6.1.5.5.7.3.2']]);
    expect(files.token).toMatch(/^[0-9a-f]{64}$/);
    expect(cluster.secrets.get(SECRETS.agent)?.data['ca.crt']).toBe(files['ca.crt']);
  });

  it.each<[name: string, change: (cluster: Namespace) => void, names: string[], days: number, writes: string[]]>([
    ['another address of the Service', () => undefined, ['10.96.8.8'], 0, [SECRETS.controller]],
    ['a year before the end', () => undefined, NAMES, 750, [SECRETS.controller, SECRETS.agent]],
    ['a lost agent Secret', (c) => void c.secrets.delete(SECRETS.agent), NAMES, 0, [SECRETS.agent]],
    ['an authority replaced by hand', replaceAuthority, NAMES, 0, [SECRETS.controller, SECRETS.agent]],
    ['a Secret that holds something else', spoil, NAMES, 0, [SECRETS.controller]],
    ['a token made by hand', (c) => c.put({ name: SECRETS.token, type: 'Opaque', data: { token: 'x' } }), NAMES, 0, []],
  ])('renews what %s makes necessary, and no more', async (_name, change, names, days, writes) => {
    const cluster = new Namespace();
    await run(cluster);
    cluster.writes.length = 0;
    change(cluster);
    await run(cluster, names, new Date(Date.now() + days * DAY));
    expect(cluster.writes.map((write) => write.split(' ')[1])).toEqual(writes);
  });

  function replaceAuthority(cluster: Namespace): void {
    const { cert, key } = makeAuthority('other', 10);
    cluster.put({ name: SECRETS.authority, type: 'kubernetes.io/tls', data: { 'tls.crt': cert, 'tls.key': key } });
  }
  function spoil(cluster: Namespace): void {
    const old = cluster.secrets.get(SECRETS.controller);
    if (old !== undefined) cluster.put({ ...old, data: { ...old.data, 'tls.crt': 'nonsense' } });
  }

  it('takes what another one has made in the same moment', async () => {
    const cluster = new Namespace();
    const { cert, key } = makeAuthority('first', 10);
    cluster.interfere = () => {
      cluster.interfere = () => undefined;
      cluster.put({ name: SECRETS.authority, type: 'kubernetes.io/tls', data: { 'tls.crt': cert, 'tls.key': key } });
    };
    expect((await run(cluster))['ca.crt']).toBe(cert);
  });

  it('gives up when something else undoes its writes', async () => {
    const cluster = new Namespace();
    await run(cluster);
    cluster.interfere = () => spoil(cluster);
    await expect(run(cluster, ['10.96.8.8'])).rejects.toThrow(/heddle-controller-tls changes whenever/);
  });

  it('signs with the key that belongs to the certificate', () => {
    const authority = makeAuthority('a', 1);
    const pair = issue(authority, { commonName: 'c', names: ['h'], usages: ['serverAuth'], days: 1 });
    expect(new X509Certificate(pair.cert).checkHost('h')).toBe('h');
    expect(new X509Certificate(pair.cert).verify(new X509Certificate(authority.cert).publicKey)).toBe(true);
  });
});
