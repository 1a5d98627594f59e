import { Database, type Transaction } from '../persistence/database.js';

/** Makes the next transactions fail at their end, as a full disk or a crash before the commit would. */
export class BreakableDatabase {
  private broken = false;
  readonly database: Database;

  private constructor(private readonly real: Database) {
    this.database = Object.assign(Object.create(real) as Database, {
      transaction: <T>(work: (tx: Transaction) => Promise<T>): Promise<T> =>
        this.real.transaction(async (tx) => {
          const result = await work(tx);
          if (this.broken) throw new Error('power cut');
          return result;
        }),
    });
  }

  static async open(url: string): Promise<BreakableDatabase> {
    return new BreakableDatabase(await Database.open(url));
  }

  break(): void {
    this.broken = true;
  }
  repair(): void {
    this.broken = false;
  }
}
