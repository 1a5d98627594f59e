import { type Family, familyOf, type Ip, ip } from '@heddle/compiler';
import { asError, Refusal } from '../errors.js';
import type { Database, Transaction } from '../persistence/database.js';
import { AddressRecord, AttachmentRecord, BlockRecord, NodeRecord } from '../persistence/records.js';
import type { BlockPool, Choice } from './block-pool.js';
import { podMac } from './macs.js';
import { DEFAULT_VPC, type NodeRegistry, POD_OFPORTS } from './node-registry.js';
import type { Sequences } from './sequences.js';

/** An attachment with its leased addresses. */
export interface Lease {
  readonly record: AttachmentRecord;
  /** One of each family in use, IPv4 first. */
  readonly ips: readonly Ip[];
}

export interface AttachInput {
  readonly node: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly namespace: string;
  readonly pod: string;
  readonly podUid?: string | undefined;
}

export interface AttachOutcome {
  readonly lease: Lease;
  /** False when the same call had been answered before. */
  readonly created: boolean;
  /** Blocks that the node got for this. */
  readonly newBlocks: readonly BlockRecord[];
  /** The attachment of the pod's earlier sandbox that had to go. */
  readonly replaced: Lease | undefined;
}

export interface AttachmentsOptions {
  readonly database: Database;
  readonly sequences: Sequences;
  readonly pool: BlockPool;
  readonly nodes: NodeRegistry;
  readonly families: readonly Family[];
}

/** What a new attachment would take; nothing is taken yet. */
interface Plan {
  readonly input: AttachInput;
  readonly ofport: number;
  readonly choices: readonly (Choice & { readonly family: Family })[];
}

/**
 * Recorded attachments of pods. One operation is one transaction, and memory follows only when it is committed, so a crash
 * leaves an attachment whole or not there. Calls must not overlap.
 */
export class Attachments {
  private readonly byPort = new Map<number, Lease>();
  private readonly byContainer = new Map<string, Lease>();
  private readonly byPod = new Map<string, Lease>();
  private readonly byAddress = new Map<string, Lease>();
  private readonly ofports = new Map<string, Set<number>>();

  constructor(private readonly options: AttachmentsOptions) {}

  async load(): Promise<void> {
    const [records, addresses] = await this.options.database.read(async (tx) => [
      await tx.find(AttachmentRecord),
      await tx.find(AddressRecord, { order: { released: 'ASC', address: 'ASC' } }),
    ]);
    const ips = new Map<number, Ip[]>();
    for (const row of addresses) {
      this.options.pool.restore(row);
      if (row.portKey !== null) ips.set(row.portKey, [...(ips.get(row.portKey) ?? []), ip(row.address)]);
    }
    for (const record of records) this.remember({ record, ips: (ips.get(record.portKey) ?? []).sort(byFamily) });
  }

  get(portKey: number): Lease | undefined {
    return this.byPort.get(portKey);
  }
  ofPod(namespace: string, pod: string): Lease | undefined {
    return this.byPod.get(`${namespace}/${pod}`);
  }
  /** The pod that has an address of the default VPC. */
  ofAddress(address: string): Lease | undefined {
    return this.byAddress.get(address);
  }
  ofNode(node: string): Lease[] {
    return [...this.byPort.values()].filter((l) => l.record.node === node);
  }
  all(): Iterable<Lease> {
    return this.byPort.values();
  }
  get size(): number {
    return this.byPort.size;
  }

  /**
   * Gives a pod's interface its port key, ofport, MAC and addresses; the same (containerId, ifname) gets the same answer.
   * A pod has one attachment. Another container of the same pod takes the place of the earlier one on the same node (the
   * kubelet makes a new sandbox), or anywhere if the pod's UID says that it is another pod under the same name.
   * @throws Refusal unknown_node, conflict, pool_exhausted
   */
  async attach(input: AttachInput): Promise<AttachOutcome> {
    if (this.options.nodes.get(input.node) === undefined)
      throw new Refusal('unknown_node', `node ${input.node} has not registered`);
    const same = this.byContainer.get(containerKey(input));
    if (same !== undefined) {
      const { node, namespace, pod } = same.record;
      if (node !== input.node || namespace !== input.namespace || pod !== input.pod)
        throw new Refusal(
          'conflict',
          `container ${input.containerId} ${input.ifname} is attached as ${namespace}/${pod} on ${node}`,
        );
      return { lease: same, created: false, newBlocks: [], replaced: undefined };
    }
    const earlier = this.byPod.get(`${input.namespace}/${input.pod}`);
    // Two transactions: a crash between them leaves the pod detached, which the next ADD or DEL finds in order.
    if (earlier !== undefined) await this.replace(earlier, input);
    const [outcome] = await this.create([this.plan(input)]);
    if (outcome === undefined) throw new Error('nothing was created');
    return { ...outcome, replaced: earlier };
  }

