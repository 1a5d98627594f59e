import { describe, expect, it } from 'vitest';
import { watchedKinds } from '../../apps/controller/src/source/kubernetes/kinds.js';
import { HOME } from '../../deploy/setup/src/home.js';
import { SECRETS } from '../../deploy/setup/src/setup.js';
import { build, DEPLOY } from './kustomize.js';
import { grantsOf, grantText } from './rbac.js';

const objects = build(DEPLOY);
const grants = grantsOf(objects, 'heddle-system', 'heddle-controller');

/** What the programs write; each row stands in the file that it names. */
const WRITES: readonly [verb: string, resource: string, where: string][] = [
  ['patch', 'nodes/status', 'kubernetes/writes/node-conditions.ts'],
  ...['realizations', 'clusterrealizations'].flatMap((plural): [string, string, string][] => [
    ['list', `${plural}.heddle.dev`, 'kubernetes/writes/realizations.ts'],
    ['create', `${plural}.heddle.dev`, 'kubernetes/writes/realizations.ts'],
    ['delete', `${plural}.heddle.dev`, 'kubernetes/writes/realizations.ts'],
    ['patch', `${plural}/status.heddle.dev`, 'kubernetes/writes/realizations.ts'],
  ]),
  ['create', 'events.events.k8s.io', 'kubernetes/writes/event-writer.ts'],
  ['create', 'tokenreviews.authentication.k8s.io', 'kubernetes/agent-tokens.ts'],
];
const SETUP = [
  ['get', 'secrets'],
  ['update', 'secrets'],
  ['create', 'secrets'],
] as const;

describe('rights', () => {
  it('in the whole cluster are those that the controller uses, and no more', () => {
    const reads = watchedKinds().flatMap(({ api, plural }) => {
      const group = api.startsWith('/apis/') ? `.${api.split('/')[2]}` : '';
      return [`list ${plural}${group}`, `watch ${plural}${group}`];
    });
    const used = [...reads, ...WRITES.map(([verb, resource]) => `${verb} ${resource}`)];
    const granted = grants.filter(({ namespace }) => namespace === undefined).map(grantText);
    expect(granted.sort()).toEqual([...new Set(used)].sort());
  });

  it('to Secrets are in one namespace, by name wherever a name can be given', () => {
    const secrets = grants.filter(({ namespace }) => namespace !== undefined);
    expect(secrets.map(({ verb, resource }) => [verb, resource]).sort()).toEqual(SETUP.map((row) => [...row]).sort());
    for (const { verb, namespace, names } of secrets) {
      expect(namespace).toBe('heddle-system');
      expect(names).toEqual(verb === 'create' ? undefined : [...Object.values(SECRETS), HOME]);
    }
  });

  it('are none for the agents, whose account says only who they are', () => {
    expect(grantsOf(objects, 'heddle-system', 'heddle-agent')).toEqual([]);
  });

  it('have no wildcard', () => {
    for (const { verb, group, resource } of grants) expect([verb, group, resource]).not.toContain('*');
  });

  it('to Secrets go with heddle-setup', () => {
    const without = grantsOf(build(`${DEPLOY}/overlays/cert-manager`), 'heddle-system', 'heddle-controller');
    expect(without.filter(({ resource }) => resource === 'secrets')).toEqual([]);
  });
});
