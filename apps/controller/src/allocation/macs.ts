import { type Mac, mac } from '@heddle/compiler';
import { formatMac } from 'openflow-ts/codec';

/** MAC addresses are locally administered (0a), made from durable numbers, so a restart gives the same ones. */

/** The distributed router's, the same on every node. */
export const ROUTER_MAC: Mac = macOf(0x0a58_0000_0001n);
/** heddle0 of the node with this key. */
export const gatewayMac = (nodeKey: number): Mac => macOf((0x0a59n << 32n) | BigInt(nodeKey));
/** The pod interface with this port key. */
export const podMac = (portKey: number): Mac => macOf((0x0a5an << 32n) | BigInt(portKey));

function macOf(value: bigint): Mac {
  return mac(formatMac(value));
}
