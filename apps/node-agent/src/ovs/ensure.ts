import type { TlsFiles } from '@heddle/api';
import type { OpenVSwitchTables, Ref, Transaction, Uuid } from 'ovsdb-client';
import type { SwitchDatabase, SwitchReplica } from './database.js';
import { type BridgePlan, type InterfacePlan, PACKET_IN_LIMIT, type SwitchPlan } from './plan.js';

type Draft = Transaction<OpenVSwitchTables>;
type Link<K extends string> = Uuid<K> | Ref<K>;

/** How soon switch and database try again after losing the controller; both double from 1 s to this. */
const MAX_BACKOFF_MS = 1_000;
const PACKET_IN = {
  controller_rate_limit: PACKET_IN_LIMIT.rate,
  controller_burst_limit: PACKET_IN_LIMIT.burst,
} as const;

/**
 * Makes the switch look like the plan, in one transaction, and waits until ovs-vswitchd has done it. What is right
 * already is not touched, and when all is, nothing is sent.
 * @returns what was changed, one text a change; empty when nothing was
 */
export async function ensureSwitch(
  database: SwitchDatabase,
  plan: SwitchPlan,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const draft = database.client.transaction('Open_vSwitch');
  const changes = draftChanges(draft, database.replica, plan);
  if (changes.length === 0) return changes;
  draft.comment(`heddle: ${changes.join(', ')}`.slice(0, 500));
  await draft.commit({ waitForVswitchd: true, ...options });
  return changes;
}

/** What ovs-vswitchd could not make of the plan, one sentence each. */
export function switchProblems(replica: SwitchReplica, plan: SwitchPlan): readonly string[] {
  return plan.bridges.flatMap((bridge) =>
    bridge.interfaces.flatMap(({ name, ofportRequest }) => {
      const row = replica.table('Interface').byName(name);
      if (row === undefined) return [`there is no interface ${name}`];
      if (row.error !== undefined) return [`interface ${name}: ${row.error}`];
      if (ofportRequest !== undefined && row.ofport !== undefined && row.ofport !== ofportRequest)
        return [`interface ${name} has the ofport ${row.ofport}, not ${ofportRequest}`];
      return [];
    }),
  );
}

function draftChanges(draft: Draft, replica: SwitchReplica, plan: SwitchPlan): string[] {
  const changes: string[] = [];
  const root = [...replica.table('Open_vSwitch').rows.values()][0];
  if (root === undefined) throw new Error('the database has no Open_vSwitch row; is it initialized?');
  if (root.external_ids.get('system-id') !== plan.systemId) {
    const externalIds = new Map(root.external_ids).set('system-id', plan.systemId);
    draft.update('Open_vSwitch', root._uuid, { external_ids: externalIds });
    changes.push(`system-id ${plan.systemId}`);
  }
  if (plan.tls !== undefined) changes.push(...updateTls(draft, replica, root, plan.tls));
  const managers = replica.table('Manager').resolve(root.manager_options);
  if (
    !sameSet(
      managers.map((m) => m.target),
      plan.managers,
    )
  ) {
    // Rows that nothing refers to any more go by themselves.
    const manager_options = plan.managers.map((target) =>
      draft.insert('Manager', { target, max_backoff: MAX_BACKOFF_MS }),
    );
    draft.update('Open_vSwitch', root._uuid, { manager_options });
    changes.push(`managers ${plan.managers.join(' ')}`);
  }
  const added: Ref<'Bridge'>[] = [];
  for (const bridge of plan.bridges) {
    const row = replica.table('Bridge').byName(bridge.name);
    if (row === undefined) {
      added.push(insertBridge(draft, bridge));
      changes.push(`bridge ${bridge.name}`);
    } else changes.push(...updateBridge(draft, replica, row, bridge));
  }
  if (added.length > 0) draft.mutate('Open_vSwitch', root._uuid, [['bridges', 'insert', added]]);
  return changes;
}

type RootRow = { readonly _uuid: Uuid<'Open_vSwitch'>; readonly ssl: Uuid<'SSL'> | undefined };

/** One row holds the certificate of ovs-vswitchd and of ovsdb-server; the files stay where they are. */
function updateTls(draft: Draft, replica: SwitchReplica, root: RootRow, { key, cert, ca }: TlsFiles): string[] {
  // Never from the network: a bootstrapped authority is whoever answers first.
  const wanted = { private_key: key, certificate: cert, ca_cert: ca, bootstrap_ca_cert: false };
  const row = root.ssl === undefined ? undefined : replica.table('SSL').get(root.ssl);
  if (row === undefined) draft.update('Open_vSwitch', root._uuid, { ssl: draft.insert('SSL', wanted) });
  else if (Object.entries(wanted).every(([name, value]) => row[name as keyof typeof wanted] === value)) return [];
  else draft.update('SSL', row._uuid, wanted);
  return [`certificate ${cert}`];
}

function insertBridge(draft: Draft, plan: BridgePlan): Ref<'Bridge'> {
  const local: InterfacePlan = {
    name: plan.name,
    type: 'internal',
    options: {},
    ofportRequest: undefined,
    mac: undefined,
    mtuRequest: undefined,
  };
  return draft.insert('Bridge', {
    name: plan.name,
    datapath_type: plan.datapathType,
    fail_mode: plan.failMode,
    protocols: plan.protocols,
    other_config: plan.otherConfig,
    controller: insertControllers(draft, plan.controllers),
    ports: [local, ...plan.interfaces].map((i) => insertPort(draft, i)),
  });
}

