import { connectOpenFlow, encodeShared, flowMod, type Mod, type OpenFlowSession } from 'openflow-ts';
import type { TestSwitch } from '../support/ovs.js';

/** Neither in a table nor with a cookie of ours: nobody takes these flows for drift. */
const TABLE = 200;

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN;

export interface SwitchAlone {
  /** Flow mods encoded by the controller's way, of one bundle. */
  readonly encode: number;
  /** From the first byte of one bundle to its commit's reply, one switch, nothing else at work. */
  readonly oneSwitch: number;
  /** The same on as many switches at once as the change needs, encoded before. */
  readonly allSwitches: number;
}

/**
 * What a change of this size costs without a controller: `mods` flow mods in one bundle on each of the switches, medians of
 * `rounds` in milliseconds. All of it is the switches' work and the scheduling of their processes.
 */
export async function switchAlone(switches: readonly TestSwitch[], mods: number, rounds: number): Promise<SwitchAlone> {
  const sessions = await Promise.all(switches.map((s) => connectOpenFlow({ target: s.openflow })));
  const list = (command: 'add' | 'delete_strict', round: number): Mod[] =>
    Array.from({ length: mods }, (_, i) =>
      flowMod({
        command,
        tableId: TABLE,
        priority: 100,
        match: { eth_type: 0x0800, nw_proto: 6, ip_src: round * 4096 + i, tcp_dst: 80 },
        instructions: [],
      }),
    );
  const timed = async (work: () => Promise<unknown> | unknown): Promise<number> => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  const apply = async (to: readonly OpenFlowSession[], given: readonly Mod[]) => {
    const version = to[0]?.version ?? 'OF1.5';
    const shared = encodeShared(given, [version]);
    const took = await timed(() => Promise.all(to.map((session) => session.apply(shared))));
    return took;
  };
  const encode: number[] = [];
  const one: number[] = [];
  const all: number[] = [];
  for (let round = 0; round < rounds; round++) {
    encode.push(await timed(() => void encodeShared(list('add', round), [sessions[0]?.version ?? 'OF1.5'])));
    one.push(await apply(sessions.slice(0, 1), list('add', round)));
    await apply(sessions.slice(0, 1), list('delete_strict', round));
    all.push(await apply(sessions, list('add', round)));
    await apply(sessions, list('delete_strict', round));
  }
  for (const session of sessions) session.close();
  return { encode: median(encode), oneSwitch: median(one), allSwitches: median(all) };
}
