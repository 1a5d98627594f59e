import { type Cidr, type Family, familyOf, type Ip, ip } from '@heddle/compiler';
import type { Database } from '../persistence/database.js';
import { ServiceAddressRecord } from '../persistence/records.js';
import { FreeAddresses } from './free-addresses.js';
import { contains, type Range, range } from './ranges.js';
import type { Sequences } from './sequences.js';

/** What a service asks for; an address that its manifest names stands in `fixed`. */
export interface ServiceClaim {
  /** NAMESPACE/NAME. */
  readonly key: string;
  readonly families: readonly Family[];
  readonly fixed: readonly Ip[];
}

export interface ServiceGrant {
  /** In the order of the families asked for. */
  readonly ips: readonly Ip[];
  /** Why an address is missing, a sentence each. */
  readonly problems: readonly string[];
}

interface Pool {
  readonly range: Range;
  /** Tried in order. */
  readonly bands: readonly FreeAddresses[];
}

/**
 * Recorded ClusterIPs. A service keeps its addresses for as long as it exists, and gets them back if it returns before another
 * one needed them. Who has an address keeps it. Calls must not overlap.
 */
export class ServiceAddresses {
  private pools: readonly Pool[] = [];
  private readonly rows = new Map<Ip, ServiceAddressRecord>();
  /** Owner -> addresses that it holds or held last. */
  private readonly byOwner = new Map<string, Set<Ip>>();

  constructor(
    private readonly database: Database,
    private readonly sequences: Sequences,
    private readonly serviceCidrs: readonly Cidr[],
  ) {}

  async load(): Promise<void> {
    this.pools = this.serviceCidrs.map(newPool);
    this.rows.clear();
    this.byOwner.clear();
    const rows = await this.database.read((tx) =>
      tx.find(ServiceAddressRecord, { order: { released: 'ASC', address: 'ASC' } }),
    );
    for (const row of rows) this.put(row);
  }

  /**
   * Makes the recorded addresses fit the claims of all services: releases what nobody claims, then gives what is missing, in
   * one transaction.
   */
  async settle(claims: readonly ServiceClaim[]): Promise<ReadonlyMap<string, ServiceGrant>> {
    const dirty = new Map<Ip, ServiceAddressRecord>();
    const position = this.sequences.current('release') + 1;
    const grants = this.plan(claims, position, (row) => {
      dirty.set(row.address as Ip, row);
      this.put(row);
    });
    if (dirty.size === 0) return grants;
    const rows = [...dirty.values()];
    try {
      await this.database.transaction(async (tx) => {
        await this.sequences.take(tx, 'release', 1);
        for (let i = 0; i < rows.length; i += 1_000)
          await tx.upsert(ServiceAddressRecord, rows.slice(i, i + 1_000), ['address']);
      });
    } catch (e) {
      // Memory ran ahead of the database.
      await this.load();
      throw e;
    }
    return grants;
  }

  private plan(
    claims: readonly ServiceClaim[],
    position: number,
    write: (row: ServiceAddressRecord) => void,
  ): ReadonlyMap<string, ServiceGrant> {
    const byKey = new Map(claims.map((c) => [c.key, c]));
    for (const row of [...this.rows.values()])
      if (row.released === null && !this.keeps(byKey.get(ownerOf(row)), row.address as Ip))
        write({ ...row, released: position });

    // Addresses that manifests name come first: a free choice must not take them.
    const problems = new Map<string, string[]>(claims.map((c) => [c.key, []]));
    for (const claim of claims)
      for (const address of claim.fixed) {
        const holder = this.rows.get(address);
        if (holder?.released === null && ownerOf(holder) !== claim.key)
          problems.get(claim.key)?.push(`the clusterIP ${address} is in use by service ${ownerOf(holder)}`);
        else if (!this.inPools(address))
          problems
            .get(claim.key)
            ?.push(`the clusterIP ${address} is not in the service CIDR ${this.serviceCidrs.join(',')}`);
        else if (holder?.released !== null || holder === undefined) write(row(claim.key, address));
      }

    const grants = new Map<string, ServiceGrant>();
    for (const claim of claims) {
      const reasons = problems.get(claim.key) ?? [];
      for (const family of claim.families) {
        if (this.held(claim.key, family) !== undefined || claim.fixed.some((a) => familyOf(a) === family)) continue;
        const address = this.choose(claim.key, family);
        if (address === undefined)
          reasons.push(`no free IPv${family} address in the service CIDR ${this.serviceCidrs.join(',')}`);
        else write(row(claim.key, address));
      }
      const ips = claim.families.flatMap((f) => this.held(claim.key, f) ?? []);
      grants.set(claim.key, { ips, problems: reasons });
    }
    return grants;
  }

  private keeps(claim: ServiceClaim | undefined, address: Ip): boolean {
    if (claim === undefined || !this.inPools(address) || !claim.families.includes(familyOf(address))) return false;
    const fixed = claim.fixed.find((a) => familyOf(a) === familyOf(address));
    return fixed === undefined || fixed === address;
  }

  private held(key: string, family: Family): Ip | undefined {
    for (const address of this.byOwner.get(key) ?? [])
      if (familyOf(address) === family && this.rows.get(address)?.released === null) return address;
    return undefined;
  }

  /** The address that the service had before, else one from the pools. */
  private choose(key: string, family: Family): Ip | undefined {
    for (const address of this.byOwner.get(key) ?? [])
      if (familyOf(address) === family && this.inPools(address)) return address;
    const bands = this.pools.filter((p) => p.range.family === family).flatMap((p) => p.bands);
    return (bands.find((b) => b.hasUnused()) ?? bands.find((b) => b.peek() !== undefined))?.peek();
  }

  /** Whether the address is of a service CIDR. */
  inPools(address: Ip): boolean {
    return this.pools.some((p) => contains(p.range, address));
  }

  private put(record: ServiceAddressRecord): void {
    const address = ip(record.address);
    const before = this.rows.get(address);
    if (before !== undefined) this.byOwner.get(ownerOf(before))?.delete(address);
    this.rows.set(address, record);
    const owned = this.byOwner.get(ownerOf(record));
    if (owned === undefined) this.byOwner.set(ownerOf(record), new Set([address]));
    else owned.add(address);
    for (const pool of this.pools)
      if (contains(pool.range, address))
        for (const band of pool.bands)
          if (record.released === null) band.take(address);
          else band.release(address, record.released);
  }
}

/** Free choices start above the lower band, which is left to addresses that manifests name (as kube-apiserver does). */
function newPool(text: Cidr): Pool {
  const r = range(text);
  const sixteenth = r.size / 16n;
  const lower = sixteenth < 16n ? (r.size > 32n ? 16n : 1n) : sixteenth > 256n ? 256n : sixteenth;
  // Offset 0 is the network; the last IPv4 address would be its broadcast address.
  const end = r.family === 4 && r.size > 2n ? r.size - 1n : r.size;
  return { range: r, bands: [new FreeAddresses(r, lower, end), new FreeAddresses(r, 1n, lower)] };
}

const ownerOf = (r: ServiceAddressRecord): string => `${r.namespace}/${r.service}`;

function row(key: string, address: Ip): ServiceAddressRecord {
  const slash = key.indexOf('/');
  return {
    address,
    family: familyOf(address),
    namespace: key.slice(0, slash),
    service: key.slice(slash + 1),
    released: null,
  };
}
