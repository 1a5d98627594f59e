import { ConnectionError, type FailedInterface, InterfaceError, OvsdbError, TimeoutError } from '../errors.js';
import { isObject } from '../notation/json.js';
import type { Operation, OperationResult, WireRow, WireValue } from '../notation/wire.js';
import type { CallOptions } from '../rpc/connection.js';
import type { DatabaseSchema } from '../schema/types.js';
import type { TransactionDraft } from './builder.js';
import type { CommitOptions, CommitResult } from './types.js';

/** What a commit needs of a client. */
export interface TransactPort {
  readonly now: () => number;
  getSchema(database: string, options: CallOptions): Promise<DatabaseSchema>;
  transact(database: string, operations: readonly Operation[], options: CallOptions): Promise<OperationResult[]>;
}

const DEFAULT_COMMIT_MS = 30_000;
const VSWITCH = 'Open_vSwitch';

/** Reads the answer of `transact` (RFC 7047 §4.1.3). Throws the OvsdbError of the operation that failed. */
export function readResults(answer: unknown): OperationResult[] {
  if (!Array.isArray(answer)) throw new OvsdbError('bad reply', 'transact answered with no array');
  answer.forEach((item, index) => {
    if (isObject(item) && typeof item.error === 'string') {
      throw new OvsdbError(item.error, typeof item.details === 'string' ? item.details : undefined, index);
    }
  });
  return answer.map((item) => (isObject(item) ? item : {})) as OperationResult[];
}

/** Sends a draft, and waits for ovs-vswitchd where asked for. */
export async function commitDraft(
  port: TransactPort,
  draft: TransactionDraft,
  options: CommitOptions,
): Promise<CommitResult> {
  const { timeoutMs = DEFAULT_COMMIT_MS, signal } = options;
  const until = port.now() + timeoutMs;
  const left = (): CallOptions => ({
    timeoutMs: Math.max(1, until - port.now()),
    ...(signal === undefined ? {} : { signal }),
  });
  const schema = await port.getSchema(draft.database, left());
  const operations = draft.encode(schema);
  if (options.waitForVswitchd === true) {
    operations.push(
      { op: 'mutate', table: VSWITCH, where: [], mutations: [['next_cfg', '+=', 1]] },
      { op: 'select', table: VSWITCH, where: [], columns: ['next_cfg'] },
    );
  }
  const cfgOperation = operations.length - 1;
  if (options.durable === true) operations.push({ op: 'commit', durable: true });
  const results = await port.transact(draft.database, operations, left());
  const own = results.slice(0, draft.size);
  if (options.waitForVswitchd !== true) return draft.result(schema, own, undefined);
  const cfg = results[cfgOperation]?.rows?.[0]?.next_cfg;
  if (typeof cfg !== 'number')
    throw new OvsdbError('not supported', 'committed, but the database has no row in Open_vSwitch to wait for');
  const interfaces = draft.inserted.flatMap(({ ref, operation }) => {
    const uuid = own[operation]?.uuid?.[1];
    return ref.table === 'Interface' && uuid !== undefined ? [uuid] : [];
  });
  await waitApplied(port, draft.database, cfg, interfaces, timeoutMs, left());
  return draft.result(schema, own, cfg);
}

/**
 * Waits at the server until cur_cfg has reached a value, and reads the inserted interfaces in the same transaction: this
 * costs one request, no replica, and no polling.
 */
async function waitApplied(
  port: TransactPort,
  database: string,
  cfg: number,
  interfaces: readonly string[],
  timeoutMs: number,
  options: CallOptions,
): Promise<void> {
  const operations: Operation[] = [
    { op: 'wait', table: VSWITCH, where: [['cur_cfg', '>=', cfg]], columns: ['_uuid'], until: '!=', rows: [] },
    ...interfaces.map(
      (uuid): Operation => ({
        op: 'select',
        table: 'Interface',
        where: [['_uuid', '==', ['uuid', uuid]]],
        columns: ['name', 'ofport', 'error'],
      }),
    ),
  ];
  let results: OperationResult[];
  try {
    results = await port.transact(database, operations, options);
  } catch (error) {
    if (error instanceof TimeoutError) throw new TimeoutError('ovs-vswitchd', timeoutMs, 'committed');
    if (error instanceof ConnectionError) throw new ConnectionError(error.message, 'committed', { cause: error });
    throw error;
  }
  const failed = interfaces.flatMap((uuid, i) => failureOf(uuid, results[i + 1]?.rows?.[0]) ?? []);
  if (failed.length > 0) throw new InterfaceError(failed);
}

function isEmptySet(value: WireValue | undefined): boolean {
  return Array.isArray(value) && value[0] === 'set' && Array.isArray(value[1]) && value[1].length === 0;
}

function failureOf(uuid: string, row: WireRow | undefined): FailedInterface | undefined {
  if (row === undefined) return { uuid, name: uuid, error: 'the row is gone: no bridge or port refers to it' };
  const name = String(row.name);
  if (typeof row.error === 'string' && row.error !== '') return { uuid, name, error: row.error };
  if (row.ofport === -1) return { uuid, name, error: 'ovs-vswitchd could not open it (ofport -1)' };
  // Happens with no error text when the bridge itself could not be created.
  if (isEmptySet(row.ofport)) return { uuid, name, error: 'ovs-vswitchd gave it no ofport; see its log' };
  return undefined;
}
