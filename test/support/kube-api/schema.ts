import { cause } from './errors.ts';
import { type Cause, isObject, type Json, sameJson } from './types.ts';

/** The part of a structural schema (OpenAPI v3) that is checked. CEL rules (x-kubernetes-validations) are not evaluated. */
export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly enum?: readonly Json[];
  readonly default?: Json;
  readonly nullable?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly not?: Schema;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
}

const at = (path: string, member: string) => (path === '' ? member : `${path}.${member}`);

/** The object with defaults filled in and without the members that no schema names. `root` keeps apiVersion, kind, metadata. */
export function applySchema(value: Json, schema: Schema, root = false): Json {
  if (Array.isArray(value))
    return schema.items === undefined ? value : value.map((v) => applySchema(v, schema.items as Schema));
  if (!isObject(value)) return value;
  const result: Record<string, Json> = {};
  const keep = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const embedded = root || schema['x-kubernetes-embedded-resource'] === true;
  for (const [key, member] of Object.entries(value)) {
    const inner = schema.properties?.[key];
    if (embedded && (key === 'apiVersion' || key === 'kind' || key === 'metadata')) result[key] = member;
    // A null where null is not allowed and a default exists becomes the default below.
    else if (inner !== undefined) {
      if (member === null && inner.nullable !== true && inner.default !== undefined) continue;
      result[key] = applySchema(member, inner);
    } else if (isObject(schema.additionalProperties))
      result[key] = applySchema(member, schema.additionalProperties as Schema);
    else if (keep || schema.additionalProperties === true) result[key] = member;
  }
  for (const [key, inner] of Object.entries(schema.properties ?? {}))
    if (result[key] === undefined && inner.default !== undefined)
      result[key] = applySchema(structuredClone(inner.default), inner);
  return result;
}

/** Members of the object that its schema does not know, as dotted paths. */
export function unknownMembers(value: Json, schema: Schema, path = '', root = true): string[] {
  if (Array.isArray(value))
    return value.flatMap((v, i) =>
      schema.items === undefined ? [] : unknownMembers(v, schema.items, `${path}[${i}]`, false),
    );
  if (
    !isObject(value) ||
    schema['x-kubernetes-preserve-unknown-fields'] === true ||
    schema.additionalProperties === true
  )
    return [];
  const embedded = root || schema['x-kubernetes-embedded-resource'] === true;
  return Object.entries(value).flatMap(([key, member]) => {
    if (embedded && (key === 'apiVersion' || key === 'kind' || key === 'metadata')) return [];
    const inner =
      schema.properties?.[key] ??
      (isObject(schema.additionalProperties) ? (schema.additionalProperties as Schema) : undefined);
    return inner === undefined ? [at(path, key)] : unknownMembers(member, inner, at(path, key), false);
  });
}

const typeOf = (value: Json): string => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
};

const FORMATS: Readonly<Record<string, RegExp>> = {
  'date-time': /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/,
  date: /^\d{4}-\d\d-\d\d$/,
  ipv4: /^(\d{1,3}\.){3}\d{1,3}$/,
  uuid: /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i,
};
const INT_RANGES: Readonly<Record<string, number>> = { int32: 2 ** 31, int64: 2 ** 63 };

