import type { ActionOf, LearnSpec } from '../actions/types.js';
import { OpenFlowTextError } from '../errors.js';
import { FIELD_INFO } from '../fields/info.js';
import { fieldOfText, findSubfield, type Numbers, parseSubfield, parseTable, parseValue } from './parse-values.js';
import type { Piece } from './scan.js';

function loadSpec(p: Piece): LearnSpec {
  const [from, to] = p.cut('->') ?? p.fail(`"${p.text}" has no "->"`);
  const target = parseSubfield(to);
  const source = findSubfield(from);
  if (source !== undefined)
    return { kind: 'load', source: { ...source, bits: Math.min(source.bits, target.bits) }, target };
  return { kind: 'load', value: from.big(target.bits), target };
}

/** `eth_type=0x800`, `NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]`, or a field alone: the packet's own value of it. */
function matchSpec(p: Piece, numbers: Numbers): LearnSpec {
  const [key, value] = p.cut('=') ?? [p, undefined];
  const target = parseSubfield(key);
  if (value === undefined) return { kind: 'match', source: target, target };
  const info = FIELD_INFO[target.field];
  const whole = fieldOfText(key.text) !== undefined;
  if (whole) {
    try {
      const [v] = parseValue(info, value, numbers);
      return { kind: 'match', value: BigInt(v), target };
    } catch (error) {
      // Not a value: it may be a field. Ports have names, so this order is Open vSwitch's.
      if (!(error instanceof OpenFlowTextError)) throw error;
    }
  }
  const source = findSubfield(value);
  if (source !== undefined) {
    if (source.bits !== target.bits) p.fail(`${source.bits} bits into ${target.bits}`);
    return { kind: 'match', source, target };
  }
  return { kind: 'match', value: value.big(target.bits), target };
}

/** What stands inside `learn(...)`. */
export function parseLearn(p: Piece, numbers: Numbers): ActionOf<'learn'> {
  const a: { -readonly [K in keyof ActionOf<'learn'>]: ActionOf<'learn'>[K] } = {
    kind: 'learn',
    table: 1,
    priority: 0x8000,
    cookie: 0n,
    idleTimeout: 0,
    hardTimeout: 0,
    finIdleTimeout: 0,
    finHardTimeout: 0,
    specs: [],
  };
  const specs: LearnSpec[] = [];
  for (const part of p.split()) {
    const { name, arg } = part.call();
    const value = (): Piece => arg ?? part.fail(`${name} has no value`);
    if (name === 'table') a.table = parseTable(value(), numbers);
    else if (name === 'priority') a.priority = value().number(16);
    else if (name === 'cookie') a.cookie = value().big(64);
    else if (name === 'idle_timeout') a.idleTimeout = value().number(16);
    else if (name === 'hard_timeout') a.hardTimeout = value().number(16);
    else if (name === 'fin_idle_timeout') a.finIdleTimeout = value().number(16);
    else if (name === 'fin_hard_timeout') a.finHardTimeout = value().number(16);
    else if (name === 'send_flow_rem') a.sendFlowRemoved = true;
    else if (name === 'delete_learned') a.deleteLearned = true;
    else if (name === 'limit') a.limit = value().number(32);
    else if (name === 'result_dst') a.result = parseSubfield(value());
    else if (name === 'load') specs.push(loadSpec(value()));
    else if (name === 'output') specs.push({ kind: 'output', source: parseSubfield(value()) });
    else specs.push(matchSpec(part, numbers));
  }
  a.specs = specs;
  return a;
}
