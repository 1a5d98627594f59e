import { channel } from 'node:diagnostics_channel';

/** Channels on which the library tells what it does; it never logs. */
export const diagnostics = {
  /** `{ target }` */
  connected: channel('ovsdb-client:connected'),
  /** `{ target, reason, error }` */
  disconnected: channel('ovsdb-client:disconnected'),
  /** `{ target, error }`: one attempt to connect failed. */
  connectFailed: channel('ovsdb-client:connect-failed'),
} as const;