function checkString(value: string, s: Schema, path: string): Cause[] {
  const causes: Cause[] = [];
  const length = [...value].length;
  const say = (message: string) => causes.push(cause.invalid(path, value, `${path} in body ${message}`));
  if (s.minLength !== undefined && length < s.minLength) say(`should be at least ${s.minLength} chars long`);
  if (s.maxLength !== undefined && length > s.maxLength)
    causes.push({
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${s.maxLength} bytes`,
      field: path,
    });
  if (s.pattern !== undefined && !new RegExp(s.pattern, 'u').test(value)) say(`should match '${s.pattern}'`);
  const format = s.format === undefined ? undefined : FORMATS[s.format];
  if (format !== undefined && !format.test(value)) say(`must be of type ${s.format}: ${JSON.stringify(value)}`);
  return causes;
}

function checkNumber(value: number, s: Schema, path: string): Cause[] {
  const causes: Cause[] = [];
  const say = (message: string) => causes.push(cause.invalid(path, value, `${path} in body ${message}`));
  const range = s.format === undefined ? undefined : INT_RANGES[s.format];
  if (range !== undefined && (value >= range || value < -range)) say(`must be of type ${s.format}`);
  if (s.minimum !== undefined && (s.exclusiveMinimum === true ? value <= s.minimum : value < s.minimum))
    say(`should be greater than ${s.exclusiveMinimum === true ? '' : 'or equal to '}${s.minimum}`);
  if (s.maximum !== undefined && (s.exclusiveMaximum === true ? value >= s.maximum : value > s.maximum))
    say(`should be less than ${s.exclusiveMaximum === true ? '' : 'or equal to '}${s.maximum}`);
  return causes;
}

function checkArray(value: Json[], s: Schema, path: string): Cause[] {
  const causes =
    s.items === undefined ? [] : value.flatMap((v, i) => checkSchema(v, s.items as Schema, `${path}[${i}]`));
  if (s.minItems !== undefined && value.length < s.minItems)
    causes.push(cause.invalid(path, value.length, `${path} in body should have at least ${s.minItems} items`));
  if (s.maxItems !== undefined && value.length > s.maxItems)
    causes.push({
      reason: 'FieldValueTooMany',
      message: `Too many: ${value.length}: must have at most ${s.maxItems} items`,
      field: path,
    });
  const keys = s['x-kubernetes-list-map-keys'];
  const kind = s['x-kubernetes-list-type'];
  if (kind !== 'set' && kind !== 'map') return causes;
  const id = (item: Json) => (kind === 'set' ? item : Object.fromEntries((keys ?? []).map((k) => [k, item?.[k]])));
  value.forEach((item, i) => {
    if (value.slice(0, i).some((other) => sameJson(id(other), id(item))))
      causes.push(cause.duplicate(`${path}[${i}]`, id(item)));
  });
  return causes;
}

function checkObject(value: Record<string, Json>, s: Schema, path: string): Cause[] {
  const causes: Cause[] = [];
  for (const key of s.required ?? []) if (value[key] === undefined) causes.push(cause.required(at(path, key)));
  for (const [key, member] of Object.entries(value)) {
    const inner =
      s.properties?.[key] ?? (isObject(s.additionalProperties) ? (s.additionalProperties as Schema) : undefined);
    if (inner !== undefined && member !== undefined) causes.push(...checkSchema(member, inner, at(path, key)));
  }
  const count = Object.keys(value).length;
  if (s.minProperties !== undefined && count < s.minProperties)
    causes.push(cause.invalid(path, count, `${path} in body should have at least ${s.minProperties} properties`));
  if (s.maxProperties !== undefined && count > s.maxProperties)
    causes.push({
      reason: 'FieldValueTooMany',
      message: `Too many: ${count}: must have at most ${s.maxProperties} items`,
      field: path,
    });
  return causes;
}

/** What is wrong with a value, in the words of the real server. */
export function checkSchema(value: Json, schema: Schema, path = ''): Cause[] {
  if (value === null && schema.nullable === true) return [];
  const type = typeOf(value);
  if (schema['x-kubernetes-int-or-string'] === true) {
    if (type !== 'integer' && type !== 'string')
      return [cause.type(path, type, `${path} in body must be of type integer,string: ${JSON.stringify(type)}`)];
  } else if (schema.type !== undefined && type !== schema.type && !(schema.type === 'number' && type === 'integer'))
    return [
      cause.type(
        path,
        type,
        `${path === '' ? '<root>' : path} in body must be of type ${schema.type}: ${JSON.stringify(type)}`,
      ),
    ];
  const causes: Cause[] = [];
  if (schema.enum !== undefined && !schema.enum.some((allowed) => sameJson(allowed, value)))
    causes.push(cause.unsupported(path, value, schema.enum));
  if (typeof value === 'string') causes.push(...checkString(value, schema, path));
  else if (typeof value === 'number') causes.push(...checkNumber(value, schema, path));
  else if (Array.isArray(value)) causes.push(...checkArray(value, schema, path));
  else if (isObject(value)) causes.push(...checkObject(value, schema, path));
  const fits = (s: Schema) => checkSchema(value, s, path).length === 0;
  for (const s of schema.allOf ?? []) causes.push(...checkSchema(value, s, path));
  if (schema.anyOf !== undefined && !schema.anyOf.some(fits))
    causes.push(cause.invalid(path, value, `${path} in body must validate at least one schema (anyOf)`));
  if (schema.oneOf !== undefined && schema.oneOf.filter(fits).length !== 1)
    causes.push(cause.invalid(path, value, `${path} in body must validate one and only one schema (oneOf)`));
  if (schema.not !== undefined && fits(schema.not))
    causes.push(cause.invalid(path, value, `${path} in body must not validate the schema (not)`));
  return causes;
}
