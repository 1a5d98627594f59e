import { OpenFlowTextError } from '../errors.js';

/** A piece of the text that is being read, and where it stands in it: errors point into the whole. */
export class Piece {
  constructor(
    readonly text: string,
    private readonly whole: string = text,
    private readonly at: number = 0,
  ) {}

  fail(reason: string): never {
    throw new OpenFlowTextError(this.whole, this.at, reason);
  }
  /** Part of this piece, without white space around it. */
  slice(from: number, to: number = this.text.length): Piece {
    let a = from;
    let b = to;
    while (a < b && /\s/.test(this.text[a] as string)) a++;
    while (b > a && /\s/.test(this.text[b - 1] as string)) b--;
    return new Piece(this.text.slice(a, b), this.whole, this.at + a);
  }

  /** Parts between commas and white space that stand in no parentheses, brackets or quotes. */
  split(separators = /[\s,]/): Piece[] {
    const parts: Piece[] = [];
    let depth = 0;
    let quote = false;
    let start = 0;
    for (let i = 0; i <= this.text.length; i++) {
      const c = this.text[i];
      if (c === '"') quote = !quote;
      if (!quote && (c === '(' || c === '[')) depth++;
      if (!quote && (c === ')' || c === ']') && --depth < 0) this.slice(i).fail('a parenthesis too many');
      if (c === undefined || (depth === 0 && !quote && separators.test(c))) {
        if (i > start) {
          const part = this.slice(start, i);
          if (part.text !== '') parts.push(part);
        }
        start = i + 1;
      }
    }
    if (depth !== 0 || quote) this.fail('a parenthesis or quote is not closed');
    return parts;
  }

  /** Everything before and after the first `separator`; undefined without one. */
  cut(separator: string): readonly [Piece, Piece] | undefined {
    const i = this.text.indexOf(separator);
    return i < 0 ? undefined : [this.slice(0, i), this.slice(i + separator.length)];
  }

  /** `name`, `name=arg`, `name:arg`, `name(arg)` and `name(arg)->target`. */
  call(): { readonly name: string; readonly arg: Piece | undefined; readonly target: Piece | undefined } {
    const m = /^[^=:(]*/.exec(this.text) as RegExpExecArray;
    const name = m[0].trim();
    const end = m[0].length;
    const c = this.text[end];
    if (c === undefined) return { name, arg: undefined, target: undefined };
    if (c !== '(') return { name, arg: this.slice(end + 1), target: undefined };
    let depth = 0;
    for (let i = end; i < this.text.length; i++) {
      if (this.text[i] === '(') depth++;
      if (this.text[i] !== ')' || --depth > 0) continue;
      const rest = this.slice(i + 1);
      if (rest.text !== '' && !rest.text.startsWith('->')) rest.fail('nothing may follow the parenthesis');
      return { name, arg: this.slice(end + 1, i), target: rest.text === '' ? undefined : rest.slice(2) };
    }
    return this.fail('a parenthesis is not closed');
  }

  /** An unsigned number, decimal or with 0x, of at most `bits` bits. */
  big(bits: number): bigint {
    if (!/^(0x[0-9a-f]+|[0-9]+)$/i.test(this.text)) this.fail(`"${this.text}" is not a number`);
    const value = BigInt(this.text);
    if (value >> BigInt(bits) !== 0n) this.fail(`${this.text} does not fit ${bits} bits`);
    return value;
  }
  number(bits: number): number {
    return Number(this.big(bits));
  }
  /** The text without quotes. */
  name(): string {
    return this.text.startsWith('"') && this.text.endsWith('"') && this.text.length >= 2
      ? this.text.slice(1, -1)
      : this.text;
  }
}
