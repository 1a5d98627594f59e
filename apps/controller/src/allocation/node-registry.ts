import type { RegisterNode } from '@heddle/api';
import { type Cidr, type Family, familyOf, ip } from '@heddle/compiler';
import { Refusal } from '../errors.js';
import type { Database, Transaction } from '../persistence/database.js';
import { AddressRecord, BlockRecord, NodeRecord } from '../persistence/records.js';
import type { BlockPool } from './block-pool.js';
import { gatewayMac } from './macs.js';
import { addressAt, type Range } from './ranges.js';
import type { Sequences } from './sequences.js';

/** Ofports of pods; those below belong to the tunnel and heddle0. */
export const POD_OFPORTS = { first: 256, last: 0xfeff } as const;
export const DEFAULT_VPC = 1;
/** Marks datapath ids of ours, so that a foreign switch that dials in is not taken for a node: "Hedd" in ASCII. */
const DATAPATH_PREFIX = 0x4865_6464n;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

export interface Registration {
  readonly node: NodeRecord;
  /** False when the node said what it had said before. */
  readonly changed: boolean;
  readonly newBlocks: readonly BlockRecord[];
}

export interface RemovedNode {
  readonly node: NodeRecord;
  readonly blocks: readonly BlockRecord[];
}

export interface NodeRegistryOptions {
  readonly database: Database;
  readonly sequences: Sequences;
  readonly pool: BlockPool;
  readonly families: readonly Family[];
}

/** The machines of the cluster with what they were given. Calls must not overlap. */
export class NodeRegistry {
  private readonly nodes = new Map<string, NodeRecord>();
  private readonly byDatapath = new Map<bigint, NodeRecord>();

  constructor(private readonly options: NodeRegistryOptions) {}

  async load(): Promise<void> {
    const [nodes, blocks] = await this.options.database.read(async (tx) => [
      await tx.find(NodeRecord, { order: { name: 'ASC' } }),
      await tx.find(BlockRecord, { order: { given: 'ASC' } }),
    ]);
    for (const node of nodes) this.remember(node);
    for (const block of blocks) this.options.pool.addBlock(block);
    for (const node of nodes) this.reserveGateway(node);
  }

