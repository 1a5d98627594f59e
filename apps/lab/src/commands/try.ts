import type { LabPaths } from '../host/paths.js';
import type { Cell, Matrix } from '../probe/matrix.js';
import { type Cluster, podsNamed } from '../probe/targets.js';

/** A few commands that show something in this very lab: a denied and an allowed connection explained, and the flows behind a policy. */
export function whatToTry(paths: LabPaths, cluster: Cluster, matrix: Matrix | undefined): string[] {
  const prefix = paths.name === '' ? '' : `HEDDLE_CONTROLLER_URL=unix:${paths.apiSocket} `;
  const commands = [
    explain(cluster, matrix, 'no', false),
    explain(cluster, matrix, 'yes', true) ?? explain(cluster, matrix, 'yes', false),
    `bin/heddle flows ${cluster.pods[0]?.node ?? 'node1'} --table IngressPolicy`,
  ].filter((c) => c !== undefined);
  const spare = ['bin/heddle pods', 'bin/heddle status --wait'];
  return ['\nTry:', ...[...commands, ...spare].slice(0, 3).map((c) => `  ${prefix}${c}`)];
}

/** `heddle explain` for the last such cell of the matrix: the tables that people write begin with the plain cases. */
function explain(cluster: Cluster, matrix: Matrix | undefined, cell: Cell, service: boolean): string | undefined {
  const found = matrix?.rows
    .flatMap((row) => row.cells.map((value, c) => ({ from: row.from, to: matrix.columns[c] ?? '', value })))
    .filter(
      (f) => f.value === cell && f.to.startsWith('svc/') === service && f.from !== f.to.replace(/^svc\/|:.*/g, ''),
    );
  const shown = cell === 'no' ? found?.find((f) => f.to.endsWith('/tcp')) : found?.at(-1);
  const target = /^(.*):(\d+)(?:\/([a-z]+))?$/.exec(shown?.to ?? '');
  if (shown === undefined || target === null) return undefined;
  const [, name = '', port, protocol = 'tcp'] = target;
  const pod = (text: string) => podsNamed(cluster.pods, text)[0];
  const source = pod(shown.from);
  const to = service ? name : `${pod(name)?.namespace}/${pod(name)?.name}`;
  return `bin/heddle explain ${source?.namespace}/${source?.name} ${to} ${protocol}/${port}`;
}
