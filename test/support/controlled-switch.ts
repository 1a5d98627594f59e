import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient, Attachment, NodeConfig, path, ROUTES, StatusView } from '@heddle/api';
import { systemClock } from '../../apps/controller/src/clock.js';
import { readConfig } from '../../apps/controller/src/config/config.js';
import { Controller } from '../../apps/controller/src/controller.js';
import { createLogger } from '../../apps/controller/src/logging/logger.js';
import { production } from '../../apps/controller/src/runtime/production.js';
import type { RuntimeOptions } from '../../apps/controller/src/runtime/runtime.js';
import { TestFolder } from '../../apps/controller/src/testing/folder.js';
import { framesOf } from '../ovs/evaluate-bytes.js';
import { controllerEnvironment } from './controller.js';
import { startSwitch, type TestSwitch } from './ovs.js';
import { freePort } from './ports.js';

/** A real controller over the manifests of a folder, and the real switch of node1, which dials it. */
export class ControlledSwitch {
  readonly folder = new TestFolder();
  readonly client = new ApiClient({ url: `unix:${this.folder.socket}` });
  /** Once `addSwitch` has been called. */
  ovs!: TestSwitch;
  controller: Controller | undefined;
  /** The same over restarts, as the switch dials it. */
  #port: number | undefined;

  /** @param options what is not as in production */
  constructor(private readonly options: Partial<RuntimeOptions> = {}) {}

  async start(): Promise<void> {
    this.#port ??= await freePort();
    const config = readConfig(controllerEnvironment(this.folder, this.#port));
    const usual = { config, logger: createLogger('error'), clock: systemClock, ...production };
    this.controller = await Controller.start({ ...usual, ...this.options });
  }
  /** Ends the controller; the switch stays. */
  async stop(): Promise<void> {
    await this.controller?.stop();
    this.controller = undefined;
  }
  /** Ends everything, also what has come up halfway. */
  async end(): Promise<void> {
    await this.stop();
    await this.ovs?.stop();
    this.folder.remove();
  }

  /** Registers node1, and starts a switch with its datapath id. */
  async addSwitch(): Promise<TestSwitch> {
    const body = { encapIp: '172.31.99.1', addresses: ['172.31.99.1'], underlayMtu: 1500, datapathType: 'netdev' };
    const node = await this.client.put(path(ROUTES.agentNode, 'node1'), NodeConfig, { body });
    this.ovs = await startSwitch({ datapathId: BigInt(`0x${node.datapathId}`) });
    return this.ovs;
  }
  /** Has the switch dial the controller. */
  async connect(): Promise<void> {
    await this.ovs.vsctl('set-fail-mode', 'br-int', 'secure');
    await this.ovs.vsctl('set-controller', 'br-int', `tcp:127.0.0.1:${this.#port}`);
  }
  attach(namespace: string, pod: string): Promise<Attachment> {
    const body = { node: 'node1', containerId: pod, ifname: 'eth0', namespace, pod };
    return this.client.post(ROUTES.agentAttach, Attachment, { body });
  }
  /** Ports `pN` whose outgoing frames are kept for `through`. */
  async addPorts(...ofports: readonly number[]): Promise<void> {
    for (const n of ofports) await this.ovs.addPort(`p${n}`, n, `options:tx_pcap=${join(this.ovs.dir, `p${n}.pcap`)}`);
  }
  /** What leaves through a port while a frame is sent into another. */
  async through(from: number, frame: Uint8Array, to: number): Promise<readonly Buffer[]> {
    const seen = () => framesOf(readFileSync(join(this.ovs.dir, `p${to}.pcap`)));
    const before = seen().length;
    await this.ovs.receive(`p${from}`, Buffer.from(frame).toString('hex'));
    await this.ovs.purge();
    return seen().slice(before);
  }
  /** Waits until everything is acknowledged, and gives the status then or after 20 s. */
  settled(): Promise<StatusView> {
    return this.client.get(ROUTES.status, StatusView, { query: { waitMs: 20_000 } });
  }
}
