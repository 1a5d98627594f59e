// npm run bench:datapath -- [--seconds 4] [--no-ovn]
// What a packet costs in the userspace datapath: how often it is handled ("passes", from Open vSwitch's own counters), and
// what comes through: TCP Mbit/s, 64-byte UDP datagrams a second. Two pods of one node of a lab, without and with policies,
// through a service, and a pod of another node; then two ports behind OVN's logical switch and router on this machine, if
// Debian's ovn-central and ovn-host are installed. Needs iperf3 and root. Prints one JSON object.
// On veth ports much of the time is packet I/O, which hides differences in throughput; passes have none of that.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TestLab } from '../support/lab.js';
import { canRunOvn, OvnNode } from './datapath/ovn.js';
import { type End, measure, type Sample } from './datapath/traffic.js';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '4' }, 'no-ovn': { type: 'boolean', default: false } },
});
const seconds = Number(values.seconds);
if (!existsSync('/usr/bin/iperf3')) throw new Error('iperf3 is not installed: apt-get install iperf3');

const pod = (name: string, node: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'bench', name, labels: { app: name } },
  spec: { nodeName: node, containers: [{ name: 'c', image: 'none' }] },
});
const PORT = 5201;
const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'bench', name: 'b' },
  spec: {
    selector: { app: 'b' },
    ports: ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: PORT, targetPort: PORT })),
  },
};
const policies = [
  { podSelector: { matchLabels: { app: 'b' } }, ingress: [{ from: [{ podSelector: { matchLabels: { app: 'a' } } }] }] },
  { podSelector: { matchLabels: { app: 'a' } }, egress: [{ to: [{ podSelector: { matchLabels: { app: 'b' } } }] }] },
].map((spec, i) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { namespace: 'bench', name: `p${i}` },
  spec,
}));
const yaml = (objects: readonly object[]) => objects.map((o) => JSON.stringify(o)).join('\n---\n');

async function ours(folder: string): Promise<Record<string, Sample>> {
  const lab = new TestLab();
  try {
    writeFileSync(join(folder, 'pods.yaml'), yaml([pod('a', 'node1'), pod('b', 'node1'), pod('c', 'node2')]));
    await lab.up(folder, '--nodes', '2');
    const end = async (name: string): Promise<End> => {
      const { netns, node, ips } = await lab.pod(`bench/${name}`);
      const address = ips.find((ip) => !ip.includes(':'));
      if (address === undefined) throw new Error(`${name} has no IPv4 address`);
      return { netns, address, control: join(lab.nodeDir(node), 'vswitchd.ctl') };
    };
    const [a, b, c] = [await end('a'), await end('b'), await end('c')];
    const run = (to: End, address: string) => measure({ from: a, to, address, port: PORT, seconds });
    const plain = await run(b, b.address);
    const acrossNodes = await run(c, c.address);
    await lab.apply('policies.yaml', yaml(policies));
    const underPolicies = await run(b, b.address);
    await lab.apply('service.yaml', yaml([service]));
    const clusterIp = (await lab.service('bench/b')).clusterIps.find((ip) => !ip.includes(':')) ?? '';
    const throughServiceUnderPolicies = await run(b, clusterIp);
    await lab.delete('policies.yaml');
    await lab.realized();
    const throughService = await run(b, clusterIp);
    return { plain, underPolicies, throughService, throughServiceUnderPolicies, acrossNodes };
  } finally {
    await lab.down();
  }
}

async function theirs(folder: string): Promise<Record<string, Sample>> {
  const node = await OvnNode.start(folder);
  try {
    const run = (address: string, port: number) =>
      measure({ from: node.ends[0], to: node.ends[1], address, port, serverPort: PORT, seconds });
    await node.connect();
    const plain = await run(node.ends[1].address, PORT);
    await node.protect();
    const underPolicies = await run(node.ends[1].address, PORT);
    await node.balance(PORT);
    const throughServiceUnderPolicies = await run(node.vip, PORT);
    return { plain, underPolicies, throughServiceUnderPolicies };
  } finally {
    await node.stop();
  }
}

const folder = mkdtempSync(join(tmpdir(), 'heddle-datapath-'));
try {
  const heddle = await ours(folder);
  const ovn = values['no-ovn']
    ? 'not asked for'
    : canRunOvn()
      ? await theirs(folder)
      : 'not installed: ovn-central, ovn-host';
  console.log(JSON.stringify({ benchmark: 'userspace datapath, veth ports', seconds, heddle, ovn }, null, 2));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
