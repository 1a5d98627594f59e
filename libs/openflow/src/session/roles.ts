import type { MessageOf, Role } from '../codec/index.js';
import type { WaitOptions } from './deadline.js';
import { OpenFlowProtocolError } from './errors.js';
import type { OpenFlowSession } from './session.js';

/**
 * Asks for a role (OpenFlow 1.5.1 §6.3.7). `generationId` counts up with every election among controllers; a switch that has
 * seen a higher one refuses with `OFPRRFC_STALE`, which fences a controller that was deposed without noticing.
 *
 * It is not a full fence: a switch forgets the number when it restarts, and does not ask it of `equal`. So be primary before
 * writing, never equal, and ask again after every reconnect.
 * @throws OpenFlowPeerError with `reason` OFPRRFC_STALE; else as `request`
 */
export async function requestRole(
  session: OpenFlowSession,
  role: Role,
  generationId: bigint,
  options?: WaitOptions,
): Promise<MessageOf<'role_reply'>> {
  const reply = await session.request({ kind: 'role_request', role, generationId }, options);
  if (reply.kind !== 'role_reply') throw new OpenFlowProtocolError(`a ${reply.kind} answers a role request`);
  return reply;
}

/**
 * Calls `listener` when the switch says that this session is no longer primary: another controller has taken the role. What
 * has not been committed by then is refused (`OFPBRC_IS_SECONDARY`). Returns the function that ends it.
 */
export const onRoleLost = (
  session: OpenFlowSession,
  listener: (status: MessageOf<'role_status'>) => void,
): (() => void) =>
  session.on('role_status', (status) => {
    if (status.role !== 'primary') listener(status);
  });
