import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  type AnyTables,
  ConnectionError,
  connectOvsdb,
  defineDatabase,
  type OvsdbClient,
  OvsdbError,
  parseJson,
} from 'ovsdb-client';
import { columnNames, dump, typeOfColumn } from './dump.js';
import { changeGrids, initialGrid, type Watched } from './monitor.js';
import { type Format, type Grid, gridText, jsonText } from './print.js';

const DEFAULT_DATABASE = 'Open_vSwitch';
const DEFAULT_TIMEOUT_S = 30;
const EXIT_FAILED_OPERATION = 2;

interface ConnectionFlags {
  readonly privateKey?: string;
  readonly certificate?: string;
  readonly caCert?: string;
  readonly timeout: number;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('want seconds, more than 0');
  return value;
}

const TARGET_HELP = 'unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT';
const EXIT_HELP = '\nExit codes: 0 done; 1 an error, said on standard error';

function withConnection(command: Command): Command {
  return command
    .option('-p, --private-key <file>', 'private key, for ssl targets')
    .option('-c, --certificate <file>', 'certificate of that key')
    .option('-C, --ca-cert <file>', "certificate that signed the server's")
    .option('--timeout <seconds>', 'how long the server may take to connect and to answer', seconds, DEFAULT_TIMEOUT_S);
}

const format = () => new Option('-f, --format <format>', 'how to print').choices(['table', 'json']).default('table');

function tlsOf({ privateKey, certificate, caCert }: ConnectionFlags) {
  if (privateKey === undefined && certificate === undefined && caCert === undefined) return {};
  if (privateKey === undefined || certificate === undefined || caCert === undefined)
    throw new Error('ssl needs all of --private-key, --certificate and --ca-cert');
  return { tls: { key: readFileSync(privateKey), cert: readFileSync(certificate), ca: readFileSync(caCert) } };
}

/** Connects once, works, and closes. */
async function withClient(
  target: string,
  flags: ConnectionFlags,
  work: (client: OvsdbClient, limits: { timeoutMs: number }) => Promise<void>,
): Promise<void> {
  const timeoutMs = flags.timeout * 1000;
  const client = connectOvsdb({ target, reconnect: false, connectTimeoutMs: timeoutMs, ...tlsOf(flags) });
  try {
    await client.ready.catch(async (error: unknown) => {
      // The reason says more than that the client has ended.
      throw (await client.closed).error ?? error;
    });
    await work(client, { timeoutMs });
  } finally {
    await client.close();
  }
}

const write = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
/** ovsdb-client puts an empty line between tables, and none between JSON texts. */
const between = (kind: Format): string => (kind === 'table' ? '\n\n' : '\n');

async function schemaOf(client: OvsdbClient, database: string, limits: { timeoutMs: number }) {
  try {
    return await client.getSchema(database, limits);
  } catch (error) {
    if (!(error instanceof OvsdbError)) throw error;
    const known = (await client.listDbs(limits)).join(', ');
    throw new Error(`no database "${database}" there (${error.message}); it has ${known}`, { cause: error });
  }
}

function dumpCommand(): Command {
  return withConnection(new Command('dump'))
    .description('the rows of all tables, or of one')
    .argument('<target>', TARGET_HELP)
    .argument('[database]', 'name of the database', DEFAULT_DATABASE)
    .argument('[table]', 'only this table')
    .argument('[columns...]', 'only these columns')
    .addOption(format())
    .addHelpText(
      'after',
      `${EXIT_HELP}\n\nExamples:
  heddle ovsdb dump unix:/var/run/openvswitch/db.sock
  heddle ovsdb dump tcp:127.0.0.1:6640 Open_vSwitch Interface name ofport error
  heddle ovsdb dump unix:db.sock Open_vSwitch Bridge -f json`,
    )
    .action(async (target, database, table, columns, flags: ConnectionFlags & { format: Format }) =>
      withClient(target, flags, async (client, limits) => {
        const grids = await dump(client, await schemaOf(client, database, limits), table, columns);
        write(grids.map((grid) => gridText(grid, flags.format)).join(between(flags.format)));
      }),
    );
}

