import { type Flow, nodeName } from '@heddle/compiler';
import { type Action, OpenFlowPeerError, type OpenFlowSession } from 'openflow-ts';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { ensureFlowMeters } from './prepare.js';

const refusal = { kind: 'error', type: 'OFPET_METER_MOD_FAILED', typeNumber: 12, data: new Uint8Array() } as const;
const session = (confirm: () => Promise<void>) => ({ confirm }) as Partial<OpenFlowSession> as OpenFlowSession;
const prepared = (confirm: () => Promise<void>) =>
  ensureFlowMeters(session(confirm), nodeName('node1'), { encap: 'geneve', logger: pino({ level: 'silent' }) });
const flow = (...actions: readonly Action[]): Flow => ({
  key: 'a',
  tableId: 60,
  priority: 1,
  match: {},
  instructions: [
    { kind: 'apply_actions', actions },
    { kind: 'goto_table', table: 70 },
  ],
  cookie: 1n,
  provenance: { feature: 'dns', owners: [], why: '' },
});

it('a switch with meters can have every flow', async () => {
  expect(await prepared(async () => {})).toBeUndefined();
});

it('a switch without meters can have no flow that names one', async () => {
  const without = await prepared(async () => {
    throw new OpenFlowPeerError({ ...refusal, code: 'OFPMMFC_OUT_OF_METERS', codeNumber: 11 }, 'meter_mod');
  });
  const flows = [flow({ kind: 'controller', meterId: 53 }), flow({ kind: 'controller' }), flow({ kind: 'dec_ttl' })];
  expect(flows.map((f) => without?.(f))).toEqual([true, false, false]);
});
