import {
  ByteWriter,
  type FlowMod,
  type FlowStats,
  type FlowStatsFilter,
  flowBody,
  flowKey,
  flowMod,
  flowStatsRequest,
  type Version,
  writeMessage,
} from '../codec/index.js';
import type { ApplyResult } from './bundle.js';
import type { WaitOptions } from './deadline.js';
import { decodeFlow, MULTIPART_HEADER } from './one-flow.js';
import type { OpenFlowSession } from './session.js';

/** What `reconcile` found and did. */
export interface ReconcileResult {
  /** Of the bundle with the differences; committed also where there were none. */
  readonly result: ApplyResult;
  /** What was sent, in its order: the index in an error of `result` counts in it. */
  readonly mods: readonly FlowMod[];
  /** Flows of the switch that were as wanted. */
  readonly same: number;
  readonly added: number;
  /** Same table, priority and match, but other actions, cookie, timeouts or flags. */
  readonly changed: number;
  readonly removed: number;
}

/** Which flows of the switch are ours to change. */
export interface ReconcileOptions extends WaitOptions {
  /** Default: all flows. What does not match it is neither compared nor removed. */
  readonly filter?: Partial<FlowStatsFilter>;
}

// The parts of a flow mod and of a flow's statistics that say the same. Offsets count from the beginning of each.
//   flow mod: header 8; u64 cookie, cookie_mask; u8 table, command; u16 idle, hard, priority; u32 buffer, port, group; u16 flags, importance; match; instructions
//   1.3, 1.4: u16 length; u8 table, pad; u32 sec, nsec; u16 priority, idle, hard, flags, importance; pad[2]; u64 cookie, packets, bytes; match; instructions
//   1.5:      u16 length; pad[2]; u8 table, pad; u16 priority, idle, hard, flags, importance; u64 cookie; match; stats; instructions
interface Layout {
  readonly cookie: number;
  readonly table: number;
  readonly idle: number;
  readonly hard: number;
  readonly priority: number;
  readonly flags: number;
  readonly match: number;
  /** A list with a length of its own stands between match and instructions. */
  readonly stats: boolean;
}
const MOD: Layout = { cookie: 8, table: 24, idle: 26, hard: 28, priority: 30, flags: 44, match: 48, stats: false };
const STATS: Layout = { cookie: 24, table: 2, idle: 14, hard: 16, priority: 12, flags: 18, match: 48, stats: false };
const STATS_15: Layout = { cookie: 16, table: 4, idle: 8, hard: 10, priority: 6, flags: 12, match: 24, stats: true };
/** send_flow_rem, no_pkt_counts, no_byt_counts: the others are orders, not properties. */
const KEPT_FLAGS = 0x19;

const MAX_SORTED = 64;
const HEADERS = new Float64Array(MAX_SORTED);
const STARTS = new Uint32Array(MAX_SORTED);
const SCRATCH = Buffer.alloc(65536);

/** Flows in a buffer, read where they stand. */
class FlowBytes {
  readonly #buffer: Buffer;
  readonly #view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    private readonly layout: Layout,
  ) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes of the list at `at`, whose length stands in its second half-word, with padding. */
  #padded(at: number): number {
    return (this.#view.getUint16(at + 2) + 7) & ~7;
  }
  #text(from: number, to: number): string {
    return this.#buffer.toString('latin1', from, to);
  }
  /** Table, priority and match, as a text with a byte a character: those are hashed fastest. A switch gives OXMs back in an order of its own, so they are put in one: by their headers. */
  key(at: number): string {
    const { table, priority, match } = this.layout;
    const start = at + match;
    const end = start + this.#view.getUint16(start + 2);
    const head = (this.#view.getUint8(at + table) << 16) | this.#view.getUint16(at + priority);
    let count = 0;
    for (let from = start + 4; from + 4 <= end && count < MAX_SORTED; count++) {
      const header = this.#view.getUint32(from);
      let place = count;
      for (; place > 0 && (HEADERS[place - 1] as number) > header; place--) {
        HEADERS[place] = HEADERS[place - 1] as number;
        STARTS[place] = STARTS[place - 1] as number;
      }
      HEADERS[place] = header;
      STARTS[place] = from;
      from += 4 + (header & 0xff);
    }
    let length = 0;
    for (let i = 0; i < count; i++) {
      const from = STARTS[i] as number;
      const to = Math.min(from + 4 + ((HEADERS[i] as number) & 0xff), end);
      for (let j = from; j < to; j++) SCRATCH[length++] = this.bytes[j] as number;
    }
    // More than can be sorted: nobody's match; the rest stands as it came.
    if (count === MAX_SORTED) return `${head}/${this.#text(start, end)}`;
    return `${head}/${SCRATCH.toString('latin1', 0, length)}`;
  }
  /** Where the instructions of the flow at `at` begin, which ends at `end`. */
  #instructions(at: number, end: number): number {
    const { match, stats } = this.layout;
    const from = at + match + this.#padded(at + match);
    return stats && from + 4 <= end ? from + this.#padded(from) : from;
  }
  /** Whether cookie, timeouts, flags and instructions of two flows are the same. */
  sameBody(at: number, end: number, other: FlowBytes, otherAt: number, otherEnd: number): boolean {
    const [a, b, va, vb] = [this.layout, other.layout, this.#view, other.#view];
    if (va.getUint32(at + a.cookie) !== vb.getUint32(otherAt + b.cookie)) return false;
    if (va.getUint32(at + a.cookie + 4) !== vb.getUint32(otherAt + b.cookie + 4)) return false;
    if (va.getUint16(at + a.idle) !== vb.getUint16(otherAt + b.idle)) return false;
    if (va.getUint16(at + a.hard) !== vb.getUint16(otherAt + b.hard)) return false;
    if (((va.getUint16(at + a.flags) ^ vb.getUint16(otherAt + b.flags)) & KEPT_FLAGS) !== 0) return false;
    const from = this.#instructions(at, end);
    const shift = other.#instructions(otherAt, otherEnd) - from;
    if (end + shift !== otherEnd) return false;
    const [left, right] = [this.bytes, other.bytes];
    for (let i = from; i < end; i++) if (left[i] !== right[i + shift]) return false;
    return true;
  }
}

