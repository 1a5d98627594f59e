import { ConnectionError, OvsdbError } from '../errors.js';
import { isObject } from '../notation/json.js';
import type { RpcConnection } from '../rpc/connection.js';
import { readResults } from '../transaction/commit.js';
import type { Gate } from './client.js';

const LOOK_TIMEOUT_MS = 10_000;
const MONITOR_ID = 'leader';

interface Standing {
  readonly clustered: boolean;
  readonly leader: boolean;
  readonly connected: boolean;
  /** Index of the last log entry that the server knows; grows over the whole cluster. */
  readonly index: number | undefined;
}

async function look(connection: RpcConnection, database: string): Promise<Standing> {
  const answer = await connection.request(
    'transact',
    [
      '_Server',
      {
        op: 'select',
        table: 'Database',
        where: [['name', '==', database]],
        columns: ['model', 'leader', 'connected', 'index'],
      },
    ],
    { timeoutMs: LOOK_TIMEOUT_MS },
  );
  const row = readResults(answer)[0]?.rows?.[0];
  if (row === undefined) throw new OvsdbError('unknown database', database);
  return {
    clustered: row.model === 'clustered',
    leader: row.leader === true,
    connected: row.connected === true,
    index: typeof row.index === 'number' ? row.index : undefined,
  };
}

/**
 * Lets only the leader of a database's RAFT cluster through, and ends the connection when it stops to lead
 * (ovsdb-server(5), `_Server` database). A server whose log is behind one seen before is stale and is left too.
 */
export function leaderGate(database: string): Gate {
  let highestIndex = 0;
  const check = async (connection: RpcConnection): Promise<void> => {
    const { clustered, leader, connected, index } = await look(connection, database);
    if (!clustered) return;
    if (!connected) throw new ConnectionError(`the server has no contact with its cluster of ${database}`);
    if (index !== undefined && index < highestIndex) {
      throw new ConnectionError(`the server is stale: index ${index} of ${database}, ${highestIndex} was seen`);
    }
    highestIndex = Math.max(highestIndex, index ?? 0);
    if (!leader) throw new ConnectionError(`the server does not lead ${database}`);
  };
  return async (connection) => {
    await check(connection);
    connection.onNotification = (method, params) => {
      if (!method.startsWith('update') || params[0] !== MONITOR_ID) return;
      check(connection).catch((error) => connection.close({ kind: 'lost', error: error as Error }));
    };
    const answer = await connection.request(
      'monitor',
      ['_Server', MONITOR_ID, { Database: [{ columns: ['name', 'leader', 'connected'] }] }],
      { timeoutMs: LOOK_TIMEOUT_MS },
    );
    if (!isObject(answer)) throw new OvsdbError('bad reply', 'monitor of _Server');
  };
}
