export { openVSwitchSchema } from '../generated/open-vswitch-schema.js';
export { type Standing, startTestServer, type TestServer, type TestServerOptions } from './server.js';
export type { VswitchdOptions } from './vswitchd.js';
