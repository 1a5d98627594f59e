export * from './model/brands.js';
export * from './model/facts.js';
export * from './model/output.js';
export * from './pipeline/constants.js';
export * from './pipeline/contract.js';
export * from './pipeline/cookie.js';
export * from './pipeline/registers.js';
export * from './pipeline/tables.js';
