export { formatExplainEnd, parseExplainEnd } from './ends.js';
export { explain } from './explain.js';
export * from './types.js';