interface Wanted {
  readonly mod: FlowMod;
  readonly bytes: FlowBytes;
  readonly at: number;
  readonly end: number;
  seen: boolean;
}

/** The wanted flows by the bytes that a switch would give back if it normalised nothing. */
function indexWanted(wanted: readonly FlowMod[], version: Version): Map<string, Wanted> {
  const w = new ByteWriter(1 << 20);
  const map = new Map<string, Wanted>();
  for (let from = 0; from < wanted.length; ) {
    const starts: number[] = [];
    const first = from;
    for (; from < wanted.length && w.length < 1 << 20; from++) {
      starts.push(w.length);
      writeMessage(w, wanted[from] as FlowMod, { version, xid: 0 });
    }
    const reader = new FlowBytes(w.copy(), MOD);
    starts.forEach((start, i) => {
      const end = starts[i + 1] ?? reader.bytes.length;
      const mod = wanted[first + i] as FlowMod;
      map.set(reader.key(start), { mod, bytes: reader, at: start, end, seen: false });
    });
    w.truncate(0);
  }
  return map;
}

/** Compares what is left over once all that is the same byte for byte is gone, in normal form; the result is what to send. */
function compareRest(missing: readonly FlowMod[], left: readonly FlowStats[]) {
  const present = new Map(left.map((flow) => [flowKey(flow), flow]));
  const puts: FlowMod[] = [];
  let same = 0;
  let changed = 0;
  for (const mod of missing) {
    const key = flowKey(mod);
    const flow = present.get(key);
    present.delete(key);
    if (flow !== undefined && flowBody(flow) === flowBody(mod)) {
      same++;
      continue;
    }
    if (flow !== undefined) changed++;
    puts.push(mod);
  }
  const removals = [...present.values()].map(({ tableId, priority, match }) =>
    flowMod({ command: 'delete_strict', tableId, priority, match }),
  );
  // Deleting last: what is replaced by something wider is never without either, also where a bundle is not atomic.
  return { mods: [...puts, ...removals], same, changed, added: puts.length - changed, removed: removals.length };
}

/**
 * Reads the flows back, compares them with what is wanted, and applies the differences as one bundle.
 *
 * Flows are compared by their bytes first, which costs about as much as reading them; only what differs is decoded and
 * compared in normal form. Two wanted flows of the same table, priority and match: the last one counts.
 * @throws OpenFlowEncodeError for a wanted flow that the session's version cannot say; else as `multipart` and `apply`
 */
export async function reconcileFlows(
  session: OpenFlowSession,
  wanted: readonly FlowMod[],
  options: ReconcileOptions = {},
): Promise<ReconcileResult> {
  const parts: Uint8Array[] = [];
  // Asked first: the switch collects its flows while ours are encoded.
  const read = session.multipartParts(flowStatsRequest(options.filter), (part) => parts.push(part), options);
  read.catch(() => undefined);
  const index = indexWanted(wanted, session.version);
  await read;

  const layout = session.version === 'OF1.5' ? STATS_15 : STATS;
  const left: FlowStats[] = [];
  let same = 0;
  for (const part of parts) {
    const reader = new FlowBytes(part, layout);
    for (let at = MULTIPART_HEADER; at < part.length; ) {
      const end = at + (((part[at] as number) << 8) | (part[at + 1] as number));
      // What cannot be cut is told by the decoder, with its place.
      const fits = end >= at + layout.match + 8 && end <= part.length;
      const entry = fits ? index.get(reader.key(at)) : undefined;
      const is = entry !== undefined && !entry.seen && reader.sameBody(at, end, entry.bytes, entry.at, entry.end);
      if (entry !== undefined && is) {
        entry.seen = true;
        same++;
      } else left.push(decodeFlow(part, at, fits ? end : part.length));
      at = fits ? end : part.length;
    }
  }
  const missing: FlowMod[] = [];
  for (const entry of index.values()) if (!entry.seen) missing.push(entry.mod);
  const rest = compareRest(missing, left);
  const result = await session.apply(rest.mods, options);
  return { ...rest, result, same: same + rest.same };
}
