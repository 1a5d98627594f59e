import { randomBytes } from 'node:crypto';
import { issue, type KeyPair, makeAuthority, unfitBecause, type Wanted } from './certificates.js';
import type { Secret, SecretStore } from './secrets.js';

export const SECRETS = {
  authority: 'heddle-ca',
  controller: 'heddle-controller-tls',
  agent: 'heddle-agent-tls',
  token: 'heddle-api-token',
} as const;

const AUTHORITY_DAYS = 3650;
/** Renewed when a third of it is left, at whatever start of the controller comes then. */
const CERTIFICATE_DAYS = 1095;

/** What the controller reads: PEM texts and its API token. */
export interface ControllerFiles {
  readonly 'tls.key': string;
  readonly 'tls.crt': string;
  readonly 'ca.crt': string;
  readonly token: string;
}

export interface SetupOptions {
  readonly store: SecretStore;
  /** Names and addresses that agents, switches and operators may reach the controller by. */
  readonly names: readonly string[];
  readonly now: Date;
  readonly say: (line: string) => void;
}

/**
 * Makes what a cluster needs before its controller can start and what is missing only: an authority, the certificates of
 * the controller and of the agents, the API token. Two that run at once come to the same.
 */
export async function setUp(options: SetupOptions): Promise<ControllerFiles> {
  const { store, names, now, say } = options;
  const ensure = (name: string, make: (old: Secret | undefined) => Omit<Secret, 'name'> | undefined) =>
    ensureSecret(store, name, make, say);

  const authority = pairOf(
    await ensure(SECRETS.authority, (old) => {
      if (old !== undefined) return undefined;
      return tlsSecret(makeAuthority('heddle', AUTHORITY_DAYS));
    }),
  );
  const certificate = (name: string, wanted: Wanted) =>
    ensure(name, (old) => {
      const why = old === undefined ? 'there is none' : unfitBecause(pairOf(old), authority, wanted, now);
      if (why === undefined && old?.data['ca.crt'] === authority.cert) return undefined;
      if (old !== undefined) say(`${name} is made anew: ${why ?? 'it has another authority beside it'}`);
      return tlsSecret(issue(authority, wanted), authority.cert);
    });
  const own = await certificate(SECRETS.controller, {
    commonName: 'heddle-controller',
    names,
    usages: ['serverAuth', 'clientAuth'],
    days: CERTIFICATE_DAYS,
  });
  await certificate(SECRETS.agent, {
    commonName: 'heddle-agent',
    names: [],
    usages: ['clientAuth'],
    days: CERTIFICATE_DAYS,
  });
  const token = await ensure(SECRETS.token, (old) =>
    old?.data.token === undefined ? { type: 'Opaque', data: { token: randomBytes(32).toString('hex') } } : undefined,
  );
  const { cert, key } = pairOf(own);
  return { 'tls.key': key, 'tls.crt': cert, 'ca.crt': authority.cert, token: token.data.token ?? '' };
}

/** A try lost against somebody else is looked at anew; more than this means that something is wrong. */
const TRIES = 5;

async function ensureSecret(
  store: SecretStore,
  name: string,
  make: (old: Secret | undefined) => Omit<Secret, 'name'> | undefined,
  say: (line: string) => void,
): Promise<Secret> {
  for (let i = 0; i < TRIES; i++) {
    const old = await store.get(name);
    const made = make(old);
    if (made === undefined && old !== undefined) return old;
    if (made === undefined) break;
    // A Secret's type cannot be changed.
    const type = old?.type ?? made.type;
    const secret: Secret = {
      ...made,
      type,
      name,
      ...(old?.resourceVersion && { resourceVersion: old.resourceVersion }),
    };
    const outcome = old === undefined ? await store.create(secret) : await store.replace(secret);
    if (outcome === 'created' || outcome === 'replaced') {
      say(`${outcome} Secret ${name}`);
      return secret;
    }
  }
  throw new Error(`Secret ${name} changes whenever it is written; does something else manage it?`);
}

function tlsSecret(pair: KeyPair, authority?: string): Omit<Secret, 'name'> {
  const data = { 'tls.crt': pair.cert, 'tls.key': pair.key };
  return { type: 'kubernetes.io/tls', data: authority === undefined ? data : { ...data, 'ca.crt': authority } };
}

const pairOf = ({ data }: Secret): KeyPair => ({ cert: data['tls.crt'] ?? '', key: data['tls.key'] ?? '' });