  /**
   * As `attach` for several at once: the new ones of them are one transaction, so that a cluster that comes up does not wait
   * for the disk for each pod. An input whose answer hangs on another one's is left for the next call (undefined).
   */
  async attachMany(inputs: readonly AttachInput[]): Promise<readonly (AttachOutcome | Error | undefined)[]> {
    const outcomes: (AttachOutcome | Error | undefined)[] = [];
    const plans = new Map<number, Plan>();
    for (const [i, input] of inputs.entries()) {
      if (hangsTogether(input, plans.values())) continue;
      try {
        if (this.isNew(input)) {
          const plan = this.plan(input);
          if (!hasNewBlock(plan) || ![...plans.values()].some(hasNewBlock)) plans.set(i, plan);
        } else if (plans.size === 0 || !this.takesPlace(input)) outcomes[i] = await this.attach(input);
      } catch (e) {
        outcomes[i] = asError(e);
      }
    }
    try {
      const created = await this.create([...plans.values()]);
      for (const [n, i] of [...plans.keys()].entries()) outcomes[i] = created[n];
    } catch (e) {
      for (const i of plans.keys()) outcomes[i] = asError(e);
    }
    return inputs.map((_, i) => outcomes[i]);
  }

  /** Another attachment of the pod goes for it. Its block may be the very one that a plan has in mind: it waits for a turn to begin with it. */
  private takesPlace(input: AttachInput): boolean {
    return !this.byContainer.has(containerKey(input)) && this.byPod.has(`${input.namespace}/${input.pod}`);
  }

  private isNew(input: AttachInput): boolean {
    return (
      this.options.nodes.get(input.node) !== undefined &&
      !this.byContainer.has(containerKey(input)) &&
      !this.byPod.has(`${input.namespace}/${input.pod}`)
    );
  }

  /** Gives everything back; undefined when nothing was there. */
  async detach(key: { node: string; containerId: string; ifname: string }): Promise<Lease | undefined> {
    const lease = this.byContainer.get(containerKey(key));
    if (lease === undefined || lease.record.node !== key.node) return undefined;
    await this.remove(lease);
    return lease;
  }

  /** Gives everything back that is attached to a node; a crash in between leaves the rest attached. */
  async detachNode(node: string): Promise<Lease[]> {
    const leases = this.ofNode(node);
    for (const lease of leases) await this.remove(lease);
    return leases;
  }

  private async replace(earlier: Lease, input: AttachInput): Promise<void> {
    const { record } = earlier;
    const otherPod = record.podUid !== null && input.podUid !== undefined && record.podUid !== input.podUid;
    if (record.containerId === input.containerId)
      throw new Refusal(
        'conflict',
        `pod ${input.namespace}/${input.pod} is attached by its interface ${record.ifname} already`,
      );
    if (record.node !== input.node && !otherPod)
      throw new Refusal('conflict', `pod ${input.namespace}/${input.pod} is attached to node ${record.node}`);
    await this.remove(earlier);
  }

  /** @throws Refusal pool_exhausted */
  private plan(input: AttachInput): Plan {
    const { pool, families } = this.options;
    const choices = families.map((family) => ({ family, ...pool.choose(input.node, family) }));
    return { input, ofport: this.chooseOfport(input.node), choices };
  }

  private async create(plans: readonly Plan[]): Promise<AttachOutcome[]> {
    if (plans.length === 0) return [];
    const { database, pool } = this.options;
    const written = await database.transaction((tx) => this.write(tx, plans));
    return plans.map(({ input, ofport, choices }, i) => {
      const { record, newBlocks } = written[i] as (typeof written)[number];
      for (const block of newBlocks) pool.addBlock(block);
      for (const { block, address } of choices) pool.take(block, address);
      const node = this.options.nodes.get(input.node);
      if (node !== undefined) node.lastOfport = ofport;
      const lease: Lease = { record, ips: choices.map((c) => c.address).sort(byFamily) };
      this.remember(lease);
      return { lease, created: true, newBlocks, replaced: undefined };
    });
  }

