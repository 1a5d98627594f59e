import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { ApiClient, NodeConfig, ProblemView, path, RemovedNodeView, ROUTES } from '@heddle/api';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../apps/controller/src/clock.js';
import { readConfig } from '../../apps/controller/src/config/config.js';
import { Controller } from '../../apps/controller/src/controller.js';
import { createLogger } from '../../apps/controller/src/logging/logger.js';
import { production } from '../../apps/controller/src/runtime/production.js';
import type { SwitchManager } from '../../apps/controller/src/southbound/index.js';
import { TestFolder } from '../../apps/controller/src/testing/folder.js';
import { issue, type KeyPair, makeAuthority } from '../../deploy/setup/src/certificates.js';

// A controller with everything that it has in a cluster but switches, whose Secret is renewed as kubelet does it.

interface Pki {
  readonly ca: string;
  readonly controller: KeyPair;
  readonly agent: KeyPair;
}
function makePki(days: number): Pki {
  const authority = makeAuthority('heddle', 3650);
  return {
    ca: authority.cert,
    controller: issue(authority, { commonName: 'c', names: ['127.0.0.1'], usages: ['serverAuth', 'clientAuth'], days }),
    agent: issue(authority, { commonName: 'a', names: [], usages: ['clientAuth'], days }),
  };
}

let first: Pki;
let second: Pki;
let folder: TestFolder;
let mount: string;
let controller: Controller;
let local: ApiClient;
let mounted = 0;
const sockets: TLSSocket[] = [];

beforeAll(() => {
  [first, second] = [makePki(10), makePki(300)];
});

/** A volume of a Secret: the files are links into `..data`, which is swapped for another link by a rename. */
function mountSecret({ cert, key }: KeyPair, ca: string): void {
  const version = `..${++mounted}`;
  mkdirSync(join(mount, version));
  for (const [name, text] of Object.entries({ 'tls.crt': cert, 'tls.key': key, 'ca.crt': ca })) {
    writeFileSync(join(mount, version, name), text);
    if (mounted === 1) symlinkSync(`..data/${name}`, join(mount, name));
  }
  symlinkSync(version, join(mount, '..data_tmp'));
  renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
  if (mounted > 1) rmSync(join(mount, `..${mounted - 1}`), { recursive: true });
}

beforeEach(async () => {
  folder = new TestFolder();
  mount = mkdtempSync(join(tmpdir(), 'heddle-secret-'));
  mounted = 0;
  mountSecret(first.controller, first.ca);
  const config = readConfig({
    HEDDLE_SOURCE: `manifests:${folder.manifests}`,
    HEDDLE_DATABASE_URL: 'sqlite::memory:',
    HEDDLE_OPENFLOW_LISTEN: 'ssl:127.0.0.1:0',
    HEDDLE_OVSDB_LISTEN: 'ssl:127.0.0.1:0',
    HEDDLE_API_LISTEN: `ssl:127.0.0.1:0,unix:${folder.socket}`,
    HEDDLE_TLS_KEY: join(mount, 'tls.key'),
    HEDDLE_TLS_CERT: join(mount, 'tls.crt'),
    HEDDLE_TLS_CA: join(mount, 'ca.crt'),
    HEDDLE_LOG_LEVEL: 'fatal',
  });
  controller = await Controller.start({ config, logger: createLogger('fatal'), clock: systemClock, ...production });
  local = new ApiClient({ url: `unix:${folder.socket}` });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await controller?.stop();
  folder.remove();
  rmSync(mount, { recursive: true });
});

const portIn = (target: string | undefined) => Number(/:(\d+)$/.exec(target ?? '')?.[1]);
const PORTS: Readonly<Record<string, () => number>> = {
  API: () => controller.apiPorts[0] ?? 0,
  OpenFlow: () => portIn((controller.runtime.switches as unknown as SwitchManager).addresses[0]),
  OVSDB: () => portIn((controller.runtime.ovsdb as unknown as SwitchManager).addresses[0]),
};

/** Shakes hands in TLS 1.2, where who is refused hears so before anything else. */
function dial(listener: string, { agent: { key, cert }, ca }: Pki): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const port = PORTS[listener]?.() ?? 0;
    const socket = connect({ host: '127.0.0.1', port, key, cert, ca, maxVersion: 'TLSv1.2' }, () => resolve(socket));
    sockets.push(socket);
    socket.on('error', reject);
  });
}
const outcome = (listener: string, pki: Pki) =>
  dial(listener, pki).then(
    () => 'connected',
    (e: Error) => e.message,
  );
