import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { migrations } from '@heddle/migrations';
import Sqlite from 'better-sqlite3';
import { DataSource, type DataSourceOptions, type EntityManager } from 'typeorm';
import { Serial } from '../serial.js';
import { RECORDS } from './records.js';

/** The part of a TypeORM entity manager that allocations write through. */
export type Transaction = EntityManager;

/**
 * The controller's database: `sqlite:FILE`, `sqlite::memory:` or a `postgres://` URL.
 * SQLite has one connection, so every transaction waits for the one before it.
 */
export class Database {
  private readonly writes = new Serial();
  private constructor(private readonly source: DataSource) {}

  /** Opens the database and brings its schema up to date. @throws Error that says what to do when it is in use */
  static async open(url: string): Promise<Database> {
    const source = new DataSource(dataSourceOptions(url));
    try {
      await source.initialize();
      await source.runMigrations({ transaction: 'all' });
    } catch (cause) {
      if (source.isInitialized) await source.destroy();
      throw new Error(openFailure(url, cause), { cause });
    }
    return new Database(source);
  }

  /** One transaction; what `work` throws undoes it and reaches the caller. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.writes.run(() => this.source.transaction(work));
  }

  /** Everything read here is committed: reads wait for the transaction that runs. */
  read<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.writes.run(() => work(this.source.manager));
  }

  async close(): Promise<void> {
    await this.writes.idle();
    if (this.source.isInitialized) await this.source.destroy();
  }
}

/** @throws RangeError for a URL that is neither SQLite nor PostgreSQL */
export function dataSourceOptions(url: string): DataSourceOptions {
  const common = { entities: RECORDS, migrations, migrationsTableName: 'migration' };
  if (/^postgres(ql)?:\/\//.test(url)) return { type: 'postgres', url, ...common };
  if (!url.startsWith('sqlite:')) throw new RangeError(`"${url}" is not sqlite:FILE or postgres://...`);
  const file = url.slice('sqlite:'.length);
  if (file !== ':memory:') createPrivateFile(file);
  return {
    type: 'better-sqlite3',
    driver: Sqlite,
    database: file,
    timeout: 2_000,
    prepareDatabase: (db: Sqlite) => {
      // Allocations are cached in memory, so two controllers on one file would give the same address twice: lock it for good.
      db.pragma('locking_mode = EXCLUSIVE');
      db.pragma('journal_mode = WAL');
      // An answered attach must survive a power cut, not only a crash.
      db.pragma('synchronous = FULL');
      db.pragma('foreign_keys = ON');
    },
    ...common,
  };
}

/** SQLite gives its WAL the mode of the file, so the file must be private before SQLite opens it. */
function createPrivateFile(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  closeSync(openSync(file, 'a', 0o600));
  chmodSync(file, 0o600);
}

function openFailure(url: string, cause: unknown): string {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const where = url.replace(/\/\/[^@/]*@/, '//');
  if (/database is locked/.test(reason))
    return `the database ${where} is in use: stop the other heddle-controller that runs on it`;
  return `cannot open the database ${where}: ${reason}`;
}
