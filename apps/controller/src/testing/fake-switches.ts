import type { NodeDelta, NodeName } from '@heddle/compiler';
import type { CountsEvent, PacketInEvent, SwitchesPort, SwitchState } from '../core/ports.js';

/** Switches that acknowledge when a spec says so, or at once. */
export class FakeSwitches implements SwitchesPort {
  readonly notified: { readonly generation: number; readonly nodes: readonly string[] }[] = [];
  private readonly states = new Map<string, { connected: boolean; realizedGeneration: number }>();
  private listeners: ((node: NodeName, generation: number) => void)[] = [];
  private readonly packetListeners: ((event: PacketInEvent) => void)[] = [];
  private readonly countListeners: ((event: CountsEvent) => void)[] = [];
  private newest = 0;
  /** Connected switches acknowledge every generation by themselves. */
  automatic = true;

  notify(generation: number, deltas: ReadonlyMap<NodeName, NodeDelta>): void {
    this.newest = generation;
    this.notified.push({ generation, nodes: [...deltas.keys()] });
    if (this.automatic) setImmediate(() => this.acknowledgeAll());
  }

  connect(node: string): void {
    this.states.set(node, { connected: true, realizedGeneration: 0 });
    if (this.automatic) this.acknowledge(node, this.newest);
  }

  disconnect(node: string): void {
    this.states.set(node, { connected: false, realizedGeneration: 0 });
  }

  acknowledge(node: string, generation: number): void {
    const state = this.states.get(node);
    if (state?.connected !== true) return;
    state.realizedGeneration = generation;
    for (const listener of this.listeners) listener(node as NodeName, generation);
  }

  acknowledgeAll(): void {
    for (const node of this.states.keys()) this.acknowledge(node, this.newest);
  }

  state(node: NodeName): SwitchState | undefined {
    const state = this.states.get(node);
    if (state === undefined) return undefined;
    return { ...state, version: 'OF1.5', remote: null, lastError: null, modsSent: 0, modsAtConnect: 0 };
  }

  forget(node: NodeName): void {
    this.states.delete(node);
  }

  onPacketIn(listener: (event: PacketInEvent) => void): void {
    this.packetListeners.push(listener);
  }

  readonly packetsOut: { readonly node: string; readonly inPort: number; readonly data: Uint8Array }[] = [];
  packetOut(node: NodeName, inPort: number, data: Uint8Array): void {
    this.packetsOut.push({ node, inPort, data });
  }

  /** As if a switch had sent it. */
  packetIn(event: PacketInEvent): void {
    for (const listener of this.packetListeners) listener(event);
  }

  onCounts(listener: (event: CountsEvent) => void): void {
    this.countListeners.push(listener);
  }

  /** As if a switch had been read. */
  counts(event: CountsEvent): void {
    for (const listener of this.countListeners) listener(event);
  }

  async readCounts(): Promise<boolean> {
    return false;
  }

  onRealized(listener: (node: NodeName, generation: number) => void): void {
    this.listeners.push(listener);
  }
}