function monitorCommand(): Command {
  return withConnection(new Command('monitor'))
    .description(
      'the rows of a table or of all tables, then every change, transaction by transaction, until interrupted',
    )
    .argument('<target>', TARGET_HELP)
    .argument('<database>', 'name of the database')
    .argument('<table>', 'name of a table, or ALL')
    .argument('[columns...]', 'only these columns, also as a list with commas')
    .addOption(format())
    .option('--timestamp', 'say when', false)
    .addHelpText(
      'after',
      `${EXIT_HELP} (also when the server goes away)\n\nExamples:
  heddle ovsdb monitor unix:/var/run/openvswitch/db.sock Open_vSwitch Interface name,ofport,error
  heddle ovsdb monitor tcp:127.0.0.1:6640 Open_vSwitch ALL -f json`,
    )
    .action(
      async (
        target,
        database,
        table,
        columns: string[],
        flags: ConnectionFlags & { format: Format; timestamp: boolean },
      ) =>
        withClient(target, flags, async (client, limits) => {
          const schema = await schemaOf(client, database, limits);
          const named = columns.flatMap((each) => each.split(',')).filter((each) => each !== '');
          const isAll = table === 'ALL';
          const tables = isAll ? [...schema.tables.keys()].sort() : [table as string];
          const watched = tables.map((name): Watched => {
            const known = columnNames(schema, name);
            for (const column of named) typeOfColumn(schema, name, column);
            return { table: name, columns: named.length > 0 ? named : known };
          });
          let printed = false;
          const show = (grids: readonly Grid[]): void => {
            for (const grid of grids) {
              if (printed && flags.format === 'table') write('');
              printed = true;
              if (flags.timestamp) write(new Date().toISOString().replace('T', ' ').replace('Z', ''));
              write(gridText(grid, flags.format));
            }
          };
          const request = Object.fromEntries(watched.map((each) => [each.table, { columns: each.columns }]));
          const replica = await client.monitor(defineDatabase<AnyTables>(database), request, limits);
          show(
            watched.flatMap((each) => initialGrid(schema, each, isAll, replica.table(each.table).rows.values()) ?? []),
          );
          replica.onChange((change) => show(changeGrids(schema, watched, isAll, change)));
          const reason = await client.closed;
          throw reason.error ?? new ConnectionError(`${target}: connection ended (${reason.kind})`);
        }),
    );
}

function transactCommand(): Command {
  return withConnection(new Command('transact'))
    .description("runs a transaction, written as the parameters of RFC 7047's transact: [DATABASE, OPERATION, ...]")
    .argument('<target>', TARGET_HELP)
    .argument('<transaction>', 'JSON, or - to read it from standard input')
    .addHelpText(
      'after',
      `\nExit codes: 0 done; 1 an error, said on standard error; 2 an operation failed, the answer says why
\nExamples:
  heddle ovsdb transact unix:db.sock '["Open_vSwitch", {"op": "select", "table": "Bridge", "where": [], "columns": ["name"]}]'
  heddle ovsdb transact unix:db.sock - < transaction.json`,
    )
    .action(async (target, text, flags: ConnectionFlags) => {
      const transaction = readTransaction(text === '-' ? readFileSync(0, 'utf8') : text);
      await withClient(target, flags, async (client, limits) => {
        const answer = await client.request('transact', transaction, limits);
        write(jsonText(answer));
        if (Array.isArray(answer) && answer.some((each) => each?.error !== undefined))
          process.exitCode = EXIT_FAILED_OPERATION;
      });
    });
}

function readTransaction(text: string): readonly unknown[] {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw new Error(`the transaction is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (Array.isArray(value) && typeof value[0] === 'string') return value;
  throw new Error('the transaction is not [DATABASE, OPERATION, ...]');
}

function schemaCommand(): Command {
  return withConnection(new Command('schema'))
    .description("the database's schema as JSON (RFC 7047 §3.2)")
    .argument('<target>', TARGET_HELP)
    .argument('[database]', 'name of the database', DEFAULT_DATABASE)
    .addHelpText(
      'after',
      `${EXIT_HELP}\n\nExamples:
  heddle ovsdb schema unix:/var/run/openvswitch/db.sock > vswitch.ovsschema
  heddle ovsdb schema tcp:127.0.0.1:6640 _Server`,
    )
    .action(async (target, database, flags: ConnectionFlags) =>
      withClient(target, flags, async (client, limits) => {
        await schemaOf(client, database, limits);
        write(jsonText(await client.request('get_schema', [database], limits)));
      }),
    );
}

/** `heddle ovsdb`: looks into an OVSDB server, with the output of Open vSwitch's ovsdb-client. */
export function ovsdbCommand(): Command {
  const command = new Command('ovsdb').description('looks into an OVSDB server, as ovsdb-client does');
  for (const each of [dumpCommand(), monitorCommand(), transactCommand(), schemaCommand()]) command.addCommand(each);
  return command;
}
