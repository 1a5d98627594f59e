import { join } from 'node:path';
import { UNDERLAY_BRIDGE, type UnderlayPlan } from '../ovs/plan.js';
import { ipBatch } from './command.js';
import { type HostLink, readLinks, readRoutes } from './ip-json.js';
import { GATEWAY_INTERFACE } from './nft.js';
import { isHostInterface } from './pod-link.js';
import { readState, writeState } from './state-file.js';
import { writeSysctl } from './sysctl.js';
import { mergeUplinkState, moveLines, restoreLines, UplinkState, uplinkState } from './uplink.js';

const UPLINK_FILE = 'uplink.json';

/** What the controller wants to know about this node's underlay. */
export interface Underlay {
  readonly mtu: number;
  readonly addresses: readonly string[];
  /** Interface that holds the tunnels' address. */
  readonly device: string;
}

/** Reads the underlay as it is now. @throws Error if no interface has the tunnels' address */
export function describeUnderlay(links: readonly HostLink[], encapIp: string): Underlay {
  const own = links.filter((link) => link.name !== GATEWAY_INTERFACE && !isHostInterface(link.name));
  const device = own.find((link) => link.addresses.some((a) => a.ip === encapIp));
  if (device === undefined) throw new Error(`no interface has the address HEDDLE_ENCAP_IP=${encapIp}`);
  const addresses = own.flatMap((link) => link.addresses.filter((a) => a.scope === 'global').map((a) => a.ip));
  // The controller takes 64; the tunnels' address must be among them.
  return { mtu: device.mtu, device: device.name, addresses: [...new Set([encapIp, ...addresses])].slice(0, 64) };
}

/** The uplink that moves into br-phy, and its addresses, over restarts. */
export class Uplink {
  readonly #file: string;

  constructor(
    private readonly name: string,
    stateDir: string,
  ) {
    this.#file = join(stateDir, UPLINK_FILE);
  }

  /**
   * Notes what the uplink has while it still has it, and says what bridge it wants. Also gives the bridge its addresses
   * back if it lost them (a new database makes a new bridge), so that the controller can be reached.
   */
  async prepare(): Promise<UnderlayPlan> {
    const links = await readLinks();
    const state = await this.#note(links);
    if (state === undefined) throw new Error(`there is no interface HEDDLE_UPLINK=${this.name}`);
    if (state.addresses.length === 0 && !links.some((l) => l.name === UNDERLAY_BRIDGE))
      throw new Error(`HEDDLE_UPLINK=${this.name} has no address, and none is known from before`);
    return { uplink: this.name, mac: state.mac };
  }

  /** What a start of the agent begins with: without its address the node may not even reach the controller. */
  async resume(): Promise<void> {
    // First: a machine that has started anew has its addresses on the uplink, and perhaps others than it had.
    await this.#note(await readLinks());
    await this.move();
  }

  /**
   * Takes the addresses back to the uplink while the switch is gone, so that the machine stays in reach: its kubelet could not
   * even be told of another switch. What resumes moves them again. False: there is nothing to take back.
   */
  async retreat(): Promise<boolean> {
    const state = readState(this.#file, UplinkState);
    const links = await readLinks();
    const held = links.find((l) => l.name === UNDERLAY_BRIDGE)?.addresses.filter((a) => a.scope === 'global') ?? [];
    if (state === undefined || held.length === 0 || !links.some((l) => l.name === this.name)) return false;
    await giveBack(state, () => ipBatch(held.map((a) => `addr del ${a.ip}/${a.prefixLength} dev ${UNDERLAY_BRIDGE}`)));
    return true;
  }

  /** Undefined if there is no such interface. */
  async #note(links: readonly HostLink[]): Promise<UplinkState | undefined> {
    const link = links.find((l) => l.name === this.name);
    if (link === undefined) return undefined;
    const held = links.find((l) => l.name === UNDERLAY_BRIDGE)?.addresses.map((a) => a.ip) ?? [];
    const known = readState(this.#file, UplinkState);
    const state = mergeUplinkState(known, uplinkState(link, await readRoutes(this.name)), held);
    if (JSON.stringify(state) !== JSON.stringify(known)) writeState(this.#file, state);
    return state;
  }

  /** Moves the addresses if the bridge is there. Repeating it changes nothing. */
  async move(): Promise<void> {
    const state = readState(this.#file, UplinkState);
    if (state === undefined) return;
    const links = await readLinks();
    if (!links.some((l) => l.name === UNDERLAY_BRIDGE)) return;
    const uplink = links.find((l) => l.name === this.name);
    // With another card these addresses have another MAC, and the switches of other nodes keep the old one for minutes.
    writeSysctl(`ipv4/conf/${UNDERLAY_BRIDGE}/arp_notify`, '1');
    writeSysctl(`ipv6/conf/${UNDERLAY_BRIDGE}/ndisc_notify`, '1');
    await ipBatch(moveLines(state, uplink));
    // Neighbours' questions for the bridge's addresses are the bridge's to answer.
    writeSysctl(`ipv6/conf/${this.name}/disable_ipv6`, '1');
  }
}

/**
 * Gives the uplink back what has moved, as far as it is known, and removes the bridge while the uplink has it already, so that
 * the machine stays in reach. May be repeated. Gives the uplink's name; undefined: nothing is known, or there is no such interface.
 */
export async function restoreUplink(stateDir: string, removeBridge: () => Promise<void>): Promise<string | undefined> {
  const state = readState(join(stateDir, UPLINK_FILE), UplinkState);
  if (state === undefined || state.addresses.length === 0) return undefined;
  if (!(await readLinks()).some((l) => l.name === state.uplink)) return undefined;
  await giveBack(state, removeBridge);
  return state.uplink;
}

/** Gives the uplink what it had, while and after the bridge loses it. */
async function giveBack(state: UplinkState, leave: () => Promise<unknown>): Promise<void> {
  writeSysctl(`ipv6/conf/${state.uplink}/disable_ipv6`, '0');
  await ipBatch(restoreLines(state));
  await leave();
  // Routes of the bridge have gone with its addresses, perhaps some that stood for ours.
  await ipBatch(restoreLines(state));
}
