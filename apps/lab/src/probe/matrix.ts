import type { PodRecord } from '../host/state.js';
import type { ProbeResult } from '../pod/protocol.js';
import { askPod } from './ask.js';
import { type Cluster, parseTargets, podsNamed } from './targets.js';

/** Who may connect to whom: rows are pods (or all pods of a Deployment), columns are targets as `parseTargets` reads them. */
export interface Expectation {
  readonly columns: readonly string[];
  readonly rows: readonly { readonly from: string; readonly cells: readonly ('yes' | 'no' | '-')[] }[];
}

/** A cell: every connection that belongs to it (each pod of the row, each pod and address of the column) went the same way, or not. */
export type Cell = 'yes' | 'no' | 'mixed' | '-';

export interface Matrix {
  readonly columns: readonly string[];
  readonly rows: readonly { readonly from: string; readonly cells: readonly Cell[] }[];
  readonly connections: number;
  readonly ms: number;
  /** A line for each connection of a mixed cell that went wrong, or for each that ended in an unexpected way. */
  readonly notes: readonly string[];
}

/**
 * Reads the table of a `reachability.txt`: the first line gives the columns, each other line a row: its name, then for each column `yes`,
 * `no`, or `-` for what is not tried. `#` begins a comment.
 * @throws Error with the line's number
 */
