export type { ApplyResult, RejectedMod } from './bundle.js';
export { type ConnectOptions, connectOpenFlow, connectSocket, type TlsOptions } from './client.js';
export type { Clock } from './clock.js';
export { type Endpoint, formatOpenFlowEndpoint, parseOpenFlowEndpoint } from './endpoint.js';
export * from './errors.js';
export { FrameReader, type Header, OpenFlowFramingError, readHeader } from './framing.js';
export { createOpenFlowServer, type OpenFlowServer, type ServerOptions } from './server.js';
export type { OpenFlowSession, SessionOptions } from './session.js';
export { encodeShared, type Mod, SharedMessages } from './shared.js';
