import { connectOvsdb, type OpenVSwitchTables, type OvsdbClient, type Replica, type ReplicaChange } from 'ovsdb-client';
import { isHostInterface } from '../host/pod-link.js';

/** What we follow: our own wishes, and what ovs-vswitchd made of them. */
const REQUEST = {
  Open_vSwitch: { columns: ['bridges', 'manager_options', 'external_ids', 'ssl'] },
  Bridge: {
    columns: ['name', 'ports', 'controller', 'datapath_type', 'fail_mode', 'protocols', 'other_config', 'external_ids'],
  },
  Port: { columns: ['name', 'interfaces'] },
  Interface: {
    columns: ['name', 'type', 'options', 'mac', 'mtu_request', 'ofport_request', 'ofport', 'error', 'external_ids'],
  },
  Controller: {
    columns: ['target', 'connection_mode', 'max_backoff', 'controller_rate_limit', 'controller_burst_limit'],
  },
  Manager: { columns: ['target', 'max_backoff'] },
  QoS: { columns: ['type', 'external_ids'] },
  SSL: { columns: ['private_key', 'certificate', 'ca_cert', 'bootstrap_ca_cert'] },
} as const;

export type SwitchReplica = Replica<OpenVSwitchTables, typeof REQUEST>;

/** The node's Open vSwitch database: a connection that mends itself, and a copy of the parts we need. */
export interface SwitchDatabase {
  readonly client: OvsdbClient;
  readonly replica: SwitchReplica;
}

/** Dials ovsdb-server, for as long as it takes. */
export async function openSwitchDatabase(target: string, signal: AbortSignal): Promise<SwitchDatabase> {
  const client = connectOvsdb({ target, signal, reconnect: { minMs: 50, maxMs: 2_000 } });
  await client.ready;
  const replica = await client.monitor('Open_vSwitch', REQUEST, { timeoutMs: 60_000, signal });
  return { client, replica };
}

/** Whether a change concerns more than pods' ports, which come and go by our own doing. */
export function isStructural({ tables }: ReplicaChange<OpenVSwitchTables, typeof REQUEST>): boolean {
  const { Interface: faces, Bridge: bridges, Open_vSwitch, Controller, Manager, SSL } = tables;
  if ([Open_vSwitch, Controller, Manager, SSL].some((table) => table !== undefined)) return true;
  const touched = [...(faces?.removed ?? []), ...(faces?.changed ?? []).map((row) => row.after)];
  if (touched.some((row) => !isHostInterface(row.name))) return true;
  return (bridges?.changed ?? []).some(
    ({ before, after }) =>
      before.controller !== after.controller ||
      before.datapath_type !== after.datapath_type ||
      before.fail_mode !== after.fail_mode ||
      before.protocols !== after.protocols ||
      before.other_config !== after.other_config,
  );
}
