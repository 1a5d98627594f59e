import { startTestServer, type TestServer, type TestServerOptions } from '../../testing/index.js';
import { connectOvsdb } from '../dial.js';
import type { ConnectOptions, OvsdbClient } from '../types.js';

export const CARS = {
  name: 'Cars',
  tables: {
    Car: {
      isRoot: true,
      columns: {
        name: { type: 'string' },
        doors: { type: { key: { type: 'integer', minInteger: 0 }, min: 0, max: 1 } },
        tags: { type: { key: 'string', min: 0, max: 'unlimited' } },
        notes: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
        wheels: { type: { key: { type: 'uuid', refTable: 'Wheel' }, min: 0, max: 'unlimited' } },
      },
      indexes: [['name']],
    },
    Wheel: { columns: { size: { type: 'integer' } } },
  },
};

/** The operation that makes a car. */
export const car = (name: string, row: object = {}): object => ({ op: 'insert', table: 'Car', row: { name, ...row } });

/** Servers with the schema of cars, and their clients, which `close` ends together. */
export class Garage {
  readonly closers: (() => Promise<void>)[] = [];

  readonly start = async (options: Partial<TestServerOptions> = {}): Promise<TestServer> => {
    const server = await startTestServer({ schemas: [CARS], ...options });
    this.closers.push(() => server.close());
    return server;
  };
  readonly connect = (target: string | readonly string[], options: Partial<ConnectOptions> = {}): OvsdbClient => {
    const client = connectOvsdb({ target, reconnect: { minMs: 5, maxMs: 20 }, ...options });
    this.closers.push(() => client.close());
    return client;
  };
  async close(): Promise<void> {
    for (const close of this.closers.splice(0).reverse()) await close();
  }
}