const insertControllers = (draft: Draft, targets: readonly string[]) =>
  targets.map((target) =>
    // In-band control would add hidden flows of its own to br-int; the controller is reached by the underlay.
    draft.insert('Controller', { target, connection_mode: 'out-of-band', max_backoff: MAX_BACKOFF_MS, ...PACKET_IN }),
  );

function insertPort(draft: Draft, plan: InterfacePlan): Ref<'Port'> {
  const face = draft.insert('Interface', {
    name: plan.name,
    type: plan.type,
    options: plan.options,
    ofport_request: plan.ofportRequest,
    mac: plan.mac,
    mtu_request: plan.mtuRequest,
  });
  return draft.insert('Port', { name: plan.name, interfaces: [face] });
}

type BridgeRow = NonNullable<ReturnType<ReturnType<SwitchReplica['table']>['byName']>> & {
  readonly _uuid: Uuid<'Bridge'>;
};

function updateBridge(draft: Draft, replica: SwitchReplica, found: BridgeRow, plan: BridgePlan): string[] {
  const row = replica.table('Bridge').get(found._uuid);
  if (row === undefined) return [];
  const changes: string[] = [];
  const say = (what: string) => changes.push(`${plan.name} ${what}`);
  if (row.datapath_type !== plan.datapathType) {
    draft.update('Bridge', row._uuid, { datapath_type: plan.datapathType });
    say(`datapath_type ${plan.datapathType}`);
  }
  if (row.fail_mode !== plan.failMode) {
    draft.update('Bridge', row._uuid, { fail_mode: plan.failMode });
    say(`fail_mode ${plan.failMode}`);
  }
  if (!sameSet(row.protocols, plan.protocols)) {
    draft.update('Bridge', row._uuid, { protocols: plan.protocols });
    say(`protocols ${plan.protocols.join(' ')}`);
  }
  const wrong = Object.entries(plan.otherConfig).filter(([key, value]) => row.other_config.get(key) !== value);
  if (wrong.length > 0) {
    draft.update('Bridge', row._uuid, { other_config: new Map([...row.other_config, ...wrong]) });
    say(wrong.map(([key, value]) => `${key} ${value}`).join(' '));
  }
  const controllers = replica.table('Controller').resolve(row.controller);
  if (
    !sameSet(
      controllers.map((c) => c.target),
      plan.controllers,
    ) ||
    controllers.some((c) => c.connection_mode !== 'out-of-band')
  ) {
    draft.update('Bridge', row._uuid, { controller: insertControllers(draft, plan.controllers) });
    say(`controllers ${plan.controllers.join(' ')}`);
  } else
    for (const { _uuid, target, controller_rate_limit: rate, controller_burst_limit: burst } of controllers) {
      if (rate === PACKET_IN_LIMIT.rate && burst === PACKET_IN_LIMIT.burst) continue;
      // In place: the switch need not dial anew.
      draft.update('Controller', _uuid, PACKET_IN);
      say(`limits of controller ${target}`);
    }
  const ports: Link<'Port'>[] = [];
  for (const face of plan.interfaces) {
    const present = replica.table('Interface').byName(face.name);
    if (present !== undefined) changes.push(...updateInterface(draft, replica, present._uuid, face));
    else {
      ports.push(insertPort(draft, face));
      say(`port ${face.name}`);
    }
  }
  if (ports.length > 0) draft.mutate('Bridge', row._uuid, [['ports', 'insert', ports as Ref<'Port'>[]]]);
  return changes;
}

function updateInterface(draft: Draft, replica: SwitchReplica, uuid: Uuid<'Interface'>, plan: InterfacePlan): string[] {
  const row = replica.table('Interface').get(uuid);
  if (row === undefined) return [];
  const changes: string[] = [];
  const wrongOptions = Object.entries(plan.options).filter(([key, value]) => row.options.get(key) !== value);
  if (row.type !== plan.type) {
    draft.update('Interface', uuid, { type: plan.type });
    changes.push(`${plan.name} type ${plan.type}`);
  }
  if (wrongOptions.length > 0) {
    draft.update('Interface', uuid, { options: new Map([...row.options, ...wrongOptions]) });
    changes.push(`${plan.name} options`);
  }
  if (plan.ofportRequest !== undefined && row.ofport_request !== plan.ofportRequest) {
    draft.update('Interface', uuid, { ofport_request: plan.ofportRequest });
    changes.push(`${plan.name} ofport ${plan.ofportRequest}`);
  }
  if (plan.mac !== undefined && row.mac !== plan.mac) {
    draft.update('Interface', uuid, { mac: plan.mac });
    changes.push(`${plan.name} mac ${plan.mac}`);
  }
  if (plan.mtuRequest !== undefined && row.mtu_request !== plan.mtuRequest) {
    draft.update('Interface', uuid, { mtu_request: plan.mtuRequest });
    changes.push(`${plan.name} mtu ${plan.mtuRequest}`);
  }
  return changes;
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((x) => b.includes(x));
}
