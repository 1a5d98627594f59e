import { readFileSync, rmSync } from 'node:fs';
import { connectOpenFlow, createOpenFlowServer, type OpenFlowSession } from 'openflow-ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificates, type TestIdentity } from '../support/certificates.js';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';
import { freePort } from '../support/ports.js';

const pem = (files: TestIdentity) => ({
  key: readFileSync(files.key),
  cert: readFileSync(files.cert),
  ca: readFileSync(files.ca),
});

/** A server on one endpoint, and the first session that it gets. */
function serve(listen: string, tls?: ReturnType<typeof pem>) {
  let got: (session: OpenFlowSession) => void = () => undefined;
  const session = new Promise<OpenFlowSession>((resolve) => {
    got = resolve;
  });
  const server = createOpenFlowServer({ listen: [listen], onSession: got, tls });
  return { server, session };
}

describe.skipIf(!hasOvs())('a session with Open vSwitch', () => {
  let ovs: TestSwitch;
  let certificates: ReturnType<typeof makeCertificates>;
  const ends: (() => void | Promise<void>)[] = [];

  beforeAll(async () => {
    ovs = await startSwitch();
    certificates = makeCertificates(['switch', 'controller', 'stranger']);
  });
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });
  afterAll(async () => {
    await ovs?.stop();
    if (certificates) rmSync(certificates.dir, { recursive: true, force: true });
  });

  it.each([
    ['OpenFlow13', 'OF1.3'],
    ['OpenFlow14', 'OF1.4'],
    ['OpenFlow15', 'OF1.5'],
    ['OpenFlow13,OpenFlow14', 'OF1.4'],
    ['OpenFlow13,OpenFlow15', 'OF1.5'],
    ['OpenFlow10,OpenFlow13', 'OF1.3'],
    ['OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15', 'OF1.5'],
  ])('takes the highest common version of protocols=%s', async (protocols, version) => {
    await ovs.vsctl('set', 'bridge', 'br-int', `protocols=${protocols}`);
    const session = await connectOpenFlow({ target: ovs.openflow });
    ends.push(() => session.close());
    expect([session.version, session.datapathId]).toEqual([version, ovs.datapathId]);
    await session.barrier();
  });

  it('fails where no version is common, and says so', async () => {
    await ovs.vsctl('set', 'bridge', 'br-int', 'protocols=OpenFlow10');
    await expect(connectOpenFlow({ target: ovs.openflow })).rejects.toThrow(/no common version|closed/);
    await ovs.vsctl('set', 'bridge', 'br-int', 'protocols=OpenFlow13,OpenFlow14,OpenFlow15');
  });

  it('is limited by our own versions too', async () => {
    const session = await connectOpenFlow({ target: ovs.openflow, versions: ['OF1.3', 'OF1.4'] });
    ends.push(() => session.close());
    expect(session.version).toBe('OF1.4');
  });

  it('serves a switch that dials in over tcp', async () => {
    const { server, session } = serve('tcp:127.0.0.1:0');
    ends.push(() => server.close());
    await server.ready;
    await ovs.vsctl('set-controller', 'br-int', server.addresses[0] ?? '');
    const one = await session;
    expect([one.version, one.datapathId]).toEqual(['OF1.5', ovs.datapathId]);
    await one.barrier();
  });

  it('serves a switch that dials in over a unix socket, also where a killed process left its file', async () => {
    const path = `${ovs.dir}/controller.sock`;
    const { server, session } = serve(`unix:${path}`);
    ends.push(() => server.close());
    await server.ready;
    await ovs.vsctl('set-controller', 'br-int', `unix:${path}`);
    expect((await session).datapathId).toBe(ovs.datapathId);
  });

  it('serves a switch that dials in over TLS with certificates on both sides', async () => {
    const { key, cert, ca } = certificates.identity('switch');
    await ovs.vsctl('set-ssl', key, cert, ca);
    const { server, session } = serve('ssl:127.0.0.1:0', pem(certificates.identity('controller')));
    ends.push(() => server.close());
    await server.ready;
    await ovs.vsctl('set-controller', 'br-int', server.addresses[0] ?? '');
    const one = await session;
    expect([one.version, one.datapathId]).toEqual(['OF1.5', ovs.datapathId]);
    await one.barrier();
  });

  it('refuses a TLS peer whose certificate another authority signed', async () => {
    const others = makeCertificates(['switch']);
    ends.push(() => rmSync(others.dir, { recursive: true, force: true }));
    let sessions = 0;
    const server = createOpenFlowServer({
      listen: ['ssl:127.0.0.1:0'],
      tls: pem(certificates.identity('controller')),
      onSession: () => sessions++,
    });
    ends.push(() => server.close());
    await server.ready;
    const target = server.addresses[0] ?? '';
    const forged = { ...pem(others.identity('switch')), ca: pem(certificates.identity('controller')).ca };
    await expect(connectOpenFlow({ target, tls: forged, handshakeTimeoutMs: 2000 })).rejects.toThrow();
    expect(sessions).toBe(0);
  });

  it.each(['tcp', 'ssl'])('dials a switch that listens on %s', async (kind) => {
    const { key, cert, ca } = certificates.identity('switch');
    await ovs.vsctl('set-ssl', key, cert, ca);
    const port = await freePort();
    await ovs.vsctl('set-controller', 'br-int', `p${kind}:${port}:127.0.0.1`);
    const tls = pem(certificates.identity('controller'));
    const session = await connectOpenFlow({ target: `${kind}:127.0.0.1:${port}`, tls });
    ends.push(() => session.close());
    expect(session.datapathId).toBe(ovs.datapathId);
  });
});
