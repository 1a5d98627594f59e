import { METERS } from '@heddle/compiler';
import { type MeterMod, OpenFlowPeerError, type OpenFlowSession } from 'openflow-ts';

/** Packets a second, and bursts are limited (OpenFlow 1.5.1, 7.3.4.5: OFPMF_PKTPS, OFPMF_BURST). */
const FLAGS = (1 << 1) | (1 << 2);

/**
 * Gives the switch the meters that flows name. They are not kept by ovs-vswitchd, so each connection asks.
 * @throws OpenFlowPeerError if the switch, or its datapath, has no such meters; else what a session throws
 */
export async function ensureMeters(session: OpenFlowSession): Promise<void> {
  for (const { id, rate, burst } of Object.values(METERS)) {
    const mod = (command: MeterMod['command']): MeterMod => ({
      ...{ kind: 'meter_mod', command, flags: FLAGS, meterId: id },
      bands: [{ type: 'drop', rate, burstSize: burst }],
    });
    try {
      await session.confirm(mod('add'));
    } catch (error) {
      if (!(error instanceof OpenFlowPeerError) || error.reason !== 'OFPMMFC_METER_EXISTS') throw error;
      await session.confirm(mod('modify'));
    }
  }
}
