const fail = (what: string, text: string): never => {
  throw new RangeError(`"${text}" is not ${what}`);
};

/** `'10.0.0.1'` -> `0x0a000001`. Four decimal parts without leading zeros; anything else throws `RangeError`. */
export function parseIpv4(text: string): number {
  const parts = text.split('.');
  if (parts.length !== 4) return fail('an IPv4 address', text);
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return fail('an IPv4 address', text);
    value = value * 256 + Number(part);
  }
  return value;
}

/** `0x0a000001` -> `'10.0.0.1'`. */
export function formatIpv4(value: number): string {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) return fail('a 32-bit number', String(value));
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

function ipv6Groups(text: string, whole: string, last: boolean): number[] {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  parts.forEach((part, i) => {
    if (part.includes('.')) {
      // RFC 4291, 2.2 form 3: an IPv4 address may stand for the last two groups.
      if (!last || i !== parts.length - 1) fail('an IPv6 address', whole);
      const v4 = parseIpv4(part);
      groups.push(v4 >>> 16, v4 & 0xffff);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else fail('an IPv6 address', whole);
  });
  return groups;
}

/** `'fd00::1'` -> 128-bit value. Zones (`%eth0`) and prefixes are not addresses and throw `RangeError`. */
export function parseIpv6(text: string): bigint {
  const halves = text.split('::');
  if (halves.length > 2) return fail('an IPv6 address', text);
  const head = ipv6Groups(halves[0] ?? '', text, halves.length === 1);
  const tail = halves.length === 2 ? ipv6Groups(halves[1] ?? '', text, true) : [];
  const gap = 8 - head.length - tail.length;
  if (halves.length === 2 ? gap < 1 : gap !== 0) return fail('an IPv6 address', text);
  let value = 0n;
  for (const group of [...head, ...new Array<number>(gap).fill(0), ...tail]) value = (value << 16n) | BigInt(group);
  return value;
}

/** RFC 5952: lower case, the longest run of two or more zero groups as `::`, IPv4-mapped addresses with dots. */
export function formatIpv6(value: bigint): string {
  if (value < 0n || value >= 1n << 128n) return fail('a 128-bit number', String(value));
  if (value >> 32n === 0xffffn) return `::ffff:${formatIpv4(Number(value & 0xffffffffn))}`;
  const groups: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((value >> shift) & 0xffffn));
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (i + n < 8 && groups[i + n] === 0) n++;
    if (n > bestLength) [best, bestLength] = [i, n];
    if (n > 0) i += n;
  }
  const hex = (part: readonly number[]) => part.map((g) => g.toString(16)).join(':');
  return best < 0 ? hex(groups) : `${hex(groups.slice(0, best))}::${hex(groups.slice(best + bestLength))}`;
}

/** `'02:00:00:00:00:01'` -> 48-bit value. Six parts of one or two hex digits, separated by `:`. */
export function parseMac(text: string): bigint {
  if (!/^[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}$/.test(text)) return fail('a MAC address', text);
  return BigInt(
    `0x${text
      .split(':')
      .map((part) => part.padStart(2, '0'))
      .join('')}`,
  );
}

/** 48-bit value -> `'02:00:00:00:00:01'`. */
export function formatMac(value: bigint): string {
  if (value < 0n || value >= 1n << 48n) return fail('a 48-bit number', String(value));
  return value
    .toString(16)
    .padStart(12, '0')
    .replace(/(..)(?!$)/g, '$1:');
}
