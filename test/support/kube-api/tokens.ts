import { randomBytes } from 'node:crypto';
import type { Cluster } from './cluster.ts';
import { badRequest, conflict } from './errors.ts';
import type { Resource } from './resources.ts';
import { type Json, timestamp } from './types.ts';

export const ISSUER = 'https://kubernetes.default.svc';
const RESOURCE = { group: '', plural: 'serviceaccounts', kind: 'ServiceAccount' } as const;
/** What kube-apiserver raises shorter times to, and what it gives without one. */
const SHORTEST_SECONDS = 600;
const USUAL_SECONDS = 3600;

interface Issued {
  readonly username: string;
  readonly uid: string;
  readonly namespace: string;
  readonly audiences: readonly string[];
  readonly endsAt: number;
  readonly pod: { readonly name: string; readonly uid: string; readonly node: string } | undefined;
}

/** Tokens of service accounts: given by TokenRequest, looked at by TokenReview. Unsigned; only those that were given are known. */
export class ServiceAccountTokens {
  private readonly issued = new Map<string, Issued>();
  private readonly cluster: Cluster;
  private readonly users: ReadonlyMap<string, string> | undefined;

  /** `users`: those who have fixed tokens, for the API server alone. */
  constructor(cluster: Cluster, users: ReadonlyMap<string, string> | undefined) {
    this.cluster = cluster;
    this.users = users;
  }

  /** The status of a TokenRequest for an account that there is. */
  issue(account: Json, spec: Json): Json {
    const { name, namespace, uid } = account.metadata;
    const audiences: string[] = spec?.audiences?.length > 0 ? spec.audiences : [ISSUER];
    const seconds = spec?.expirationSeconds ?? USUAL_SECONDS;
    if (seconds < SHORTEST_SECONDS)
      throw badRequest(`may not specify a duration less than ${SHORTEST_SECONDS / 60} minutes`);
    const pod = this.boundPod(account, spec?.boundObjectRef);
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      aud: audiences,
      exp: now + seconds,
      iat: now,
      iss: ISSUER,
      sub: `system:serviceaccount:${namespace}:${name}`,
      'kubernetes.io': {
        namespace,
        serviceaccount: { name, uid },
        ...(pod && { pod: { name: pod.name, uid: pod.uid }, ...(pod.node !== '' && { node: { name: pod.node } }) }),
      },
    };
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'none' })}.${part(claims)}.${randomBytes(16).toString('base64url')}`;
    this.issued.set(token, { username: claims.sub, uid, namespace, audiences, endsAt: claims.exp * 1000, pod });
    return { token, expirationTimestamp: timestamp(claims.exp * 1000) };
  }

  private boundPod(account: Json, ref: Json): Issued['pod'] {
    if (ref === undefined || ref === null) return undefined;
    const { name, namespace } = account.metadata;
    if (ref.kind !== 'Pod') throw badRequest(`cannot bind token to object of type ${ref.kind}`);
    const pod = this.cluster.get(this.named('Pod'), namespace, ref.name);
    if (ref.uid !== undefined && ref.uid !== '' && ref.uid !== pod.metadata.uid)
      throw conflict(
        RESOURCE,
        name,
        `the UID in the bound object reference (${ref.uid}) does not match the UID in record`,
      );
    if ((pod.spec.serviceAccountName ?? 'default') !== name)
      throw badRequest(
        `cannot bind token for serviceaccount "${name}" to pod running with different serviceaccount name.`,
      );
    return { name: pod.metadata.name, uid: pod.metadata.uid, node: pod.spec.nodeName ?? '' };
  }

  /** The answer to a TokenReview. */
  review(body: Json): Json {
    const { token, audiences } = body?.spec ?? {};
    const wanted: string[] = audiences?.length > 0 ? audiences : [ISSUER];
    return {
      ...body,
      kind: 'TokenReview',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: {},
      status: this.status(token, wanted),
    };
  }

  private status(token: string, wanted: readonly string[]): Json {
    const user = this.users?.get(token);
    if (user !== undefined)
      return wanted.includes(ISSUER)
        ? { authenticated: true, user: { username: user }, audiences: [ISSUER] }
        : { user: {} };
    const found = this.issued.get(token);
    if (found === undefined || !this.lives(found)) return { user: {}, error: 'invalid bearer token' };
    const both = wanted.filter((audience) => found.audiences.includes(audience));
    if (both.length === 0)
      return {
        user: {},
        error: `token audiences ${JSON.stringify(found.audiences)} is invalid for the target audiences ${JSON.stringify(wanted)}`,
      };
    const { username, uid, namespace, pod } = found;
    const extra: Record<string, string[]> = {};
    if (pod !== undefined) {
      extra['authentication.kubernetes.io/pod-name'] = [pod.name];
      extra['authentication.kubernetes.io/pod-uid'] = [pod.uid];
      if (pod.node !== '') extra['authentication.kubernetes.io/node-name'] = [pod.node];
    }
    const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
    return { authenticated: true, user: { username, uid, groups, extra }, audiences: both };
  }

  private named(kind: string): Resource {
    const found = this.cluster.resources.named(kind);
    if (found === undefined) throw new RangeError(`no resource ${kind}`);
    return found;
  }

  /** Neither its time nor its pod nor its account is gone. */
  private lives({ endsAt, namespace, username, uid, pod }: Issued): boolean {
    const object = (kind: string, name: string) =>
      this.cluster.collection(this.named(kind)).entries.get(`${namespace}/${name}`)?.object;
    const account = object('ServiceAccount', username.split(':').at(-1) ?? '');
    return (
      Date.now() < endsAt &&
      account?.metadata.uid === uid &&
      (pod === undefined || object('Pod', pod.name)?.metadata.uid === pod.uid)
    );
  }
}
