import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canRunNodes, podArgs, startNode, type TestNode } from '../support/node.js';

const run = promisify(execFile);

// What the host does for the pipeline: here a few flows by hand give heddle0 all that the pod sends, as the pipeline does for
// services without endpoints and for addresses outside of the cluster.
describe.skipIf(!canRunNodes())('heddle0 and the host behind it', () => {
  let node: TestNode;
  const underlay = (...argv: readonly string[]) => run('nsenter', [`--net=/var/run/netns/${node.netns}-ul`, ...argv]);
  beforeAll(async () => {
    node = await startNode();
    await node.startAgent();
    const netns = await node.addPodNetns('a');
    const added = await node.cni({ command: 'ADD', containerId: 'c-a', netns, args: podArgs('shop', 'a') });
    expect(added.status, added.stdout).toBe(0);
    const lease = node.controller.attachments.get('c-a/eth0');
    const { mac } = node.controller.config.gateway;
    for (const flow of [
      `in_port=${lease?.ofport},actions=set_field:${mac}->eth_dst,output:2`,
      `in_port=2,ip,nw_dst=${lease?.ips[0]},actions=set_field:${lease?.mac}->eth_dst,output:${lease?.ofport}`,
      `in_port=2,ipv6,ipv6_dst=${lease?.ips[1]},actions=set_field:${lease?.mac}->eth_dst,output:${lease?.ofport}`,
    ])
      await node.ofctl('add-flow', 'br-int', flow);
    await underlay('ip', 'addr', 'add', 'fd00:31:99::fe/64', 'dev', 'u1', 'nodad');
    // A sender that reaches a userspace switch by a veth pair must make its checksums itself.
    await underlay('ethtool', '-K', 'u1', 'tx', 'off');
  });
  afterAll(() => node?.stop());

  it.each([
    ['TCP', '4', 'SOCK_STREAM', '10.96.0.77'],
    ['TCP', '6', 'SOCK_STREAM', 'fd00:10:96::77'],
    ['UDP', '4', 'SOCK_DGRAM', '10.96.0.77'],
    ['UDP', '6', 'SOCK_DGRAM', 'fd00:10:96::77'],
  ])('refuses %s over IPv%s to a service at once', async (_protocol, family, type, address) => {
    const program = `
import socket, time
# A packet may be lost on the way, and what TCP sends again after a second would be late.
for _ in range(5):
    s = socket.socket(socket.AF_INET${family === '6' ? '6' : ''}, socket.${type})
    s.settimeout(3)
    start = time.time()
    try:
        s.connect(('${address}', 80)); s.send(b'x'); s.recv(1)
        said = 'connected'
    except OSError as e:
        said = f'{type(e).__name__} {time.time() - start < 1}'
    if said == 'ConnectionRefusedError True': break
print(said)`;
    expect((await node.podExec('a', 'python3', '-c', program)).trim()).toBe('ConnectionRefusedError True');
  });

  it.each([
    ['4', '172.31.99.254', '172.31.99.1'],
    ['6', 'fd00:31:99::fe', 'fd00:31:99::1'],
  ])('gives what a pod sends out of the cluster over IPv%s the address of the node', async (family, outside, seen) => {
    const listen = `
import socket
s = socket.socket(socket.AF_INET${family === '6' ? '6' : ''}, socket.SOCK_STREAM)
s.bind(('${outside}', 8099)); s.listen(); s.settimeout(40)
c, peer = s.accept(); c.send(b'hello'); print(peer[0])`;
    const heard = underlay('python3', '-c', listen);
    const connect = `
import socket, time
for _ in range(300):
    try:
        print(socket.create_connection(('${outside}', 8099), 2).recv(5).decode()); break
    except OSError:
        time.sleep(0.1)`;
    expect((await node.podExec('a', 'python3', '-c', connect)).trim()).toBe('hello');
    expect((await heard).stdout.trim()).toBe(seen);
  });
});
