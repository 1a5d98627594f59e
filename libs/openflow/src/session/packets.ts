import type { MessageOf } from '../codec/index.js';
import type { OpenFlowSession } from './session.js';

/** NXPIF_NXT_PACKET_IN2. */
const PACKET_IN2 = 2;

/**
 * From now on the switch sends `packet_in2` in place of `packet_in`: with the userdata of the `controller` action and, for
 * `pause`, a continuation. An extension of Open vSwitch.
 */
export const usePacketIn2 = (session: OpenFlowSession): Promise<void> =>
  session.confirm({ kind: 'set_packet_in_format', format: PACKET_IN2 });

/**
 * Lets a paused packet go on behind the `controller(pause)` that sent it here, changed where `changes` says so: metadata in
 * `match`, the packet in `data`.
 * @throws OpenFlowPeerError (`NXR_NOT_SUPPORTED`, `NXR_STALE`) if the switch cannot
 */
export const resumePacket = (
  session: OpenFlowSession,
  packet: MessageOf<'packet_in2'>,
  changes: Partial<Pick<MessageOf<'packet_in2'>, 'match' | 'data'>> = {},
): Promise<void> => session.confirm({ ...packet, ...changes, kind: 'resume' });
