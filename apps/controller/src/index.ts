export { type Config, ConfigError, readConfig } from './config/config.js';
export { Controller } from './controller.js';