const problems = () => local.get(ROUTES.problems, z.array(ProblemView));
const metric = async (name: string) =>
  (await local.text('GET', ROUTES.metrics)).split('\n').filter((line) => line.startsWith(name));

describe.each(['API', 'OpenFlow', 'OVSDB'])('the listener for %s', (listener) => {
  it('takes a renewed set for new connections, and leaves those that there are', async () => {
    const before = await dial(listener, first);
    expect(await outcome(listener, second)).not.toBe('connected');
    mountSecret(second.controller, second.ca);
    await expect.poll(() => outcome(listener, second)).toBe('connected');
    expect(await outcome(listener, first)).not.toBe('connected');
    // It still answers: HTTP's refusal of what is no request, OpenFlow's and OVSDB's first words came at once.
    expect([before.destroyed, before.readableEnded]).toEqual([false, false]);
    const answered = new Promise<string>((resolve) => before.once('data', (data: Buffer) => resolve(String(data))));
    if (listener === 'API') before.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n');
    expect((await answered).length).toBeGreaterThan(0);
  });

  it('keeps the last good set while the files do not belong together', async () => {
    mountSecret({ cert: second.controller.cert, key: first.controller.key }, second.ca);
    await expect.poll(() => metric('heddle_tls_files_refused')).toEqual(['heddle_tls_files_refused 1']);
    expect(await problems()).toContainEqual(
      expect.objectContaining({ severity: 'error', reason: expect.stringContaining('is not that of the certificate') }),
    );
    expect(await outcome(listener, first)).toBe('connected');
    mountSecret(second.controller, second.ca);
    await expect.poll(() => outcome(listener, second)).toBe('connected');
    expect(await metric('heddle_tls_files_refused')).toEqual(['heddle_tls_files_refused 0']);
    expect(await problems()).toEqual([]);
  });
});

it('a certificate that ends within two weeks is a problem, and its end a metric', async () => {
  expect(await problems()).toMatchObject([
    {
      severity: 'warning',
      file: join(mount, 'tls.crt'),
      reason: expect.stringMatching(/^the certificate ends soon: /),
    },
  ]);
  const [line = ''] = await metric('heddle_tls_ends_timestamp_seconds{what="certificate"}');
  const daysLeft = (Number(line.split(' ')[1]) - Date.now() / 1_000) / 86_400;
  expect(Math.round(daysLeft)).toBe(10);
});

it('an agent that still shows a certificate which ends soon is a problem, and its end a metric', async () => {
  const asAgent = ({ agent: { key, cert }, ca }: Pki) => {
    const agent = new ApiClient({ url: `https://127.0.0.1:${controller.apiPorts[0]}`, tls: () => ({ key, cert, ca }) });
    return agent.get(path(ROUTES.agentNodeConfig, 'node1'), NodeConfig);
  };
  await local.put(path(ROUTES.agentNode, 'node1'), NodeConfig, {
    body: { encapIp: '192.0.2.1', addresses: [], underlayMtu: 1500, datapathType: 'netdev' },
  });
  const ends = 'heddle_agent_tls_ends_timestamp_seconds';
  const daysLeft = async () => {
    const [line = ''] = await metric(`${ends}{node="node1"}`);
    return Math.round((Number(line.split(' ')[1]) - Date.now() / 1_000) / 86_400);
  };
  const ofAgents = async () => (await problems()).filter(({ reason }) => reason.includes('agents'));
  expect(await metric(ends)).toEqual([]);
  await asAgent(first);
  expect(await daysLeft()).toBe(10);
  expect(await ofAgents()).toMatchObject([
    { severity: 'warning', reason: expect.stringMatching(/^the certificate that agents show ends soon.*: node1$/) },
  ]);
  mountSecret(second.controller, second.ca);
  await expect.poll(() => asAgent(second).then(daysLeft, () => undefined)).toBe(300);
  expect(await ofAgents()).toEqual([]);

  await local.delete(path(ROUTES.node, 'node1'), RemovedNodeView);
  expect(await metric(ends)).toEqual([]);
});
