import type { NodeName } from '@heddle/compiler';
import type { OpenVSwitchTables, OvsdbClient, Replica } from 'ovsdb-client';
import type { SouthboundLogger } from './desired.js';

/** What a node's database says, as far as the controller cares. */
export interface OvsdbState {
  readonly connected: boolean;
  readonly ovsVersion: string | null;
  /** Interfaces that ovs-vswitchd could not realize. */
  readonly interfaceErrors: readonly { readonly name: string; readonly error: string }[];
  /** Bridge settings that were found wrong and put right, over all connections. */
  readonly repairs: number;
}

const REQUEST = {
  Open_vSwitch: { columns: ['external_ids', 'ovs_version'] },
  Bridge: { columns: ['name', 'fail_mode', 'protocols'] },
  Interface: { columns: ['name', 'error'] },
} as const;
type NodeReplica = Replica<OpenVSwitchTables, typeof REQUEST>;

const BRIDGE = 'br-int';
/** On its own a bridge would switch like any other when the controller is away, past all policies. */
const FAIL_MODE = 'secure';
const PROTOCOLS = ['OpenFlow13', 'OpenFlow14', 'OpenFlow15'] as const;

/** One connection of a node's ovsdb-server: watches the integration bridge and puts its settings right. */
export class OvsdbDriver {
  #repairs = 0;
  #repairing = false;

  private constructor(
    readonly node: NodeName,
    private readonly client: OvsdbClient,
    private readonly replica: NodeReplica,
    private readonly logger: SouthboundLogger,
  ) {}

  /** Replicates what is needed. `undefined` if the database does not say which node it belongs to. */
  static async open(client: OvsdbClient, logger: SouthboundLogger): Promise<OvsdbDriver | undefined> {
    const replica = await client.monitor('Open_vSwitch', REQUEST);
    const [root] = replica.table('Open_vSwitch').rows.values();
    const systemId = root?.external_ids.get('system-id');
    if (systemId === undefined) {
      replica.close();
      return undefined;
    }
    const driver = new OvsdbDriver(systemId as NodeName, client, replica, logger);
    replica.onChange(() => void driver.#check());
    await driver.#check();
    return driver;
  }

  get state(): OvsdbState {
    const [root] = this.replica.table('Open_vSwitch').rows.values();
    const interfaceErrors = [...this.replica.table('Interface').rows.values()].flatMap(({ name, error }) =>
      error === undefined || error === '' ? [] : [{ name, error }],
    );
    return {
      connected: this.replica.state === 'synced',
      ovsVersion: root?.ovs_version ?? null,
      interfaceErrors,
      repairs: this.#repairs,
    };
  }

  /** The bridge may not exist yet: the node's agent makes it, with these settings. */
  async #check(): Promise<void> {
    const bridge = this.replica.table('Bridge').byName(BRIDGE);
    if (bridge === undefined || this.#repairing) return;
    const failMode = bridge.fail_mode === FAIL_MODE;
    const protocols = PROTOCOLS.every((p) => bridge.protocols.includes(p));
    if (failMode && protocols) return;
    this.#repairing = true;
    const { node, logger } = this;
    try {
      const transaction = this.client.transaction('Open_vSwitch');
      transaction.update('Bridge', bridge._uuid, { fail_mode: FAIL_MODE, protocols: [...PROTOCOLS] });
      transaction.comment('heddle: settings of the integration bridge');
      await transaction.commit({ timeoutMs: 10_000 });
      this.#repairs++;
      const found = { fail_mode: bridge.fail_mode ?? null, protocols: bridge.protocols };
      logger.warn({ event: 'bridge-repaired', node, bridge: BRIDGE, found });
    } catch (error) {
      // The next change or connection looks again.
      logger.error({ event: 'bridge-repair-failed', node, bridge: BRIDGE, error: String(error) });
    } finally {
      this.#repairing = false;
    }
  }
}
