export * from './agent.js';
export * from './client.js';
export * from './endpoint.js';
export * from './errors.js';
export * from './policy-views.js';
export * from './routes.js';
export * from './text-table.js';
export * from './views.js';
