export { Initial1763700000000 } from './1763700000000-initial.js';
export { migrations } from './list.js';
