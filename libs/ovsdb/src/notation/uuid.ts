import { NotationError } from '../errors.js';

declare const uuidOf: unique symbol;

/** A row's UUID in the RFC 4122 text form, branded with the table that it points into. */
export type Uuid<Table extends string = string> = string & { readonly [uuidOf]: Table };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether the text has the form of a UUID (RFC 7047 §3.1 `<uuid>`). */
export function isUuid(text: string): text is Uuid {
  return UUID.test(text);
}

/** Checks and brands a UUID. Throws NotationError if the text is not one. */
export function uuid<Table extends string = string>(text: string): Uuid<Table> {
  if (!isUuid(text)) throw new NotationError('uuid', `${JSON.stringify(text)} is not a UUID`);
  return text.toLowerCase() as Uuid<Table>;
}

/** The UUID that stands for "nothing": default of uuid columns, and the first last-txn-id. */
export const ZERO_UUID = '00000000-0000-0000-0000-000000000000' as Uuid<never>;

declare const refOf: unique symbol;

/** A row inserted earlier in the same transaction, by its `uuid-name` (RFC 7047 §3.1 `<named-uuid>`). */
export class Ref<Table extends string = string> {
  declare readonly [refOf]: Table;
  /** An `<id>`: letters, digits and underscores. */
  readonly name: string;
  readonly table: Table;

  constructor(table: Table, name: string) {
    this.table = table;
    this.name = name;
  }
}
