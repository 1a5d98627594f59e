import type { NodeDelta, NodeName } from '@heddle/compiler';
import {
  createOpenFlowServer,
  type Endpoint,
  type OpenFlowServer,
  type OpenFlowSession,
  type TlsOptions,
} from 'openflow-ts';
import type { CountsEvent, PacketInEvent } from '../core/ports.js';
import type { DriverOptions, NodeSwitchState } from './driver-options.js';
import { NodeDriver } from './node-driver.js';
import { isForeign } from './origins.js';
import { SharedMods } from './shared-mods.js';

export interface ListenOptions {
  /** `tcp:HOST:PORT`, `ssl:HOST:PORT`, `unix:PATH`, or the same as objects. */
  readonly listen: readonly (string | Endpoint)[];
  readonly tls?: TlsOptions | undefined;
  /** Default 5000. */
  readonly echoIntervalMs?: number | undefined;
}

/** A switch may dial in before its node is registered. */
const UNKNOWN_POLL_MS = 200;
/** Connections that wait for their node; more are turned away. */
const MAX_UNKNOWN = 1000;

/** All switches: takes their connections and gives each to the driver of its node. */
export class SwitchManager {
  readonly #drivers = new Map<NodeName, NodeDriver>();
  readonly #unknown = new Set<OpenFlowSession>();
  readonly #listeners: ((node: NodeName, generation: number) => void)[] = [];
  readonly #packetListeners: ((event: PacketInEvent) => void)[] = [];
  readonly #countListeners: ((event: CountsEvent) => void)[] = [];
  readonly #shared = new SharedMods();
  #server: OpenFlowServer | undefined;
  #generation = 0;
  #cancelPoll: (() => void) | undefined;

  constructor(private readonly options: DriverOptions) {}

  /** What is listened on, with real ports. */
  get addresses(): readonly string[] {
    return this.#server?.addresses ?? [];
  }

  /** Resolves when switches can dial in. */
  async start({ listen, tls, echoIntervalMs }: ListenOptions): Promise<void> {
    this.#server = createOpenFlowServer({ listen, tls, echoIntervalMs, onSession: (session) => this.#take(session) });
    await this.#server.ready;
  }

  /** The key and certificates of connections to come. */
  setTls(tls: TlsOptions): void {
    this.#server?.setTls(tls);
  }

  async stop(): Promise<void> {
    this.#cancelPoll?.();
    for (const driver of this.#drivers.values()) driver.stop();
    await this.#server?.close();
  }

  /** Tells what was compiled: marks the changed keys and wakes the drivers. */
  notify(generation: number, deltas: ReadonlyMap<NodeName, NodeDelta>): void {
    this.#generation = generation;
    for (const [node, driver] of this.#drivers) driver.notify(generation, deltas.get(node));
    this.#assign();
  }

  state(node: NodeName): NodeSwitchState | undefined {
    return this.#drivers.get(node)?.state;
  }

  /** Ends the connection of a node that is no more. Its flows stay on the switch, as at any loss of the controller. */
  forget(node: NodeName): void {
    this.#drivers.get(node)?.stop();
    this.#drivers.delete(node);
  }

  onRealized(listener: (node: NodeName, generation: number) => void): void {
    this.#listeners.push(listener);
  }

  /** As `SwitchesPort.packetOut`. */
  packetOut(node: NodeName, inPort: number, data: Uint8Array): void {
    this.#drivers.get(node)?.packetOut(inPort, data);
  }

  /** As `SwitchesPort.onPacketIn`. */
  onPacketIn(listener: (event: PacketInEvent) => void): void {
    this.#packetListeners.push(listener);
  }

  /** As `SwitchesPort.onCounts`. */
  onCounts(listener: (event: CountsEvent) => void): void {
    this.#countListeners.push(listener);
  }

  /** As `SwitchesPort.readCounts`. */
  async readCounts(node: NodeName): Promise<boolean> {
    return (await this.#drivers.get(node)?.readCounts()) ?? false;
  }

  /** Looks for changes that others made, now, on one node or all. */
  checkDrift(node?: NodeName): void {
    for (const driver of this.#drivers.values()) if (node === undefined || driver.node === node) driver.checkDrift();
  }

  #take(session: OpenFlowSession): void {
    if (this.#unknown.size >= MAX_UNKNOWN) {
      session.close();
      return;
    }
    this.#unknown.add(session);
    void session.closed.then(() => this.#unknown.delete(session));
    this.#assign();
    if (!this.#unknown.has(session)) return;
    const datapathId = session.datapathId.toString(16).padStart(16, '0');
    this.options.logger.warn({ event: 'switch-unknown', remote: session.remote, datapathId });
  }

  #assign(): void {
    for (const session of this.#unknown) {
      const node = this.options.desired.nodeOfDatapath(session.datapathId);
      if (node === undefined) continue;
      this.#unknown.delete(session);
      if (isForeign(this.options, 'switch-refused', node, session.remote)) {
        session.close();
        continue;
      }
      this.#driver(node).attach(session, this.#generation);
    }
    if (this.#unknown.size === 0 || this.#cancelPoll !== undefined) return;
    this.#cancelPoll = this.options.clock.after(UNKNOWN_POLL_MS, () => {
      this.#cancelPoll = undefined;
      this.#assign();
    });
  }

  /** Ends the connection of a node's switch if it comes from where it may not. */
  checkOrigin(node: NodeName): void {
    const { connected, remote } = this.state(node) ?? {};
    if (connected !== true || typeof remote !== 'string') return;
    if (isForeign(this.options, 'switch-refused', node, remote)) this.forget(node);
  }

  #driver(node: NodeName): NodeDriver {
    const known = this.#drivers.get(node);
    if (known !== undefined) return known;
    const events = {
      realized: (generation: number) => {
        for (const listener of this.#listeners) listener(node, generation);
      },
      packetIn: (event: PacketInEvent) => {
        for (const listener of this.#packetListeners) listener(event);
      },
      counts: (event: CountsEvent) => {
        for (const listener of this.#countListeners) listener(event);
      },
    };
    const driver = new NodeDriver(node, this.options, events, this.#shared);
    this.#drivers.set(node, driver);
    return driver;
  }
}