export function parseExpectation(text: string): Expectation {
  const lines = text
    .split('\n')
    .map((line, i) => ({ words: line.replace(/#.*/, '').trim().split(/\s+/), number: i + 1 }))
    .filter((l) => l.words[0] !== '');
  const [head, ...rest] = lines;
  if (head === undefined || rest.length === 0)
    throw new Error('no table in it: a line of columns and a line for each row are needed');
  const columns = head.words.slice(1);
  const rows = rest.map(({ words, number }) => {
    const [from = '', ...cells] = words;
    const known = cells.filter((c) => c === 'yes' || c === 'no' || c === '-');
    if (cells.length !== columns.length || known.length !== cells.length)
      throw new Error(`line ${number}: want a name and ${columns.length} times yes, no or -`);
    return { from, cells: known };
  });
  return { columns, rows };
}

/** The table to measure when no expectation is given: every set of pods against every set of pods with a TCP or UDP port, and every service. */
export function wholeTable(cluster: Cluster): Pick<Expectation, 'columns'> & { readonly from: readonly string[] } {
  const from = cluster.pods.map((p) => `${p.namespace}/${p.name}`).sort();
  const targets = cluster.podViews
    .filter((v) => from.includes(`${v.namespace}/${v.name}`) && !v.hostNetwork)
    .flatMap((v) => {
      const ports = v.containers.flatMap((c) => c.ports).filter((p) => p.protocol !== 'SCTP');
      const first =
        ports[0] ??
        (v.containers.some((c) => c.command.length === 0) ? { containerPort: 8080, protocol: 'TCP' } : undefined);
      return first === undefined
        ? []
        : [`${v.namespace}/${v.name}:${first.containerPort}/${first.protocol.toLowerCase()}`];
    });
  const services = cluster.services
    .filter((s) => s.clusterIps.length > 0)
    .flatMap((s) =>
      s.ports.slice(0, 1).map((p) => `svc/${s.namespace}/${s.name}:${p.port}/${p.protocol.toLowerCase()}`),
    );
  return { from, columns: [...targets.sort(), ...services.sort()] };
}

/** What has to get through may be late, even lost: TCP sends again after 1, 3 and 7 s. */
const PATIENCE_MS = 10_000;

/** Measures with real connections, all pods at the same time; `timeoutMs` is for those that need not get through. Pods without our pod program's socket cannot be asked and throw. */
export async function measure(
  cluster: Cluster,
  from: readonly string[],
  columns: readonly string[],
  timeoutMs: number,
  expected?: Expectation,
): Promise<Matrix> {
  const start = performance.now();
  const targets = columns.map((c) => parseTargets(cluster, c));
  const rows = await Promise.all(
    from.map(async (name, r) => {
      const tried = targets.map((list, c) => (expected?.rows[r]?.cells[c] === '-' ? [] : list));
      const timeout = (c: number) => (expected?.rows[r]?.cells[c] === 'yes' ? PATIENCE_MS : timeoutMs);
      const measured = await Promise.all(podsNamed(cluster.pods, name).map((pod) => measurePod(pod, tried, timeout)));
      return { from: name, perColumn: columns.map((_, c) => measured.flatMap((m) => m[c] ?? [])) };
    }),
  );
  const notes: string[] = [];
  const cells = rows.map((row) => ({
    from: row.from,
    cells: row.perColumn.map((results) => {
      const cell = summarize(results.map((r) => r.result));
      for (const r of results)
        if (cell === 'mixed' || r.result.outcome === 'error') notes.push(`${r.what}: ${outcomeText(r.result)}`);
      return cell;
    }),
  }));
  const connections = rows.reduce((n, r) => n + r.perColumn.reduce((m, c) => m + c.length, 0), 0);
  return { columns, rows: cells, connections, ms: Math.round(performance.now() - start), notes };
}

interface Measured {
  readonly what: string;
  readonly result: ProbeResult;
}

async function measurePod(
  pod: PodRecord,
  targets: readonly ReturnType<typeof parseTargets>[],
  timeoutMs: (column: number) => number,
): Promise<Measured[][]> {
  const flat = targets.flatMap((list, column) =>
    // A pod always reaches itself, whatever the policies say: that tells nothing about them.
    list
      .filter((t) => !t.addresses.some((a) => pod.ips.includes(a)))
      .flatMap((t) =>
        t.addresses.map((address) => ({
          ...{ column, address, port: t.port, protocol: t.protocol },
          timeoutMs: timeoutMs(column),
        })),
      ),
  );
  const name = `${pod.namespace}/${pod.name}`;
  const results = await askPod(name, pod.probeSocket, flat);
  const columns: Measured[][] = targets.map(() => []);
  results.forEach((result, i) => {
    const probe = flat[i];
    if (probe !== undefined)
      columns[probe.column]?.push({ what: `${name} -> ${probe.address} port ${probe.port}/${probe.protocol}`, result });
  });
  return columns;
}

function summarize(results: readonly ProbeResult[]): Cell {
  if (results.length === 0) return '-';
  const reached = results.filter((r) => r.outcome === 'ok').length;
  return reached === results.length ? 'yes' : reached === 0 ? 'no' : 'mixed';
}

function outcomeText(r: ProbeResult): string {
  return `${r.outcome} after ${r.ms} ms${r.pod === null ? '' : `, answered by ${r.pod}`}${r.detail === undefined ? '' : `: ${r.detail}`}`;
}

/** Cells that are not as expected, a sentence each. */
export function differences(expected: Expectation, measured: Matrix): string[] {
  return expected.rows.flatMap((row, r) =>
    row.cells.flatMap((want, c) => {
      const got = measured.rows[r]?.cells[c];
      return want === '-' || got === want
        ? []
        : [`${row.from} -> ${expected.columns[c]}: expected ${want}, measured ${got === '-' ? 'nothing' : got}`];
    }),
  );
}

/** The matrix as text; cells that are not as expected stand in `!!`. */
export function formatMatrix(matrix: Matrix, expected?: Expectation): string {
  // Column heads are long: numbers in the head, names in a list above it.
  const legend = matrix.columns.map((c, i) => `  ${String(i + 1).padStart(2)}  ${c}`);
  const width = Math.max('from \\ to'.length, ...matrix.rows.map((r) => r.from.length));
  const head = `${'from \\ to'.padEnd(width)}  ${matrix.columns.map((_, i) => String(i + 1).padStart(7)).join('')}`;
  const rows = matrix.rows.map((row, r) => {
    const cells = row.cells.map((cell, c) => {
      const want = expected?.rows[r]?.cells[c];
      const wrong = want !== undefined && want !== '-' && cell !== want;
      const text = cell === 'no' ? '.' : cell === '-' ? '' : cell;
      return (wrong ? `!${cell}!` : text).padStart(7);
    });
    return `${row.from.padEnd(width)}  ${cells.join('')}`;
  });
  return [...legend, '', head, ...rows].join('\n');
}
