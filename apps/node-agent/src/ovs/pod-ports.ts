import type { Ref, Uuid } from 'ovsdb-client';
import { isHostInterface } from '../host/pod-link.js';
import type { SwitchDatabase, SwitchReplica } from './database.js';
import { INTEGRATION_BRIDGE } from './plan.js';

/** A pod's port, as it stands in the switch's database; everything that a fresh process must know about it is there. */
export interface PodPort {
  /** Host's end of the veth pair, name of Port and Interface. */
  readonly name: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly namespace: string;
  readonly pod: string;
  readonly portKey: number;
  /** The number asked for. */
  readonly ofport: number;
  readonly mac: string;
  readonly ips: readonly string[];
  readonly netns: string;
  /** Name of the CNI network that the port belongs to. */
  readonly network: string;
  readonly podUid: string | undefined;
  /** Whether the link has a queueing discipline of ours, which ovs-vswitchd must then leave alone. */
  readonly ownQdisc: boolean;
}

/** ovs-vswitchd did not give the port, or not in time. */
export class PortError extends Error {
  override readonly name = 'PortError';
}

const KEY = {
  iface: 'iface-id',
  mac: 'attached-mac',
  portKey: 'heddle-port-key',
  containerId: 'container-id',
  ifname: 'ifname',
  ips: 'heddle-ips',
  netns: 'heddle-netns',
  network: 'heddle-network',
  podUid: 'heddle-pod-uid',
  ownQdisc: 'heddle-own-qdisc',
} as const;

function externalIds(port: PodPort): Record<string, string> {
  return {
    [KEY.iface]: `${port.namespace}/${port.pod}`,
    [KEY.mac]: port.mac,
    [KEY.portKey]: String(port.portKey),
    [KEY.containerId]: port.containerId,
    [KEY.ifname]: port.ifname,
    [KEY.ips]: port.ips.join(' '),
    [KEY.netns]: port.netns,
    [KEY.network]: port.network,
    ...(port.podUid === undefined ? {} : { [KEY.podUid]: port.podUid }),
    ...(port.ownQdisc ? { [KEY.ownQdisc]: 'true' } : {}),
  };
}

function readPort(row: InterfaceRow): PodPort | undefined {
  const ids = row.external_ids;
  const portKey = ids.get(KEY.portKey);
  const [namespace, pod] = (ids.get(KEY.iface) ?? '').split('/');
  if (portKey === undefined || !isHostInterface(row.name)) return undefined;
  return {
    name: row.name,
    containerId: ids.get(KEY.containerId) ?? '',
    ifname: ids.get(KEY.ifname) ?? '',
    namespace: namespace ?? '',
    pod: pod ?? '',
    portKey: Number(portKey),
    ofport: row.ofport_request ?? 0,
    mac: ids.get(KEY.mac) ?? '',
    ips: (ids.get(KEY.ips) ?? '').split(' ').filter((ip) => ip !== ''),
    netns: ids.get(KEY.netns) ?? '',
    network: ids.get(KEY.network) ?? '',
    podUid: ids.get(KEY.podUid),
    ownQdisc: ids.get(KEY.ownQdisc) === 'true',
  };
}

type InterfaceRow = ReturnType<ReturnType<typeof interfaces>['byName']> & object;
const interfaces = (replica: SwitchReplica) => replica.table('Interface');

type Job = {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
} & ({ readonly kind: 'add'; readonly port: PodPort } | { readonly kind: 'remove'; readonly name: string });

/** The server's answer to one transaction takes a millisecond; this is for a server that hangs. */
const TRANSACTION_TIMEOUT_MS = 10_000;

/**
 * Adds and removes pods' ports. While one transaction is in flight, further jobs gather and go together in the next:
 * a burst of pods costs ovs-vswitchd few reconfigurations instead of one each.
 */
export class PodPorts {
  #queue: Job[] = [];
  #busy = false;
  /** Transactions sent and jobs in them, for tests and the log. */
  readonly counters = { transactions: 0, jobs: 0 };

  constructor(
    private readonly database: SwitchDatabase,
    private readonly portTimeoutMs: number,
  ) {}

  /** All ports of pods that the database has, given by ovs-vswitchd or not. */
  list(): PodPort[] {
    return [...interfaces(this.database.replica).rows.values()].flatMap((row) => readPort(row) ?? []);
  }

  get(name: string): PodPort | undefined {
    const row = interfaces(this.database.replica).byName(name);
    return row === undefined ? undefined : readPort(row);
  }

  /** What ovs-vswitchd made of a port. */
  state(name: string): { readonly ofport: number | undefined; readonly error: string | undefined } | undefined {
    return interfaces(this.database.replica).byName(name);
  }

