export { type Connection, ConnectionTable, CT_STATE, type Tuple } from './conntrack.js';
export { EvaluateError } from './errors.js';
export * from './evaluator.js';
export { ETH_TYPE, type FieldValue, IP_PROTO, readField, type Slots } from './fields.js';
export * from './packet.js';
export * from './trace.js';
export * from './wire.js';
