import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { canRunNodes, podArgs, startNode, type TestNode } from '../support/node.js';

const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** A node of its own, that does nothing but wait while the other is tested. */
let gone: ReturnType<typeof withoutSwitch>;

describe.skipIf(!canRunNodes())('a node agent over its restarts', () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await startNode();
    await node.startAgent();
    gone = withoutSwitch();
    gone.catch(() => undefined);
  });
  afterAll(() => node?.stop());

  const add = async (pod: string) => {
    const netns = await node.addPodNetns(pod);
    return node.cni({ command: 'ADD', containerId: `c-${pod}`, netns, args: podArgs('shop', pod) });
  };
  const del = (pod: string) => node.cni({ command: 'DEL', containerId: `c-${pod}` });
  const logSince = async (task: () => Promise<unknown>) => {
    const before = node.agentLog().length;
    await task();
    return node.agentLog().slice(before);
  };
  const addresses = async (device: string) =>
    // Without the state (a tap without its ovs-vswitchd is "unknown", later "up") and the link-local address.
    (await node.exec('ip', '-br', 'addr', 'show', 'dev', device))
      .replace(/ (UP|UNKNOWN) +/, ' ')
      .replace(/ fe80::\S+/, '');
  /** Everything of the host that the agent is responsible for, as text. */
  const host = async () =>
    [
      await node.exec('ip', '-4', 'route'),
      await node.exec('ip', '-6', 'route', 'show', 'dev', 'heddle0'),
      await addresses('heddle0'),
      await addresses('br-phy'),
      await node.exec('ip', 'neigh', 'show', 'dev', 'heddle0', 'nud', 'permanent'),
      await node.exec('nft', 'list', 'table', 'inet', 'heddle'),
      await node.exec(
        'sysctl',
        '-e',
        'net.ipv4.ip_forward',
        'net.ipv6.conf.all.forwarding',
        'net.ipv4.conf.heddle0.send_redirects',
      ),
      await node.vsctl('--columns=name,fail_mode,protocols,datapath_type,other_config', 'list', 'Bridge'),
    ].join('\n');

  it('tells the controller what the node is', () => {
    expect(node.controller.registered.at(-1)).toEqual({
      encapIp: '172.31.99.1',
      addresses: ['172.31.99.1', 'fd00:31:99::1'],
      underlayMtu: 1500,
      datapathType: 'netdev',
    });
  });

  it('moves the uplink with its addresses and routes into br-phy', async () => {
    expect((await node.exec('ip', '-br', 'addr', 'show', 'dev', 'eth0')).trim()).toMatch(/^eth0@\S+ +UP$/);
    expect(await node.exec('ip', '-4', 'route')).toMatch(/^default via 172.31.99.254 dev br-phy/m);
    expect(
      await node
        .exec('python3', '-c', `import socket; socket.create_connection(('172.31.99.254', 9), 20)`)
        .catch((e: { stderr?: string }) => e.stderr),
    ).toMatch(/Connection refused/);
  });

  it('gives ports the numbers that the controller wants', async () => {
    const ports = await node.ofctl('show', 'br-int');
    expect(ports).toMatch(/ 1\(tun0\)/);
    expect(ports).toMatch(/ 2\(heddle0\): addr:0a:58:0a:f4:00:01/);
    expect(ports).toMatch(/dpid:0000000000000101/);
  });

  it('changes nothing when it starts again, and pods keep their ports', async () => {
    await add('a');
    const before = [await host(), JSON.stringify(await node.left())];
    const log = await logSince(async () => {
      expect(await node.endAgent('SIGTERM')).toBe(0);
      expect(JSON.stringify(await node.left())).toBe(before[1]);
      await node.startAgent();
    });
    expect([await host(), JSON.stringify(await node.left())]).toEqual(before);
    expect(log).not.toMatch(/switch_changed|leftover|gateway_leftovers/);
  });

  it('repairs at its start what was changed meanwhile', async () => {
    const before = await host();
    await node.endAgent('SIGKILL');
    await node.exec('ip', 'route', 'del', '10.96.0.0/16');
    await node.exec('ip', 'addr', 'add', '10.244.77.1/32', 'dev', 'heddle0');
    await node.exec('nft', 'flush', 'table', 'inet', 'heddle');
    await node.exec('sysctl', '-q', 'net.ipv4.ip_forward=0');
    await node.vsctl('set', 'bridge', 'br-int', 'fail_mode=standalone');
    await node.startAgent();
    expect(await host()).toBe(before);
  });

  it('has its addresses after every new start of the machine, also with another card', async () => {
    const before = await host();
    const [uplinkMac = ''] = /(?<=link\/ether )\S+/.exec(await node.exec('ip', 'link', 'show', 'dev', 'br-phy')) ?? [];
    for (const mac of ['02:ff:00:00:00:01', '02:ff:00:00:00:02']) {
      await node.endAgent('SIGKILL');
      // Its bridges are new devices, and the machine gives the uplink its addresses as it always does.
      await node.restartVswitchd();
      await node.exec('ip', 'link', 'set', 'eth0', 'address', mac);
      await node.exec('ip', 'addr', 'add', '172.31.99.1/24', 'dev', 'eth0');
      await node.exec('ip', 'route', 'replace', 'default', 'via', '172.31.99.254', 'dev', 'eth0');
      await node.startAgent();
      expect((await host()).replaceAll(mac, '')).toBe(before.replaceAll(uplinkMac, ''));
    }
  });

  it('repairs the switch while it runs, and the rest with the next configuration', async () => {
    const before = await host();
    await node.vsctl(
      'del-port',
      'heddle0',
      '--',
      'set',
      'bridge',
      'br-int',
      'fail_mode=standalone',
      '--',
      'del-controller',
      'br-int',
    );
    await eventually(async () => expect(await host()).toBe(before));
    expect((await node.vsctl('get-controller', 'br-int')).trim()).toBe('tcp:127.0.0.1:6653');
    const limits = () => node.vsctl('get', 'controller', 'br-int', 'controller_rate_limit', 'controller_burst_limit');
    expect(await limits()).toBe('500\n500\n');
    await node.vsctl('clear', 'controller', 'br-int', 'controller_rate_limit');
    await eventually(async () => expect(await limits()).toBe('500\n500\n'));
    await node.exec('nft', 'delete', 'table', 'inet', 'heddle');
    node.controller.reconfigure({});
    await eventually(async () => expect(await host()).toBe(before));
  });

  it('follows a new configuration', async () => {
    node.controller.reconfigure({
      serviceCidrs: ['10.97.0.0/16'],
      openflowTargets: ['tcp:127.0.0.1:16653'],
      peers: [
        { name: 'node2', encapIp: '172.31.99.2' },
        { name: 'node3', encapIp: '172.31.99.3' },
      ],
    });
    await eventually(async () => {
      expect((await node.vsctl('get-controller', 'br-int')).trim()).toBe('tcp:127.0.0.1:16653');
      expect(await node.exec('ip', 'route')).toMatch(/10.97.0.0\/16 via 169.254.1.1 dev heddle0/);
      expect(await node.exec('ip', 'route')).not.toMatch(/10.96.0.0/);
      expect(await node.exec('nft', 'list', 'table', 'inet', 'heddle')).toMatch(/10.97.0.0\/16/);
      // The datagram to the new peer has asked for its MAC.
      expect(await node.exec('ip', 'neigh', 'show', 'dev', 'br-phy')).toMatch(/172.31.99.3/);
    });
  });

  it('does not look the whole machine over for each pod', async () => {
    // What the configuration before this has set off.
    while ((await logSince(() => wait(1_000))).includes('set_up_checked'));
    const log = await logSince(async () => {
      await add('x');
      await del('x');
      await wait(500);
    });
    expect(log).not.toMatch(/set_up_checked/);
    const before = node.agentLog().length;
    await node.vsctl('set', 'bridge', 'br-int', 'other_config:unknown=1');
    await eventually(async () => expect(node.agentLog().slice(before)).toMatch(/set_up_checked/));
  });

  it('serves an ADD that was asked for while it was away', async () => {
    expect(await node.endAgent('SIGTERM')).toBe(0);
    const adding = add('w');
    await node.startAgent();
    expect((await adding).status).toBe(0);
    await del('w');
  });

  it('serves an ADD to its end before it stops', async () => {
    node.controller.behaviour.realizedDelayMs = 1_000;
    const adding = add('z');
    await eventually(async () => expect((await node.left()).ports).toHaveLength(2));
    expect(await node.endAgent('SIGTERM')).toBe(0);
    expect((await adding).status).toBe(0);
    node.controller.behaviour.realizedDelayMs = 0;
    expect((await node.cni({ command: 'STATUS' })).json).toMatchObject({ code: 50 });
    await node.startAgent();
    expect((await del('z')).status).toBe(0);
  });

  it('has its addresses and routes after a restart of ovs-vswitchd', async () => {
    const before = await host();
    await node.restartVswitchd();
    await eventually(async () => {
      expect(await host()).toBe(before);
      expect(await node.ofctl('show', 'br-int')).toMatch(/ 2\(heddle0\)/);
    });
    expect((await add('y')).status).toBe(0);
    expect((await del('y')).status).toBe(0);
  });

  it('removes what a crash in the middle of an ADD has left', async () => {
    let answer: () => void = () => undefined;
    node.controller.behaviour.attachGate = new Promise((resolve) => {
      answer = resolve;
    });
    const adding = add('b');
    await eventually(async () => expect((await node.left()).links).toHaveLength(2));
    await node.endAgent('SIGKILL');
    expect((await adding).json).toMatchObject({ code: 11 });
    // The controller does what it was asked for, although nobody hears of it.
    node.controller.behaviour.attachGate = undefined;
    answer();
    await eventually(async () =>
      expect(await node.left()).toMatchObject({ leases: ['c-a/eth0', 'c-b/eth0'], ports: [expect.any(String)] }),
    );
    await node.startAgent();
    const left = await node.left();
    expect([left.leases, left.ports.length]).toEqual([['c-a/eth0'], 1]);
    expect(left.links).toEqual(left.ports);
  });

  it('is rid of an ADD that it crashed in by the DEL that follows', async () => {
    node.controller.behaviour.realizedDelayMs = 60_000;
    const adding = add('c');
    await eventually(async () => expect((await node.left()).ports).toHaveLength(2));
    await node.endAgent('SIGKILL');
    expect((await adding).json).toMatchObject({ code: 11 });
    node.controller.behaviour.realizedDelayMs = 0;
    await node.startAgent();
    expect((await del('c')).status).toBe(0);
    expect((await node.left()).leases).toEqual(['c-a/eth0']);
    expect((await node.left()).ports).toHaveLength(1);
  });

  it('removes pods that ended while it was away', async () => {
    await add('d');
    await node.endAgent('SIGTERM');
    await node.removePodNetns('d');
    await node.startAgent();
    expect((await node.left()).leases).toEqual(['c-a/eth0']);
    expect((await node.left()).ports).toHaveLength(1);
  });

  it('has a forgetful controller take its pods back, and drops a pod whose address has changed', async () => {
    await add('e');
    await node.endAgent('SIGTERM');
    const [a, e] = ['c-a/eth0', 'c-e/eth0'].map((key) => node.controller.attachments.get(key));
    if (a === undefined || e === undefined) throw new Error('no leases');
    node.controller.attachments.clear();
    node.controller.behaviour.lease = (lease) =>
      lease.containerId === 'c-a' ? a : { ...lease, portKey: e.portKey, ofport: e.ofport, ips: ['10.244.200.200'] };
    const log = await logSince(() => node.startAgent());
    node.controller.behaviour.lease = (lease) => lease;
    expect(log).toMatch(/"pod":"shop\/a".*lease_renewed/);
    expect(log).toMatch(/"pod":"shop\/e".*lease_lost_restart_the_pod/);
    expect((await node.left()).leases).toEqual(['c-a/eth0']);
    expect((await node.left()).ports).toHaveLength(1);
  });

  it('serves with the last known configuration while its controller is away', async () => {
    await node.endAgent('SIGTERM');
    await node.controller.down();
    await node.startAgent();
    expect((await node.cni({ command: 'STATUS' })).json).toMatchObject({ code: 50 });
    expect((await del('a')).status).toBe(0);
    await node.controller.up();
    await eventually(async () => {
      expect((await node.cni({ command: 'STATUS' })).status).toBe(0);
      expect(await node.left()).toEqual({ ports: [], links: [], leases: [] });
    });
  });

  it('lets an ADD that comes too early wait until the node is set up', async () => {
    await node.endAgent('SIGTERM');
    node.controller.behaviour.registerDelayMs = 1_000;
    const starting = node.startAgent();
    await eventually(async () => expect((await node.cni({ command: 'STATUS' })).json?.msg).toMatch(/is starting/));
    expect((await add('early')).status).toBe(0);
    await starting;
    node.controller.behaviour.registerDelayMs = 0;
    expect((await del('early')).status).toBe(0);
  });

  it('says all that is wrong with its environment in one message', async () => {
    await node.endAgent('SIGTERM');
    await expect(node.startAgent({ HEDDLE_NODE_NAME: '', HEDDLE_ENCAP_IP: 'x' })).rejects.toThrow(
      /2 mistake[\s\S]*HEDDLE_NODE_NAME[\s\S]*HEDDLE_ENCAP_IP/,
    );
  });
});

/** What becomes of a node whose switch has gone; the agent waits some seconds before it believes that. */
async function withoutSwitch() {
  const node = await startNode();
  try {
    await node.startAgent();
    const reach = () => node.exec('ping', '-c', '1', '-W', '1', '172.31.99.254').catch((e) => String(e.stdout));
    await eventually(async () => expect(await reach()).toContain('1 received'));
    await node.endSwitch();
    const atOnce = await reach();
    await eventually(async () => expect(await reach()).toContain('1 received'));
    const routes = await node.exec('ip', '-4', 'route');
    return { atOnce, routes, bridge: await node.exec('ip', '-br', 'addr', 'show', 'dev', 'br-phy') };
  } finally {
    await node.stop();
  }
}

describe.skipIf(!canRunNodes())('a node agent whose switch has gone', () => {
  it('gives the uplink its addresses back, so that the machine stays in reach', async () => {
    const { atOnce, routes, bridge } = await gone;
    expect(atOnce).toContain('0 received');
    expect(routes).toMatch(/^default via 172.31.99.254 dev eth0/m);
    expect(bridge).not.toContain('172.31.99.1');
  });
});
