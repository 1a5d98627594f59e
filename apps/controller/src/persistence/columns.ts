import type { ValueTransformer } from 'typeorm';

/** PostgreSQL's driver gives 64-bit integers as text; ours stay far below 2^53. */
export const asNumber: ValueTransformer = {
  to: (value: number | null) => value,
  from: (value: number | string | null) => (value === null ? null : Number(value)),
};

/** A list of texts in one column. */
export const asJson: ValueTransformer = {
  to: (value: unknown) => JSON.stringify(value),
  from: (value: string) => JSON.parse(value) as unknown,
};
