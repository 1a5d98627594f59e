import type { NodeName } from '@heddle/compiler';
import { listenOvsdb, type OvsdbClient, type OvsdbListener, type TlsOptions } from 'ovsdb-client';
import { isForeign, type Origins } from './origins.js';
import { OvsdbDriver, type OvsdbState } from './ovsdb-driver.js';

/** All nodes' databases: they dial in, and say by `external_ids:system-id` whose they are. */
export class OvsdbManager {
  readonly #drivers = new Map<NodeName, { readonly client: OvsdbClient; readonly driver: OvsdbDriver }>();
  /** Last words of databases that are gone. */
  readonly #last = new Map<NodeName, OvsdbState>();
  #listener: OvsdbListener | undefined;

  constructor(private readonly options: Origins & { readonly changed?: () => void }) {}

  get addresses(): readonly string[] {
    return this.#listener?.addresses ?? [];
  }

  /** Resolves when databases can dial in. */
  async start({
    listen,
    tls,
  }: {
    readonly listen: readonly string[];
    readonly tls?: TlsOptions | undefined;
  }): Promise<void> {
    this.#listener = listenOvsdb({
      listen,
      onClient: (client) => void this.#take(client),
      ...(tls === undefined ? {} : { tls }),
    });
    await this.#listener.ready;
  }

  /** The key and certificates of connections to come. */
  setTls(tls: TlsOptions): void {
    this.#listener?.setTls(tls);
  }

  async stop(): Promise<void> {
    await this.#listener?.close();
  }

  state(node: NodeName): OvsdbState | undefined {
    return this.#drivers.get(node)?.driver.state ?? this.#last.get(node);
  }

  /** Ends the connection of a node's database if it comes from where it may not. */
  checkOrigin(node: NodeName): void {
    const client = this.#drivers.get(node)?.client;
    if (client !== undefined && isForeign(this.options, 'ovsdb-refused', node, client.peer.target)) void client.close();
  }

  async #take(client: OvsdbClient): Promise<void> {
    const { logger } = this.options;
    const remote = client.peer.target;
    try {
      const driver = await OvsdbDriver.open(client, logger);
      if (driver === undefined) {
        logger.warn({ event: 'ovsdb-unknown', remote });
        await client.close();
        return;
      }
      const { node } = driver;
      if (isForeign(this.options, 'ovsdb-refused', node, remote)) {
        await client.close();
        return;
      }
      const former = this.#drivers.get(node);
      this.#drivers.set(node, { client, driver });
      await former?.client.close();
      logger.info({ event: 'ovsdb-connected', node, remote, ovsVersion: driver.state.ovsVersion });
      this.options.changed?.();
      await client.closed;
      if (this.#drivers.get(node)?.client !== client) return;
      this.#drivers.delete(node);
      this.#last.set(node, { ...driver.state, connected: false, interfaceErrors: [] });
      logger.warn({ event: 'ovsdb-disconnected', node });
      this.options.changed?.();
    } catch (error) {
      logger.warn({ event: 'ovsdb-failed', remote, error: String(error) });
      await client.close();
    }
  }
}
