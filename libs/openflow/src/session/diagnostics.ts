import { channel } from 'node:diagnostics_channel';

/**
 * What a session would log, published on `diagnostics_channel`. Payloads:
 * - `openflow:session.open` `{ remote, version, datapathId }`
 * - `openflow:session.close` `{ remote, datapathId, reason }`: also for peers that never finished the handshake
 * - `openflow:message.undecodable` `{ remote, datapathId, type, xid, error }`: the message was dropped
 * - `openflow:message.unmatched` `{ remote, datapathId, xid, message }`: an error message that answers nothing known
 * - `openflow:listener.failed` `{ remote, datapathId, kind, error }`: a listener of the application threw
 * - `openflow:server.refused` `{ remote, error }`: e.g. a TLS handshake that failed
 */
export const CHANNELS = {
  sessionOpen: channel('openflow:session.open'),
  sessionClose: channel('openflow:session.close'),
  undecodable: channel('openflow:message.undecodable'),
  unmatched: channel('openflow:message.unmatched'),
  listenerFailed: channel('openflow:listener.failed'),
  serverRefused: channel('openflow:server.refused'),
} as const;
