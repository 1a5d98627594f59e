export { type Connection, ConnectionTable, type TrackerOptions, type Tuple } from './conntrack.js';
export { EvaluateError } from './errors.js';
export * from './evaluator.js';
export { type FieldValue, readField, type Slots } from './fields.js';
export * from './packet.js';
export * from './trace.js';
export * from './wire.js';
