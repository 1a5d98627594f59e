import type { Flow, NodeName } from '@heddle/compiler';
import { OpenFlowPeerError, type OpenFlowSession } from 'openflow-ts';
import type { Without } from './content.js';
import type { DriverOptions } from './driver-options.js';
import { ensureMeters } from './meters.js';
import { askForPackets } from './packet-in.js';
import { ensureTlvMap } from './tlv-map.js';

type Needs = Pick<DriverOptions, 'logger' | 'encap'>;

/** What a switch needs before flows with the identity's field can be read or sent. @throws as `ensureTlvMap` */
export async function ensureIdentityField(
  session: OpenFlowSession,
  node: NodeName,
  { encap, logger }: Needs,
): Promise<void> {
  if (encap === 'geneve' && (await ensureTlvMap(session))) logger.info({ event: 'tlv-map-added', node });
}

/** A switch that cannot be asked still does what its flows say: only what it would tell is missing. */
export async function ensurePackets(session: OpenFlowSession, node: NodeName, { logger }: Needs): Promise<void> {
  try {
    await askForPackets(session);
  } catch (error) {
    if (!(error instanceof OpenFlowPeerError)) throw error;
    logger.warn({ event: 'packet-in-refused', node, error: error.message });
  }
}

/**
 * Without meters a switch tells of no policy's decisions, and of no answer of a name server over TCP: everything else works as
 * it should. Gives what it cannot have.
 */
export async function ensureFlowMeters(session: OpenFlowSession, node: NodeName, { logger }: Needs): Promise<Without> {
  try {
    await ensureMeters(session);
    return undefined;
  } catch (error) {
    if (!(error instanceof OpenFlowPeerError)) throw error;
    logger.warn({ event: 'meters-impossible', node, error: error.message });
    return isMetered;
  }
}

const isMetered = ({ instructions }: Flow): boolean =>
  instructions.some(
    (i) => i.kind === 'apply_actions' && i.actions.some((a) => a.kind === 'controller' && a.meterId !== undefined),
  );
