import { createHash } from 'node:crypto';
import type { Clock } from '../clock.js';
import { keepNewest } from '../keep-newest.js';
import { isRecord } from '../source/objects/issues.js';
import { type KubeClient, KubeRefusal } from './kube-client.js';

/** Whom the tokens of agents are for: no other program takes them, and we take no others. */
export const AGENT_AUDIENCE = 'heddle';
/** Set of a token that is bound to a pod, by Kubernetes 1.30 and newer. */
const NODE_NAME = 'authentication.kubernetes.io/node-name';
const PATH = '/apis/authentication.k8s.io/v1/tokenreviews';

/** A token that has been accepted is asked for again after this time: its pod may have been deleted. */
const RECHECK_MS = 600_000;
/** While the API server does not answer, it is asked so often. */
const RETRY_MS = 30_000;
/** What was refused stays refused for so long. */
const REFUSED_MS = 10_000;
/** Accepted tokens end this long before the time that they state. */
const MARGIN_MS = 10_000;
const TIMEOUT_MS = 8_000;
/** Several tokens for each of the nodes that a cluster can have. */
const MAX_KNOWN = 20_000;
/** After a start all agents come at once. */
const MAX_ASKED_AT_ONCE = 32;
/** A bound token has less than two kilobytes. */
const MAX_TOKEN = 16_384;

/** Whose a token is. */
export type TokenOwner =
  /** The agent of this node. */
  | { readonly kind: 'agent'; readonly node: string }
  /** The API server does not know it. */
  | { readonly kind: 'unknown'; readonly reason: string }
  /** It is somebody's, but not an agent's. */
  | { readonly kind: 'other'; readonly reason: string }
  /** The API server could not be asked. */
  | { readonly kind: 'unanswered'; readonly reason: string };

interface Known {
  readonly owner: TokenOwner;
  /** By the clock: when it is asked for again. */
  askAt: number;
  /** In wall time: from when on it does not count. */
  readonly endsAt: number;
}

export interface AgentTokensNeeds {
  readonly client: Pick<KubeClient, 'request'>;
  readonly clock: Clock;
  readonly wallNow: () => number;
  /** The service account of the agents. */
  readonly account: { readonly namespace: string; readonly name: string };
}

/**
 * Says which node's agent a token is of, by TokenReview. What was said is remembered by the token's digest until shortly before
 * the token ends, and asked for again in between; while the API server is away what is remembered counts.
 */
export class AgentTokens {
  private readonly known = new Map<string, Known>();
  private readonly asking = new Map<string, Promise<TokenOwner>>();
  /** Called when a question has been answered. */
  private readonly queue: (() => void)[] = [];
  private asked = 0;
  private readonly user: string;

  constructor(private readonly needs: AgentTokensNeeds) {
    this.user = `system:serviceaccount:${needs.account.namespace}:${needs.account.name}`;
  }

  async ownerOf(token: string): Promise<TokenOwner> {
    // Anybody may send anything: only what may be a token of ours is worth a question.
    const claims = claimsOf(token);
    if (claims === undefined || !claims.audiences.includes(AGENT_AUDIENCE))
      return {
        kind: 'unknown',
        reason: `neither the API token nor a token of a service account for the audience "${AGENT_AUDIENCE}"`,
      };
    const digest = createHash('sha256').update(token).digest('base64');
    const { clock, wallNow } = this.needs;
    let known = this.known.get(digest);
    if (known !== undefined && wallNow() >= known.endsAt) {
      this.known.delete(digest);
      known = undefined;
    }
    if (known !== undefined && clock.now() < known.askAt) return known.owner;
    const asking = this.asking.get(digest) ?? this.ask(token, digest, claims.endsAt);
    this.asking.set(digest, asking);
    try {
      const owner = await asking;
      if (owner.kind !== 'unanswered' || known === undefined) return owner;
      known.askAt = clock.now() + RETRY_MS;
      return known.owner;
    } finally {
      this.asking.delete(digest);
    }
  }

  private async ask(token: string, digest: string, endsAt: number): Promise<TokenOwner> {
    const owner = await this.review(token);
    if (owner.kind === 'unanswered') return owner;
    const { clock, wallNow } = this.needs;
    const accepted = owner.kind === 'agent';
    // The newest last, so that the first is the one to be forgotten.
    this.known.delete(digest);
    this.known.set(digest, {
      owner,
      askAt: clock.now() + (accepted ? RECHECK_MS : REFUSED_MS),
      endsAt: accepted ? endsAt - MARGIN_MS : wallNow() + REFUSED_MS,
    });
    keepNewest(this.known, MAX_KNOWN);
    return owner;
  }

  private async review(token: string): Promise<TokenOwner> {
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, audiences: [AGENT_AUDIENCE] },
    };
    if (this.asked >= MAX_ASKED_AT_ONCE) {
      if (this.queue.length >= MAX_KNOWN) return { kind: 'unanswered', reason: 'too many tokens wait to be looked at' };
      await new Promise<void>((resolve) => this.queue.push(resolve));
    }
    this.asked++;
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      return this.read(await this.needs.client.request('POST', PATH, { body, signal }));
    } catch (e) {
      const reason = e instanceof Error ? e.message : String(e);
      const what = e instanceof KubeRefusal ? 'refuses to review tokens' : 'cannot be asked about tokens';
      return { kind: 'unanswered', reason: `the API server ${what}: ${reason}` };
    } finally {
      this.asked--;
      this.queue.shift()?.();
    }
  }

  private read(answer: unknown): TokenOwner {
    const status = isRecord(answer) && isRecord(answer.status) ? answer.status : {};
    const { authenticated, audiences, error } = status;
    if (authenticated !== true)
      return { kind: 'unknown', reason: `the API server does not accept the token${error ? `: ${error}` : ''}` };
    // A server that knows nothing of audiences has looked at the token as one for itself.
    if (!Array.isArray(audiences) || !audiences.includes(AGENT_AUDIENCE))
      return { kind: 'unknown', reason: `the token is not for the audience "${AGENT_AUDIENCE}"` };
    const user = isRecord(status.user) ? status.user : {};
    if (user.username !== this.user)
      return { kind: 'other', reason: `the token is that of ${user.username}; agents have the account ${this.user}` };
    const extra = isRecord(user.extra) ? user.extra : {};
    const names = extra[NODE_NAME];
    const node: unknown = Array.isArray(names) ? names[0] : undefined;
    if (typeof node !== 'string' || node === '')
      return {
        kind: 'other',
        reason:
          'the token does not say on which node its pod runs: Kubernetes 1.30 and newer write that into tokens of pods. ' +
          'With an older one, use deploy/overlays/shared-token',
      };
    return { kind: 'agent', node };
  }
}

/** What a token says about itself; undefined if it is none. Nothing of it is believed before the API server has accepted it. */
function claimsOf(token: string): { readonly audiences: readonly unknown[]; readonly endsAt: number } | undefined {
  if (token.length > MAX_TOKEN) return undefined;
  const parts = token.split('.');
  if (parts.length !== 3) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString());
    if (!isRecord(claims) || typeof claims.exp !== 'number') return undefined;
    return { audiences: [claims.aud].flat(), endsAt: claims.exp * 1_000 };
  } catch {
    return undefined;
  }
}
