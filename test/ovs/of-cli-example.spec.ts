import { join } from 'node:path';
import type { OpenFlowServer } from 'openflow-ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { learningSwitch } from '../../libs/openflow/examples/learning-switch.js';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';

const A = '0a:00:00:00:00:0a';
const B = '0a:00:00:00:00:0b';

describe.skipIf(!hasOvs())('the learning switch of the examples', () => {
  let ovs: TestSwitch;
  let server: OpenFlowServer;

  beforeAll(async () => {
    ovs = await startSwitch();
    const target = `unix:${join(ovs.dir, 'controller.sock')}`;
    server = learningSwitch(target);
    await server.ready;
    for (const n of [1, 2, 3]) await ovs.addPort(`p${n}`, n);
    await ovs.vsctl('set-controller', 'br-int', target);
  });
  afterAll(async () => {
    await server?.close();
    await ovs?.stop();
  });

  const send = (port: string, from: string, to: string) =>
    ovs.receive(port, `in_port(${port.slice(1)}),eth(src=${from},dst=${to}),eth_type(0x1234)`);
  const sent = async (port: string) => Number(/tx pkts=(\d+)/.exec(await ovs.ofctl('dump-ports', 'br-int', port))?.[1]);

  it('floods what it does not know, and then sends packets where their receiver was seen', async () => {
    await expect.poll(() => ovs.flows()).toContain('priority=0 actions=CONTROLLER:65535');
    await send('p1', A, B);
    await expect.poll(() => sent('p2')).toBe(1);
    await expect.poll(() => sent('p3')).toBe(1);
    await send('p2', B, A);
    await expect.poll(() => sent('p1')).toBe(1);
    await expect
      .poll(() => ovs.flows())
      .toContain(`idle_timeout=60, priority=1,in_port=2,dl_dst=${A} actions=output:1`);
    await send('p1', A, B);
    await expect.poll(() => sent('p2')).toBe(2);
    expect(await sent('p3')).toBe(1);
  });
});
