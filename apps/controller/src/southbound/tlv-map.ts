import { type OpenFlowSession, type TlvMap, type TlvTableReply } from 'openflow-ts';

/** The Geneve option that carries the sender's identity, as `tun_metadata0`. */
export const IDENTITY_OPTION: TlvMap = { optionClass: 0xff01, optionType: 0x80, optionLength: 4, index: 0 };

const sameOption = (a: TlvMap, b: TlvMap): boolean => a.optionClass === b.optionClass && a.optionType === b.optionType;
const same = (a: TlvMap, b: TlvMap): boolean =>
  sameOption(a, b) && a.optionLength === b.optionLength && a.index === b.index;

/** Somebody has given our option, or our field, another meaning; flows over it would match the wrong bits. */
export class TlvMapConflict extends Error {
  override readonly name = 'TlvMapConflict';
  readonly code = 'TLV_MAP_CONFLICT';
}

/**
 * Maps the identity option if the switch does not have it. The map is not kept by ovs-vswitchd, so each connection asks.
 * Returns true if it was missing. @throws TlvMapConflict, and what a session throws
 */
export async function ensureTlvMap(session: OpenFlowSession): Promise<boolean> {
  const reply = (await session.request({ kind: 'tlv_table_request' })) as TlvTableReply;
  if (reply.maps.some((m) => same(m, IDENTITY_OPTION))) return false;
  const other = reply.maps.find((m) => m.index === IDENTITY_OPTION.index || sameOption(m, IDENTITY_OPTION));
  if (other !== undefined)
    throw new TlvMapConflict(
      `tun_metadata${other.index} stands for option class 0x${other.optionClass.toString(16)} type ${other.optionType} length ${other.optionLength}`,
    );
  await session.confirm({ kind: 'tlv_table_mod', command: 'add', maps: [IDENTITY_OPTION] });
  return true;
}