  private async write(
    tx: Transaction,
    plans: readonly Plan[],
  ): Promise<{ readonly record: AttachmentRecord; readonly newBlocks: readonly BlockRecord[] }[]> {
    const { sequences } = this.options;
    const firstKey = await sequences.take(tx, 'port', plans.length);
    const written: { record: AttachmentRecord; newBlocks: BlockRecord[] }[] = [];
    for (const [i, { input, ofport, choices }] of plans.entries()) {
      const { node, containerId, ifname, namespace, pod } = input;
      const newBlocks: BlockRecord[] = [];
      for (const { family, newBlock } of choices)
        if (newBlock !== undefined) {
          const given = await sequences.take(tx, 'block', 1);
          newBlocks.push({ vpc: DEFAULT_VPC, cidr: newBlock.cidr, family, node, given });
        }
      const portKey = firstKey + i;
      const podUid = input.podUid ?? null;
      const mac = podMac(portKey);
      const record = { portKey, node, containerId, ifname, namespace, pod, podUid, ofport, mac, vpc: DEFAULT_VPC };
      written.push({ record, newBlocks });
    }
    const blocks = written.flatMap((w) => w.newBlocks);
    if (blocks.length > 0) await tx.insert(BlockRecord, blocks);
    await tx.insert(
      AttachmentRecord,
      written.map((w) => w.record),
    );
    const addresses = plans.flatMap(({ choices }, i) =>
      choices.map(({ address, family, block }) => ({
        vpc: DEFAULT_VPC,
        address,
        family,
        block,
        portKey: firstKey + i,
        released: null,
      })),
    );
    await tx.upsert(AddressRecord, addresses, ['vpc', 'address']);
    for (const { input, ofport } of plans) await tx.update(NodeRecord, { name: input.node }, { lastOfport: ofport });
    return written;
  }

  private async remove(lease: Lease): Promise<void> {
    const { database, sequences, pool } = this.options;
    const { portKey, node } = lease.record;
    const released = await database.transaction(async (tx) => {
      const rows = await tx.find(AddressRecord, { where: { portKey } });
      const position = await sequences.take(tx, 'release', 1);
      await tx.update(AddressRecord, { portKey }, { portKey: null, released: position });
      await tx.delete(AttachmentRecord, { portKey });
      return rows.map((row) => ({ ...row, released: position }));
    });
    for (const row of released) pool.release(row.block, row.address, row.released);
    this.byPort.delete(portKey);
    this.byContainer.delete(containerKey(lease.record));
    this.byPod.delete(`${lease.record.namespace}/${lease.record.pod}`);
    for (const address of lease.ips) this.byAddress.delete(address);
    this.ofports.get(node)?.delete(lease.record.ofport);
  }

  /** The next number after the one given last, so that a port that just went away does not lend its number to the next pod. */
  private chooseOfport(node: string): number {
    const used = this.ofports.get(node) ?? new Set();
    const count = POD_OFPORTS.last - POD_OFPORTS.first + 1;
    const after = (this.options.nodes.get(node)?.lastOfport ?? POD_OFPORTS.first - 1) + 1 - POD_OFPORTS.first;
    for (let i = 0; i < count; i++) {
      const candidate = POD_OFPORTS.first + ((after + i) % count);
      if (!used.has(candidate)) return candidate;
    }
    throw new Refusal('pool_exhausted', `no free ofport on node ${node}: all ${count} are in use`);
  }

  private remember(lease: Lease): void {
    const { portKey, namespace, pod, node, ofport } = lease.record;
    this.byPort.set(portKey, lease);
    this.byContainer.set(containerKey(lease.record), lease);
    this.byPod.set(`${namespace}/${pod}`, lease);
    for (const address of lease.ips) this.byAddress.set(address, lease);
    const ports = this.ofports.get(node);
    if (ports === undefined) this.ofports.set(node, new Set([ofport]));
    else ports.add(ofport);
  }
}

/** Two attachments of one node would choose the same address and ofport, two of one pod take each other's place. */
function hangsTogether({ node, containerId, namespace, pod }: AttachInput, plans: Iterable<Plan>): boolean {
  for (const { input } of plans)
    if (
      input.node === node ||
      input.containerId === containerId ||
      (input.namespace === namespace && input.pod === pod)
    )
      return true;
  return false;
}
const hasNewBlock = ({ choices }: Plan): boolean => choices.some((c) => c.newBlock !== undefined);

const containerKey = (c: { containerId: string; ifname: string }): string => `${c.containerId}/${c.ifname}`;
const byFamily = (a: Ip, b: Ip): number => familyOf(a) - familyOf(b);
