import { PODS, type PodName } from './cluster.js';

/** Pairs `FROM > TO` that a table of who reaches whom lets through. @throws Error if the table is not nine by nine. */
export function parseReach(text: string): ReadonlySet<string> {
  const lines = text
    .split('\n')
    .map((l) => l.trim())
    .filter((l) => l !== '');
  const [namespaces, names, ...rows] = lines;
  const bad = (why: string) => new Error(`${why} in\n${text}`);
  if (namespaces !== 'xxx yyy zzz' || names !== 'abc abc abc') throw bad('the head is wrong');
  const through = new Set<string>();
  if (rows.length !== PODS.length) throw bad(`${rows.length} rows`);
  rows.forEach((row, i) => {
    const [from, ...cells] = row.split(' ');
    const marks = cells.join('');
    if (from !== PODS[i] || !/^[o.]{9}$/.test(marks)) throw bad(`row ${i + 1} is wrong`);
    PODS.forEach((to, k) => {
      if (marks[k] === 'o') through.add(`${from} > ${to}`);
    });
  });
  return through;
}

/** The table that `through` makes, in the form that `parseReach` takes. */
export function formatReach(through: (from: PodName, to: PodName) => boolean): string {
  const rows = PODS.map((from) => {
    const marks = PODS.map((to) => (through(from, to) ? 'o' : '.')).join('');
    return `${from} ${marks.slice(0, 3)} ${marks.slice(3, 6)} ${marks.slice(6)}`;
  });
  return ['    xxx yyy zzz', '    abc abc abc', ...rows].join('\n');
}
