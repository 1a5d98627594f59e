export * from './model/brands.js';
export * from './model/facts.js';
export * from './model/output.js';
