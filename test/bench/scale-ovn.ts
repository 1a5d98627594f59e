import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/** Looked for beside the checkout, where it is not part of it. */
const BASELINE = resolve(import.meta.dirname, '../../../shared/bench/ovn_baseline.py');

type Figures = Readonly<Record<string, unknown>>;
const number = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : ((value as { readonly p50?: number } | undefined)?.p50 ?? undefined);

/** What is compared: how many times more OVN needs. */
const COMPARED = [
  'policy_add_ms',
  'peer_add_ms',
  'endpoint_change_ms',
  'pod_add_ms',
  'cold_pods_s',
  'cold_services_s',
  'cold_policies_s',
  'flows_per_node',
] as const;

/** Lets OVN do the same work on the same machine, right afterwards, and puts its figures and the ratios beside ours. */
export function besideOvn(ours: object, sizes: Readonly<Record<string, number>>): object {
  if (!existsSync(BASELINE) || !existsSync('/usr/bin/ovn-northd'))
    return { ...ours, ovn: 'skipped: no baseline script, or ovn-central and ovn-host are not installed' };
  const options = Object.entries(sizes).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const text = execFileSync('python3', [BASELINE, ...options], { encoding: 'utf8', timeout: 600_000 });
  const ovn = JSON.parse(text.slice(text.indexOf('{'))) as Figures;
  const ratios = COMPARED.flatMap((key) => {
    const [we, they] = [number((ours as Figures)[key]), number(ovn[key])];
    return we === undefined || they === undefined ? [] : [[key, Math.round((they / we) * 10) / 10]];
  });
  return { ...ours, ovn, ovn_divided_by_ours: Object.fromEntries(ratios) };
}
