// Messages to begin with, and changes to them. No chance but the seed's: a run can be repeated.

/** A generator of 32-bit numbers (mulberry32). */
export function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from((hex.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)));

// One of each structure that holds others; versions and types are changed by mutation.
const SEEDS = [
  // hello with a bitmap; error with a message inside
  '040000100000000100010008000000f0',
  '0401001c00000001000100050404001000000002000023200000001c',
  // flow mod: masked match, ct with nat and exec, learn, write_actions, goto
  '050e00d800000001000000000000000000000000000000000500000000000064ffffffffffffffffffffffff00000000000100268000000400000001' +
    '80000a020800800019080a000000ff0000000001d308000000210000002100000004007000000000ffff0068000023200023000300000000000aff00' +
    '00000000ffff00180000232000240000000100010a000001000000000019001000000000d6040000000500000000ffff002000002320001000000000' +
    '006400000000000000000000020000000000000000000000000100080600000000000000',
  // controller2, clone, multipath, bundle, note, sample, encap
  '040e0098000000010000000000000000000000000000000000000000000080000ffffffffffffffffffffffff0000000000010004000000000000',
  // group mods
  '050f003000000001000001000000000100200001ffffffffffffffff0000000000000010000000010000000000000000',
  '060f0060000000010000010000000001003000000000000000280010000000000000001000000001ffff00000000000000000008006400000001000800000001' +
    'ffff002800002320000000010000000068617368000000000000000000000000',
  // meter mod
  '041d003000000001000000030000000500010010000003e80000006400000000000200100000000a000000010100000000000000',
  // packet-in, packet-out, packet-in2
  '040a002c00000001ffffffff00000000000000000000000000010010800000040000000100000000000000000000',
  '040d003000000001fffffffffffffffd001000000000000000000010000000010000000000000000ffffffffffff00000000',
  '0404003800000001000023200000001e00000008aabbccdd0003000501000000000500050100000000060008800000040000000100000000',
  // bundles
  '0521001000000001000000010000000305220018000000010000000100000003050000080000000105',
  '0522001800000001000000010000000305140008000000010000000000000000',
  // multipart replies: flow, group desc, port desc, table features, queue desc, flow monitor, port
  '041300500000000100010000000000000040000000000001000000000080000000000000000000000000000000000000000000000000000000000000' +
    '00010004000000000001000801000000',
  '061300380000000100070000000000000028010000000001001000000000000000100000000000000010000000010000',
  '05130058000000010000000d00000000000000030048000050540000000100006574683000000000000000000000000000000000000000000000002000' +
    '000000000020080000280f0000280f00000000000186a0000186a0',
  '041300700000000100000000000c0000006000000000000074000000000000000000000000000000000000000000000000000000000000000000000000' +
    '0000000000000000000000000000000000000a0000000c000100040004000400000000000200050100000000040008000000000008000880000004',
  '05130040000000010010000000000000002800020005000000008000000000000000000000000001000100040000000000080004000186a000080005',
  '041300380000000100ffff00000000004f4e46000000074e0028000000000001000000000004010000000000000000010001000400000000',
  // TLV table, ct flush
  '0404002000000001000023200000001800000000000000000102800400000000',
  '0404005000000001000023200000002006000000000000000000002c000000000000001400000000000000000000ffff0a000001000000000002000800' +
    '50000000030008005100000002000800050000',
];

/** Fixes the length in the header, which would otherwise stop nearly every change at the door. */
function withLength(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= 4) {
    bytes[2] = bytes.length >>> 8;
    bytes[3] = bytes.length;
  }
  return bytes;
}
export const seeds = (): Uint8Array[] => SEEDS.map((hex) => withLength(bytesOf(hex)));

const EDGES = [0, 1, 2, 3, 4, 7, 8, 0x0f, 0x10, 0x18, 0x20, 0x7f, 0x80, 0xfe, 0xff];
const MOST = 4096;

/** Another message: some of one, changed in a few places, perhaps with a piece of another in it. */
export function mutate(pool: readonly Uint8Array[], random: (below: number) => number): Uint8Array {
  let bytes = Uint8Array.from(pool[random(pool.length)] as Uint8Array);
  const changes = 1 + random(6);
  for (let i = 0; i < changes && bytes.length > 8; i++) {
    const at = random(bytes.length);
    switch (random(8)) {
      case 0:
        bytes[at] = random(256);
        break;
      case 1:
        bytes[at] = EDGES[random(EDGES.length)] as number;
        break;
      case 2:
        bytes[at] = (bytes[at] as number) ^ (1 << random(8));
        break;
      case 3: {
        // A length, nudged.
        const even = at & ~1;
        const n = ((((bytes[even] as number) << 8) | (bytes[even + 1] ?? 0)) + random(17) - 8) & 0xffff;
        bytes[even] = n >>> 8;
        if (even + 1 < bytes.length) bytes[even + 1] = n;
        break;
      }
      case 4:
        bytes = bytes.slice(0, 8 + random(bytes.length - 8));
        break;
      case 5: {
        const other = pool[random(pool.length)] as Uint8Array;
        const from = random(other.length) & ~3;
        const piece = other.subarray(from, from + 4 * (1 + random(16)));
        const to = at & ~3;
        const joined = new Uint8Array(Math.min(MOST, bytes.length + piece.length));
        joined.set(bytes.subarray(0, Math.min(to, joined.length)));
        joined.set(piece.subarray(0, Math.max(0, joined.length - to)), Math.min(to, joined.length));
        const rest = bytes.subarray(to, Math.max(to, joined.length - piece.length));
        if (to + piece.length < joined.length) joined.set(rest, to + piece.length);
        bytes = joined;
        break;
      }
      case 6:
        bytes[0] = 4 + random(3);
        break;
      default:
        bytes[1] = random(36);
    }
  }
  return random(50) === 0 ? bytes : withLength(bytes);
}
