import type { Entry, Index, RootOutput } from './steps.js';

/** What a root was evaluated to: its entries stay here, its flows are with whoever hears of fragments. */
export interface Published {
  /** Index, key, member; index, key, member ... : a third of the memory of what the root gave. */
  readonly entries: readonly (Index | string)[];
  readonly hasFragment: boolean;
}
const NOTHING_IN: Published = { entries: [], hasFragment: false };
const FLOWS_ONLY: Published = { entries: [], hasFragment: true };

export const NO_ENTRIES: readonly Entry[] = [];
export function published(output: RootOutput | undefined): Published {
  const hasFragment = output?.fragment !== undefined;
  if (output?.entries === undefined || output.entries.length === 0) return hasFragment ? FLOWS_ONLY : NOTHING_IN;
  return { entries: output.entries.flat(), hasFragment };
}

export function unpacked(before: Published | undefined): readonly Entry[] {
  if (before === undefined || before.entries.length === 0) return NO_ENTRIES;
  const out: Entry[] = [];
  for (let i = 0; i < before.entries.length; i += 3)
    out.push([before.entries[i] as Index, before.entries[i + 1] as string, before.entries[i + 2] as string]);
  return out;
}