  /**
   * Adds a port and waits until ovs-vswitchd has given it the number asked for. When it rejects, the row may be there:
   * the caller removes it.
   * @throws PortError
   */
  async add(port: PodPort): Promise<void> {
    await new Promise<void>((resolve, reject) => this.#submit({ kind: 'add', port, resolve, reject }));
    await this.#realized(port);
  }

  /** Removes a port; nothing happens if there is none. */
  remove(name: string): Promise<void> {
    return new Promise((resolve, reject) => this.#submit({ kind: 'remove', name, resolve, reject }));
  }

  async #realized(port: PodPort): Promise<void> {
    const given = await this.database.replica
      .waitFor(
        () => {
          const row = interfaces(this.database.replica).byName(port.name);
          if (row === undefined) return { error: 'somebody removed it' };
          if (row.error !== undefined) return { error: row.error };
          if (row.ofport === undefined) return undefined;
          return row.ofport === port.ofport ? {} : { error: `it got ofport ${row.ofport}, ${port.ofport} is taken` };
        },
        { timeoutMs: this.portTimeoutMs },
      )
      .catch((cause: unknown) => {
        throw new PortError(`ovs-vswitchd did not add port ${port.name} in ${this.portTimeoutMs} ms`, { cause });
      });
    if (given.error !== undefined) throw new PortError(`ovs-vswitchd did not add port ${port.name}: ${given.error}`);
  }

  #submit(job: Job): void {
    this.#queue.push(job);
    if (!this.#busy) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    while (this.#queue.length > 0) {
      const jobs = this.#queue;
      this.#queue = [];
      await this.#commitOrSplit(jobs);
    }
    this.#busy = false;
  }

  /** One job that the server refuses must not fail the others: they are then tried one by one. */
  async #commitOrSplit(jobs: readonly Job[]): Promise<void> {
    try {
      await this.#commit(jobs);
      for (const job of jobs) job.resolve();
    } catch (error) {
      if (jobs.length === 1) jobs[0]?.reject(asPortError(error));
      else for (const job of jobs) await this.#commitOrSplit([job]);
    }
  }

  async #commit(jobs: readonly Job[]): Promise<void> {
    const { client, replica } = this.database;
    const bridge = replica.table('Bridge').byName(INTEGRATION_BRIDGE);
    if (bridge === undefined) throw new PortError(`there is no bridge ${INTEGRATION_BRIDGE}`);
    const draft = client.transaction('Open_vSwitch');
    const added: Ref<'Port'>[] = [];
    const removed: Uuid<'Port'>[] = [];
    let shared: Uuid<'QoS'> | Ref<'QoS'> | undefined;
    const noQueueing = () => {
      shared ??= sharedQos(replica) ?? draft.insert('QoS', { type: NO_QUEUEING, external_ids: QOS_OWNER });
      return shared;
    };
    for (const job of jobs) {
      if (job.kind === 'add') {
        const face = draft.insert('Interface', {
          name: job.port.name,
          ofport_request: job.port.ofport,
          external_ids: externalIds(job.port),
        });
        const qos = job.port.ownQdisc ? { qos: noQueueing() } : {};
        added.push(draft.insert('Port', { name: job.port.name, interfaces: [face], ...qos }));
      } else {
        const row = replica.table('Port').byName(job.name);
        if (row !== undefined) removed.push(row._uuid);
      }
    }
    if (added.length + removed.length === 0) return;
    this.counters.transactions++;
    this.counters.jobs += jobs.length;
    if (removed.length > 0) draft.mutate('Bridge', bridge._uuid, [['ports', 'delete', removed]]);
    if (added.length > 0) draft.mutate('Bridge', bridge._uuid, [['ports', 'insert', added]]);
    // next_cfg is left alone: a port's own ofport says as much, and without one more row to write.
    await draft.commit({ timeoutMs: TRANSACTION_TIMEOUT_MS });
  }
}

/** With this type ovs-vswitchd does not touch a link's queueing discipline; without any it removes that at its start. */
const NO_QUEUEING = 'linux-noop';
const QOS_OWNER = { owner: 'heddle' };

/** One row serves all ports: rows of QoS stay when nothing refers to them any more, so one each would pile up. */
function sharedQos(replica: SwitchReplica): Uuid<'QoS'> | undefined {
  for (const row of replica.table('QoS').rows.values())
    if (row.type === NO_QUEUEING && row.external_ids.get('owner') === QOS_OWNER.owner) return row._uuid;
  return undefined;
}

const asPortError = (error: unknown): PortError =>
  error instanceof PortError
    ? error
    : new PortError(`ovsdb-server refused: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
