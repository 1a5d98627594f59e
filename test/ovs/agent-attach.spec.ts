import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canRunNodes, podArgs, startNode, type TestNode } from '../support/node.js';

describe.skipIf(!canRunNodes())('heddle-cni on a node with a real switch', () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await startNode();
    await node.startAgent();
  });
  afterAll(() => node?.stop());

  const add = async (pod: string, more: object = {}) => {
    const netns = await node.addPodNetns(pod);
    return {
      netns,
      ...(await node.cni({ command: 'ADD', containerId: `c-${pod}`, netns, args: podArgs('shop', pod), ...more })),
    };
  };
  const del = (pod: string, netns?: string) =>
    node.cni({ command: 'DEL', containerId: `c-${pod}`, ...(netns === undefined ? {} : { netns }) });

  it('gives a pod its interface, addresses, routes and port, and takes all back', async () => {
    const { netns, status, json } = await add('a');
    expect(status, JSON.stringify(json)).toBe(0);
    const lease = node.controller.attachments.get('c-a/eth0');
    const [port] = (await node.left()).ports;
    expect(json).toEqual({
      cniVersion: '1.1.0',
      interfaces: [
        { name: port, mtu: 1450 },
        { name: 'eth0', mac: lease?.mac, sandbox: netns, mtu: 1450 },
      ],
      ips: [
        { address: `${lease?.ips[0]}/32`, gateway: '169.254.1.1', interface: 1 },
        { address: `${lease?.ips[1]}/128`, gateway: 'fe80::1', interface: 1 },
      ],
      routes: [
        { dst: '0.0.0.0/0', gw: '169.254.1.1' },
        { dst: '::/0', gw: 'fe80::1' },
      ],
      dns: {},
    });
    const link = await node.podExec('a', 'ip', '-o', 'link', 'show', 'eth0');
    expect(link).toMatch(new RegExp(`<[A-Z,_]*\\bUP\\b.*mtu 1450 .*link/ether ${lease?.mac}`));
    const route = await node.podExec('a', 'ip', 'route');
    expect(route.split('\n').map((l) => l.trim())).toEqual([
      'default via 169.254.1.1 dev eth0',
      '169.254.1.1 dev eth0 scope link',
      '',
    ]);
    expect(await node.podExec('a', 'ip', '-6', 'route', 'show', 'default')).toMatch(/default via fe80::1 dev eth0/);
    expect(await node.podExec('a', 'ip', 'neigh')).toMatch(/169.254.1.1 dev eth0 lladdr 0a:58:00:00:00:01 PERMANENT/);
    expect(await node.podExec('a', 'ethtool', '-k', 'eth0')).toMatch(/^tx-checksumming: off$/m);
    expect((await node.exec('cat', `/proc/sys/net/ipv6/conf/${port}/disable_ipv6`)).trim()).toBe('1');
    const columns = (await node.vsctl('--columns=ofport,external_ids', 'list', 'Interface', `${port}`)).replaceAll(
      '"',
      '',
    );
    expect(columns).toMatch(new RegExp(`ofport +: ${lease?.ofport}`));
    for (const id of [
      'iface-id=shop/a',
      `attached-mac=${lease?.mac}`,
      `heddle-port-key=${lease?.portKey}`,
      'container-id=c-a',
      'ifname=eth0',
    ])
      expect(columns).toContain(id);

    expect((await del('a', netns)).stdout).toBe('');
    expect(await node.left()).toEqual({ ports: [], links: [], leases: [] });
  });

  it('carries TCP between two pods, whose checksums the userspace datapath would not make', async () => {
    await add('s');
    await add('c');
    const lease = (pod: string) => {
      const found = node.controller.attachments.get(`c-${pod}/eth0`);
      if (found === undefined) throw new Error(`no lease for ${pod}`);
      return found;
    };
    for (const pod of ['s', 'c'])
      await node.ofctl(
        'add-flow',
        'br-int',
        `ip,nw_dst=${lease(pod).ips[0]},actions=set_field:${lease(pod).mac}->eth_dst,output:${lease(pod).ofport}`,
      );
    const size = 1_000_000;
    const server = `require('net').createServer(s=>{let n=0;s.on('data',d=>{n+=d.length});s.on('end',()=>{s.end(String(n),()=>process.exit(0))})}).listen(8080)`;
    const running = node.podExec('s', process.execPath, '-e', `${server};setTimeout(()=>process.exit(0),50000)`);
    const client = `const go=()=>{const s=require('net').connect(8080,'${lease('s').ips[0]}',()=>s.end(Buffer.alloc(${size})));s.on('data',d=>process.stdout.write(d));s.on('error',()=>setTimeout(go,100))};go();setTimeout(()=>process.exit(3),40000).unref()`;
    expect(await node.podExec('c', process.execPath, '-e', client)).toBe(String(size));
    for (const pod of ['s', 'c']) expect((await del(pod)).status).toBe(0);
    await running;
  });

  it('DEL succeeds again and again, without a namespace, and for containers never seen', async () => {
    const { netns } = await add('d');
    expect((await del('d')).status).toBe(0);
    expect((await del('d', netns)).status).toBe(0);
    expect((await del('never', '/var/run/netns/not-there')).status).toBe(0);
  });

  it('DEL removes what is left of a container whose namespace is gone', async () => {
    await add('e');
    await node.removePodNetns('e');
    expect((await del('e')).status).toBe(0);
    expect(await node.left()).toEqual({ ports: [], links: [], leases: [] });
  });

  it('two interfaces of one container are two attachments', async () => {
    const { netns } = await add('f');
    const second = await node.cni({
      command: 'ADD',
      containerId: 'c-f',
      netns,
      ifname: 'net1',
      args: podArgs('shop', 'f2'),
    });
    // The second default route is refused by the kernel, and nothing of the second interface stays.
    expect(second.json.code).toBe(102);
    expect((await node.left()).ports).toHaveLength(1);
    await del('f');
  });

  it.each(['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'])('answers in cniVersion %s', async (cniVersion) => {
    const { status, json } = await add('v', { config: { cniVersion } });
    expect([status, json.cniVersion, json.ips[0].version]).toEqual([0, cniVersion, cniVersion < '1' ? '4' : undefined]);
    expect((await node.cni({ command: 'DEL', containerId: 'c-v', config: { cniVersion } })).status).toBe(0);
    await node.removePodNetns('v');
  });

  describe('CHECK', () => {
    it.each([
      ['nothing changed', [], 0, ''],
      ['an address is gone', ['ip addr del ADDRESS/32 dev eth0'], 104, 'eth0 has not the address'],
      ['the interface is down', ['ip link set eth0 down'], 104, 'eth0 is down'],
      ['the default route is gone', ['ip route del default'], 104, 'there is no default route by 169.254.1.1'],
      ['the MAC is another', ['ip link set eth0 address 02:00:00:00:00:99'], 104, 'has the MAC 02:00:00:00:00:99'],
      ['the interface is gone', ['ip link del eth0'], 104, 'there is no interface eth0'],
    ])('when %s', async (_name, commands, code, details) => {
      const { netns, json } = await add('k');
      const address = node.controller.attachments.get('c-k/eth0')?.ips[0] ?? '';
      for (const command of commands) await node.podExec('k', 'sh', '-c', command.replace('ADDRESS', address));
      const checked = await node.cni({ command: 'CHECK', containerId: 'c-k', netns, config: { prevResult: json } });
      expect(checked.status).toBe(code === 0 ? 0 : 1);
      expect(checked.json?.code ?? 0).toBe(code);
      expect(checked.json?.details ?? '').toContain(details);
      await del('k', netns);
      await node.removePodNetns('k');
    });

    it('when the port was taken from the switch', async () => {
      const { netns, json } = await add('l');
      const [port = ''] = (await node.left()).ports;
      await node.vsctl('del-port', port);
      const checked = await node.cni({ command: 'CHECK', containerId: 'c-l', netns, config: { prevResult: json } });
      expect(checked.json).toMatchObject({ code: 104, details: expect.stringContaining('the switch has no port') });
      await del('l', netns);
    });
  });

  it('merges the result of a plugin before it, and refuses to make its interface again', async () => {
    const prevResult = { cniVersion: '1.0.0', interfaces: [{ name: 'net7' }], ips: [], dns: {} };
    const { json, netns } = await add('m', { config: { cniVersion: '1.0.0', prevResult } });
    expect(json.interfaces.map((i: { name: string }) => i.name)).toEqual([
      'net7',
      expect.stringMatching(/^hd/),
      'eth0',
    ]);
    expect(json.ips[0].interface).toBe(2);
    await del('m');
    const again = {
      command: 'ADD',
      containerId: 'c-m',
      netns,
      args: podArgs('shop', 'm'),
      config: { cniVersion: '1.0.0', prevResult: json },
    };
    expect((await node.cni(again)).json.code).toBe(7);
    expect(await node.left()).toEqual({ ports: [], links: [], leases: [] });
  });

  it('GC removes what the runtime does not know, of its own network only', async () => {
    await add('g1');
    await add('g2');
    await add('g3', { config: { name: 'other' } });
    const valid = [{ containerID: 'c-g1', ifname: 'eth0' }];
    const collected = await node.cni({ command: 'GC', config: { 'cni.dev/valid-attachments': valid } });
    expect([collected.status, collected.stdout]).toEqual([0, '']);
    expect((await node.left()).leases).toEqual(['c-g1/eth0', 'c-g3/eth0']);
    expect((await node.left()).ports).toHaveLength(2);
    await del('g1');
    await del('g3');
  });

  it('STATUS is silent when ADD can be served', async () => {
    expect(await node.cni({ command: 'STATUS' })).toMatchObject({ status: 0, stdout: '' });
  });

  it('VERSION needs neither agent nor configuration', async () => {
    const { json } = await node.cni({ command: 'VERSION', config: '' });
    expect(json).toEqual({ cniVersion: '1.1.0', supportedVersions: ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] });
    expect((await node.cni({ command: 'VERSION', config: { cniVersion: '0.4.0' } })).json.cniVersion).toBe('0.4.0');
  });

  it.each([
    ['malformed stdin', { command: 'ADD', config: '{"cniVersion":' }, 6],
    ['wrong content', { command: 'ADD', containerId: 'c', netns: '/n', config: { name: 7 } }, 7],
    ['no container id', { command: 'ADD', netns: '/n' }, 4],
    ['an unknown command', { command: 'UPDATE' }, 4],
    ['a version to come', { command: 'ADD', containerId: 'c', netns: '/n', config: { cniVersion: '3.0.0' } }, 1],
    ['no agent, DEL', { command: 'DEL', containerId: 'c', config: { socket: '/nonexistent.sock' } }, 11],
    ['no agent, STATUS', { command: 'STATUS', config: { socket: '/nonexistent.sock' } }, 50],
  ])('%s: one JSON object with the code of the specification', async (_name, call, code) => {
    const { status, json } = await node.cni(call);
    expect(status).toBe(1);
    expect(json).toEqual({
      cniVersion: expect.any(String),
      code,
      msg: expect.stringMatching(/.{10}/),
      details: expect.any(String),
    });
  });

  it('attaches twelve pods at once, and each only once', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `p${i}`);
    const added = await Promise.all(names.map((name) => add(name)));
    expect(added.map((a) => a.status)).toEqual(names.map(() => 0));
    expect(new Set(added.map((a) => a.json.ips[0].address)).size).toBe(12);
    expect((await node.left()).ports).toHaveLength(12);
    const deleted = await Promise.all(names.map((name) => del(name)));
    expect(deleted.map((d) => d.status)).toEqual(names.map(() => 0));
    expect(await node.left()).toEqual({ ports: [], links: [], leases: [] });
  });

  it('ADD and DEL of one container, called at once, end with nothing left', async () => {
    const netns = await node.addPodNetns('q');
    await Promise.all([
      node.cni({ command: 'ADD', containerId: 'c-q', netns, args: podArgs('shop', 'q') }),
      node.cni({ command: 'DEL', containerId: 'c-q', netns }),
    ]);
    await del('q', netns);
    expect(await node.left()).toEqual({ ports: [], links: [], leases: [] });
  });
});
