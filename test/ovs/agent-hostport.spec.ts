import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canRunNodes, podArgs, startNode, type TestNode } from '../support/node.js';

/** Where Debian's containernetworking-plugins and upstream's releases put it. */
const PORTMAP = ['/usr/lib/cni/portmap', '/opt/cni/bin/portmap'].find(existsSync);
const canRun = canRunNodes() && PORTMAP !== undefined && existsSync('/usr/sbin/iptables');

/** The plugins of our network, as a conflist names them. */
const HEDDLE = { type: 'heddle-cni', capabilities: { bandwidth: true } };
const MAPPER = { type: 'portmap', capabilities: { portMappings: true }, snat: true };
const VERSION = '1.0.0';
const HOST_PORT = 18_080;

// Chained as libcni does it: each plugin gets what its own capabilities ask for, and the result of the one before it.
describe.skipIf(!canRun)('hostPort, by the portmap plugin after ours', () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await startNode();
    await node.startAgent();
  });
  afterAll(() => node?.stop());

  /** Runs the portmap plugin on the node. @throws Error with what it said */
  const portmap = (command: string, containerId: string, netns: string, prevResult: object): Promise<string> =>
    new Promise((resolve, reject) => {
      const env = {
        ...process.env,
        CNI_COMMAND: command,
        CNI_CONTAINERID: containerId,
        CNI_NETNS: netns,
        CNI_IFNAME: 'eth0',
        CNI_PATH: '/usr/lib/cni',
      };
      const child = execFile(
        'nsenter',
        [`--net=/var/run/netns/${node.netns}`, PORTMAP ?? ''],
        { env },
        (error, stdout) => (error ? reject(new Error(`portmap ${command}: ${stdout}`)) : resolve(stdout)),
      );
      const runtimeConfig = { portMappings: [{ hostPort: HOST_PORT, containerPort: 80, protocol: 'tcp' }] };
      child.stdin?.end(JSON.stringify({ cniVersion: VERSION, name: 'heddle', ...MAPPER, runtimeConfig, prevResult }));
    });

  const lease = () => {
    const found = node.controller.attachments.get('web/eth0');
    if (found === undefined) throw new Error('no lease');
    return found;
  };
  /** Connects from outside of the node; what the pod answered, or how it failed. */
  const connect = (address: string) => {
    const client = `const s=require('net').connect(${HOST_PORT},'${address}');s.setTimeout(3000,()=>{console.log('timeout');process.exit(0)});s.on('data',d=>{process.stdout.write(d);process.exit(0)});s.on('error',e=>{console.log(e.code);process.exit(0)})`;
    return execText('nsenter', `--net=/var/run/netns/${node.underlay}`, process.execPath, '-e', client);
  };

  it('a connection from outside reaches the pod and comes back, until the pod is gone', async () => {
    const netns = await node.addPodNetns('web');
    const config = { cniVersion: VERSION, ...HEDDLE };
    const added = await node.cni({ command: 'ADD', containerId: 'web', netns, args: podArgs('shop', 'web'), config });
    expect(added.status, JSON.stringify(added.json)).toBe(0);
    const mapped = JSON.parse(await portmap('ADD', 'web', netns, added.json));
    // What the runtime takes the pod's addresses from.
    expect(mapped.ips.map((ip: { address: string }) => ip.address)).toEqual([
      `${lease().ips[0]}/32`,
      `${lease().ips[1]}/128`,
    ]);

    const { ips, mac, ofport } = lease();
    const { gateway } = node.controller.config;
    for (const [match, of, out] of [
      [`ip,nw_dst=${ips[0]}`, mac, ofport],
      [`ipv6,ipv6_dst=${ips[1]}`, mac, ofport],
      // To the world by the node, as the pipeline's last route does.
      [`ip,in_port=${ofport}`, gateway.mac, gateway.ofport],
      [`ipv6,in_port=${ofport}`, gateway.mac, gateway.ofport],
    ])
      await node.ofctl('add-flow', 'br-int', `${match},actions=set_field:${of}->eth_dst,output:${out}`);
    const program = `require('net').createServer(s=>s.end('from '+s.remoteAddress)).listen(80,'::');setTimeout(()=>process.exit(0),100000)`;
    const server = execFile('nsenter', [`--net=${netns}`, process.execPath, '-e', program]);
    // A network card sends whole checksums; a veth end does only when told, and a userspace datapath passes on what it gets.
    await execText('nsenter', `--net=/var/run/netns/${node.underlay}`, 'ethtool', '-K', 'u1', 'tx', 'off');
    await execText('ip', '-n', node.underlay, 'addr', 'add', 'fd00:31:99::fe/64', 'dev', 'u1', 'nodad');

    const seen: string[] = [];
    for (const address of ['172.31.99.1', 'fd00:31:99::1'])
      seen.push(
        await until(
          () => connect(address),
          (text) => text.startsWith('from'),
        ),
      );
    // The client's own address, so policies with ipBlock judge what they should.
    expect(seen).toEqual(['from ::ffff:172.31.99.254', 'from fd00:31:99::fe']);

    await portmap('DEL', 'web', netns, added.json);
    expect((await node.cni({ command: 'DEL', containerId: 'web', netns, config })).status).toBe(0);
    expect(await connect('172.31.99.1')).toMatch(/ECONNREFUSED/);
    expect(await node.left()).toEqual({ ports: [], links: [], leases: [] });
    server.kill();
    await node.removePodNetns('web');
  });
});

function execText(program: string, ...args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, [...args], (error, stdout) => (error ? reject(error) : resolve(stdout.trim())));
  });
}

async function until(ask: () => Promise<string>, good: (text: string) => boolean, timeoutMs = 30_000): Promise<string> {
  for (const end = Date.now() + timeoutMs; ; await new Promise((done) => setTimeout(done, 50))) {
    const text = await ask();
    if (good(text) || Date.now() > end) return text;
  }
}
