import { readFileSync } from 'node:fs';
import { ConnectionError, connectOvsdb, listenOvsdb, type OvsdbClient } from 'ovsdb-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeCertificates, type TestIdentity } from '../support/certificates.js';
import { freePort } from '../support/ports.js';
import { hasOvs, OvsSandbox } from './ovsdb-sandbox.js';

if (!hasOvs) console.log('skipped: Open vSwitch is not installed');

describe.skipIf(!hasOvs)('TLS with ovsdb-server', () => {
  let sandbox: OvsSandbox;
  const ours = makeCertificates(['server', 'node1']);
  const others = makeCertificates(['stranger']);

  beforeEach(() => {
    sandbox = new OvsSandbox();
  });
  afterEach(() => sandbox.close());
  const tls = (name: string) => {
    const { key, cert, ca } = ours.identity(name);
    return { key: readFileSync(key), cert: readFileSync(cert), ca: readFileSync(ca) };
  };
  const serverArgs = ({ key, cert }: TestIdentity): string[] => [
    `--private-key=${key}`,
    `--certificate=${cert}`,
    `--ca-cert=${ours.identity('server').ca}`,
  ];

  test('a server that dials in is known by its certificate; one of another CA is refused', async () => {
    const arrived: OvsdbClient[] = [];
    let wake: () => void = () => {};
    const someone = new Promise<void>((resolve) => (wake = resolve));
    const listener = listenOvsdb({
      listen: ['ssl:127.0.0.1:0'],
      tls: tls('server'),
      onClient: (client) => {
        arrived.push(client);
        wake();
      },
    });
    await listener.ready;
    const stranger = new OvsSandbox();
    try {
      stranger.startServer(undefined, [
        `--remote=${listener.addresses[0]}`,
        ...serverArgs(others.identity('stranger')),
      ]);
      sandbox.startServer(undefined, [`--remote=${listener.addresses[0]}`, ...serverArgs(ours.identity('node1'))]);
      await someone;
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect(arrived.map((client) => client.peer.certificate?.commonName)).toEqual(['node1']);
      expect(await arrived[0]?.listDbs()).toContain('Open_vSwitch');
    } finally {
      await listener.close();
      await stranger.close();
    }
  });

  test('a client dials over TLS, and refuses a server of another CA', async () => {
    const portFile = await freePort();
    sandbox.startServer(undefined, [`--remote=pssl:${portFile}:127.0.0.1`, ...serverArgs(ours.identity('server'))]);
    const client = connectOvsdb({ target: `ssl:127.0.0.1:${portFile}`, tls: tls('node1') });
    expect(await client.listDbs()).toContain('Open_vSwitch');
    expect(client.peer.certificate?.commonName).toBe('server');
    await client.close();
    const wary = connectOvsdb({
      target: `ssl:127.0.0.1:${portFile}`,
      tls: { ...tls('node1'), ca: readFileSync(others.identity('stranger').ca) },
      reconnect: false,
    });
    await expect(wary.ready).rejects.toBeInstanceOf(ConnectionError);
  });
});
