import { type FlowMod, flowMod } from 'openflow-ts/codec';

/** A flow mod of one of five shapes, as a pipeline has them: registers, conjunction, commit with marks, nat, rewriting. */
export function flowOf(n: number, cookie = 0x5a00_0000_0000_0000n): FlowMod {
  const ip = (0x0a00_0000 + n) >>> 0;
  const head = { tableId: 10 + (n % 5), priority: 100 + (n % 7), cookie: cookie + BigInt(n) };
  const apply = (actions: NonNullable<Parameters<typeof flowMod>[0]['instructions']>[number]) =>
    flowMod({ ...head, match: MATCHES[n % 5]?.(n, ip) ?? {}, instructions: [actions] });
  switch (n % 5) {
    case 0:
      return apply({
        kind: 'apply_actions',
        actions: [
          { kind: 'load', target: { field: 'reg0', offset: 0, bits: 4 }, value: 3 },
          { kind: 'load', target: { field: 'reg1', offset: 0, bits: 32 }, value: n },
          { kind: 'resubmit', table: 20 },
        ],
      });
    case 1:
      return apply({
        kind: 'apply_actions',
        actions: [{ kind: 'conjunction', id: n, clause: 1, of: 2 }],
      });
    case 2:
      return apply({
        kind: 'apply_actions',
        actions: [
          {
            kind: 'ct',
            commit: true,
            zone: 10,
            table: 30,
            exec: [{ kind: 'load', target: { field: 'ct_mark', offset: 0, bits: 32 }, value: 0x10 }],
          },
        ],
      });
    case 3:
      return apply({
        kind: 'apply_actions',
        actions: [
          {
            kind: 'ct',
            commit: true,
            zone: 11,
            table: 31,
            nat: { type: 'dst', ip: { min: { family: 4, value: ip } }, port: { min: 8080 } },
          },
        ],
      });
    default:
      return apply({
        kind: 'apply_actions',
        actions: [
          { kind: 'set_field', field: 'eth_src', value: 0x0a_00_00_00_00_01n },
          { kind: 'set_field', field: 'eth_dst', value: 0x0a_00_00_00_00_02n + BigInt(n) },
          { kind: 'dec_ttl' },
          { kind: 'output', port: 1 + (n % 200) },
        ],
      });
  }
}

const MATCHES: readonly ((n: number, ip: number) => FlowMod['match'])[] = [
  (_, ip) => ({ reg0: [0, 0xf], eth_type: 0x0800, ip_dst: ip }),
  (n, ip) => ({ eth_type: 0x0800, nw_proto: 6, ip_src: [(ip * 2) >>> 0, 0xfffffffe], tcp_dst: n % 65536 }),
  (_, ip) => ({ ct_state: [0x21, 0x21], eth_type: 0x0800, ip_dst: ip }),
  (_, ip) => ({ ct_state: [0x21, 0x21], eth_type: 0x0800, nw_proto: 6, ip_dst: ip, tcp_dst: 80 }),
  (n, ip) => ({ in_port: 1 + (n % 50), eth_type: 0x0800, ip_dst: ip }),
];

/** `count` distinct flows. */
export const benchFlows = (count: number, cookie?: bigint): FlowMod[] =>
  Array.from({ length: count }, (_, n) => flowOf(n, cookie));
