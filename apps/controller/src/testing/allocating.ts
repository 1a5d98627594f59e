import { join } from 'node:path';
import { cidr } from '@heddle/compiler';
import { afterEach, beforeEach } from 'vitest';
import { Allocations, type AllocationsOptions } from '../allocation/allocations.js';
import { Database } from '../persistence/database.js';
import { TestFolder } from './folder.js';

export const OPTIONS: AllocationsOptions = {
  clusterCidrs: [cidr('10.244.0.0/16'), cidr('fd00:10:244::/56')],
  serviceCidrs: [cidr('10.96.0.0/16'), cidr('fd00:10:96::/112')],
  families: [4, 6],
  networkSettings: 'x',
};
export const v4 = (clusterCidr: string, serviceCidr = '10.96.0.0/24'): AllocationsOptions => ({
  clusterCidrs: [cidr(clusterCidr)],
  serviceCidrs: [cidr(serviceCidr)],
  families: [4],
  networkSettings: 'x',
});
export const NODE = { underlayMtu: 1500, datapathType: 'netdev' } as const;
/** What an agent registers. */
export const said = (encapIp: string) => ({ ...NODE, encapIp, addresses: [encapIp] });
/** What it asks for a pod. */
export const call = (node: string, pod: string, containerId = `c-${pod}`) => ({
  node,
  containerId,
  ifname: 'eth0',
  namespace: 'x',
  pod,
});

/** A folder with a database for each test. */
export class Allocating {
  folder!: TestFolder;
  url!: string;
  /** Closed when the test ends. */
  open: Database[] = [];

  begin(): void {
    this.folder = new TestFolder();
    this.url = `sqlite:${join(this.folder.path, 'db')}`;
    this.open = [];
  }
  async end(): Promise<void> {
    for (const database of this.open) await database.close();
    this.folder.remove();
  }
  /** Allocations over the database in the folder; what was open before is closed, as by a restart. */
  readonly start = async (options: AllocationsOptions = OPTIONS): Promise<Allocations> => {
    for (const database of this.open.splice(0)) await database.close();
    const database = await Database.open(this.url);
    this.open.push(database);
    return Allocations.load(database, options);
  };
}

export function useAllocating(): Allocating {
  const allocating = new Allocating();
  beforeEach(() => allocating.begin());
  afterEach(() => allocating.end());
  return allocating;
}
