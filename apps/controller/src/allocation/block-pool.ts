import { type Cidr, type Family, type Ip, ip } from '@heddle/compiler';
import { Refusal } from '../errors.js';
import type { AddressRecord, BlockRecord } from '../persistence/records.js';
import { FreeAddresses } from './free-addresses.js';
import { addressAt, containsRange, type Range, range, subrange } from './ranges.js';

/** Prefix length of the blocks that nodes get. */
export const BLOCK_PREFIX: Readonly<Record<Family, number>> = { 4: 26, 6: 122 };
/** Offset 0 is never given: it reads as a network (IPv4) or is the routers' anycast address (IPv6, RFC 4291 2.6.1). */
const FIRST_OFFSET = 1n;

interface Block {
  readonly record: BlockRecord;
  readonly range: Range;
  readonly free: FreeAddresses;
}

/** Where an address would come from: an address of a block that exists, or of the block that would have to be given. */
export interface Choice {
  readonly address: Ip;
  readonly block: Cidr;
  /** Given when the node needs another block. */
  readonly newBlock: Range | undefined;
}

/** The blocks of the pod network and what is free in them. Choosing changes nothing; `addBlock`, `take` and `release` do. */
export class BlockPool {
  private readonly blocks = new Map<Cidr, Block>();
  private readonly byNode = new Map<string, Block[]>();
  /** Cluster CIDR -> index of the first block that was never given. */
  private readonly nextIndex = new Map<Cidr, bigint>();
  private readonly cluster: readonly Range[];

  constructor(clusterCidrs: readonly Cidr[]) {
    this.cluster = clusterCidrs.map(range);
  }

  /** @throws Refusal conflict if the block lies outside the cluster CIDRs */
  addBlock(record: BlockRecord): void {
    const r = range(record.cidr);
    const outer = this.cluster.find((c) => containsRange(c, r));
    if (outer === undefined)
      throw new Refusal(
        'conflict',
        `node ${record.node} holds the block ${record.cidr}, which is not inside ${this.cluster.map((c) => c.cidr).join(',')}: ` +
          'set HEDDLE_CLUSTER_CIDR back, or start with an empty database',
      );
    const block = { record, range: r, free: new FreeAddresses(r, FIRST_OFFSET, r.size) };
    this.blocks.set(r.cidr, block);
    const held = this.byNode.get(record.node);
    if (held === undefined) this.byNode.set(record.node, [block]);
    else held.push(block);
    const index = (r.first - outer.first) / r.size;
    if (index >= (this.nextIndex.get(outer.cidr) ?? 0n)) this.nextIndex.set(outer.cidr, index + 1n);
  }

  blocksOf(node: string): readonly BlockRecord[] {
    return (this.byNode.get(node) ?? []).map((b) => b.record);
  }

  all(): Iterable<BlockRecord> {
    return [...this.blocks.values()].map((b) => b.record);
  }

  /** @throws Refusal pool_exhausted that names the pool */
  choose(node: string, family: Family): Choice {
    const held = (this.byNode.get(node) ?? []).filter((b) => b.range.family === family);
    const unused = held.find((b) => b.free.hasUnused());
    const from = unused ?? oldest(held);
    const address = from?.free.peek();
    if (from !== undefined && address !== undefined) return { address, block: from.range.cidr, newBlock: undefined };
    const newBlock = this.nextBlock(node, family);
    return { address: addressAt(newBlock, FIRST_OFFSET), block: newBlock.cidr, newBlock };
  }

  /** Takes a node's blocks back. Blocks that were never given go first, so these rest for as long as there are any. */
  removeNode(node: string): void {
    for (const { range } of this.byNode.get(node) ?? []) this.blocks.delete(range.cidr);
    this.byNode.delete(node);
  }

  /** The next block of the cluster CIDRs. @throws Refusal pool_exhausted */
  nextBlock(node: string, family: Family): Range {
    const prefix = BLOCK_PREFIX[family];
    const pools = this.cluster.filter((c) => c.family === family);
    for (const pool of pools) {
      const index = this.nextIndex.get(pool.cidr) ?? 0n;
      if (index < 1n << BigInt(prefix - pool.prefix)) return subrange(pool, prefix, index);
    }
    for (const pool of pools) {
      const end = this.nextIndex.get(pool.cidr) ?? 0n;
      for (let index = 0n; index < end; index++) {
        const returned = subrange(pool, prefix, index);
        if (!this.blocks.has(returned.cidr)) return returned;
      }
    }
    throw new Refusal(
      'pool_exhausted',
      `no free IPv${family} address for node ${node}: its blocks are full and every /${prefix} block of the cluster CIDR ` +
        `${pools.map((p) => p.cidr).join(',')} is in use`,
    );
  }

  take(block: string, address: string): void {
    this.blocks.get(block as Cidr)?.free.take(ip(address));
  }

  release(block: string, address: string, position: number): void {
    this.blocks.get(block as Cidr)?.free.release(ip(address), position);
  }

  /** Puts a recorded address back into its pool; call in the order of releases. */
  restore(row: AddressRecord): void {
    if (row.released === null) this.take(row.block, row.address);
    else this.release(row.block, row.address, row.released);
  }
}

function oldest(blocks: readonly Block[]): Block | undefined {
  let best: Block | undefined;
  for (const block of blocks) {
    const position = block.free.oldestPosition();
    if (position !== undefined && position < (best?.free.oldestPosition() ?? Number.POSITIVE_INFINITY)) best = block;
  }
  return best;
}
