/** Reserved port numbers (OF1.3+, 7.2.1). */
export const PORT = {
  MAX: 0xffffff00,
  UNSET: 0xfffffff7,
  IN_PORT: 0xfffffff8,
  TABLE: 0xfffffff9,
  NORMAL: 0xfffffffa,
  FLOOD: 0xfffffffb,
  ALL: 0xfffffffc,
  CONTROLLER: 0xfffffffd,
  LOCAL: 0xfffffffe,
  ANY: 0xffffffff,
} as const;

/** Reserved group numbers. */
export const GROUP = { MAX: 0xffffff00, ALL: 0xfffffffc, ANY: 0xffffffff } as const;
/** Reserved meter numbers. */
export const METER = { MAX: 0xffff0000, SLOWPATH: 0xfffffffd, CONTROLLER: 0xfffffffe, ALL: 0xffffffff } as const;
/** Every table, in deletes and statistics requests. */
export const TABLE_ALL = 0xff;
/** "The packet is not buffered": the whole packet travels in the message. */
export const NO_BUFFER = 0xffffffff;
/** `maxLen` that asks for the whole packet without buffering. */
export const NO_TRUNCATION = 0xffff;
/** Every queue, in queue statistics. */
export const QUEUE_ALL = 0xffffffff;

/** Extensions of Open vSwitch carry ports in 16 bits; reserved ones keep their low half. */
export const portTo16 = (port: number): number => (port >= PORT.MAX ? port & 0xffff : port);
/** The reverse: 0xff00 and above are reserved ports. */
export const portFrom16 = (port: number): number => (port >= 0xff00 ? (0xffff0000 | port) >>> 0 : port);