  get(name: string): NodeRecord | undefined {
    return this.nodes.get(name);
  }
  byDatapathId(id: bigint): NodeRecord | undefined {
    return this.byDatapath.get(id);
  }
  /** The machine that has an address, on the underlay, on heddle0 or of its own. */
  ofAddress(address: string): NodeRecord | undefined {
    for (const node of this.nodes.values())
      if (node.encapIp === address || node.gatewayIps.includes(address) || node.addresses.includes(address))
        return node;
    return undefined;
  }
  blocksOf(name: string): readonly BlockRecord[] {
    return this.options.pool.blocksOf(name);
  }
  blocks(): Iterable<BlockRecord> {
    return this.options.pool.all();
  }
  all(): NodeRecord[] {
    return [...this.nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Records what a node says about itself; a new node gets its key, its datapath id and its first block of each family.
   * @throws Refusal bad_request, conflict, pool_exhausted
   */
  async register(name: string, said: RegisterNode): Promise<Registration> {
    const known = this.nodes.get(name);
    if (known === undefined && (name.length > 253 || !DNS_SUBDOMAIN.test(name)))
      throw new Refusal('bad_request', `"${name}" is not a node name: lower case letters, digits, "-" and "."`);
    const encapIp = address('encapIp', said.encapIp);
    const addresses = [...new Set(said.addresses.map((a) => address('addresses', a)))].sort();
    const twin = [...this.nodes.values()].find((n) => n.name !== name && n.encapIp === encapIp);
    if (twin !== undefined)
      throw new Refusal('conflict', `${encapIp} is already the encapsulation address of node ${twin.name}`);

    const { underlayMtu, datapathType } = said;
    const fresh = { encapIp, addresses, underlayMtu, datapathType };
    const missing = this.options.families.filter((f) => !known?.gatewayIps.some((g) => familyOf(ip(g)) === f));
    const changed = known === undefined || missing.length > 0 || JSON.stringify(pick(known)) !== JSON.stringify(fresh);
    if (!changed) return { node: known, changed, newBlocks: [] };

    const blocks = missing.map((family) => this.options.pool.nextBlock(name, family));
    const result = await this.options.database.transaction((tx) => this.write(tx, name, known, fresh, blocks));
    for (const block of result.blocks) this.options.pool.addBlock(block);
    this.remember(result.node);
    this.reserveGateway(result.node);
    return { node: result.node, changed, newBlocks: result.blocks };
  }

  /**
   * Forgets a node that has no attachments, and gives its blocks and its encapsulation address back. Its key and datapath
   * id are never given again. Undefined when there is no such node.
   */
  async remove(name: string): Promise<RemovedNode | undefined> {
    const node = this.nodes.get(name);
    if (node === undefined) return undefined;
    const { database, sequences, pool } = this.options;
    const blocks = pool.blocksOf(name);
    await database.transaction(async (tx) => {
      for (const { vpc, cidr } of blocks) {
        // Who gets the block next must not find the order of somebody else's releases in it.
        await tx.delete(AddressRecord, { vpc, block: cidr });
        await tx.delete(BlockRecord, { vpc, cidr });
      }
      await tx.delete(NodeRecord, { name });
      await sequences.take(tx, 'node-set', 1);
    });
    pool.removeNode(name);
    this.nodes.delete(name);
    this.byDatapath.delete(BigInt(`0x${node.datapathId}`));
    return { node, blocks };
  }

  private async write(
    tx: Transaction,
    name: string,
    known: NodeRecord | undefined,
    fresh: Pick<NodeRecord, 'encapIp' | 'addresses' | 'underlayMtu' | 'datapathType'>,
    ranges: readonly Range[],
  ): Promise<{ node: NodeRecord; blocks: BlockRecord[] }> {
    const { sequences } = this.options;
    const key = known?.key ?? (await sequences.take(tx, 'node', 1));
    const node: NodeRecord = {
      name,
      key,
      datapathId: known?.datapathId ?? ((DATAPATH_PREFIX << 32n) | BigInt(key)).toString(16).padStart(16, '0'),
      gatewayMac: known?.gatewayMac ?? gatewayMac(key),
      lastOfport: known?.lastOfport ?? POD_OFPORTS.first - 1,
      ...fresh,
      gatewayIps: [...(known?.gatewayIps ?? []), ...ranges.map((r) => addressAt(r, 1))],
    };
    await tx.upsert(NodeRecord, node, ['name']);
    const blocks: BlockRecord[] = [];
    for (const r of ranges)
      blocks.push({
        vpc: DEFAULT_VPC,
        cidr: r.cidr,
        family: r.family,
        node: name,
        given: await sequences.take(tx, 'block', 1),
      });
    if (blocks.length > 0) await tx.insert(BlockRecord, blocks);
    await sequences.take(tx, 'node-set', 1);
    return { node, blocks };
  }

  /** The first address of a node's first block of each family is heddle0's. */
  private reserveGateway(node: NodeRecord): void {
    const blocks = this.options.pool.blocksOf(node.name);
    for (const gateway of node.gatewayIps) {
      const first = blocks.find((b) => b.family === familyOf(ip(gateway)));
      if (first !== undefined) this.options.pool.take(first.cidr as Cidr, gateway);
    }
  }

  private remember(node: NodeRecord): void {
    this.nodes.set(node.name, node);
    this.byDatapath.set(BigInt(`0x${node.datapathId}`), node);
  }
}

function pick({ encapIp, addresses, underlayMtu, datapathType }: NodeRecord) {
  return { encapIp, addresses, underlayMtu, datapathType };
}

function address(field: string, text: string): string {
  try {
    return ip(text);
  } catch (cause) {
    throw new Refusal('bad_request', `${field}: "${text}" is not an IP address`, [], { cause });
  }
}
