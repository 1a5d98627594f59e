import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Allocations } from '../../allocation/allocations.js';
import { AgentContacts } from '../../core/agent-contacts.js';
import type { SwitchOrigins } from '../../core/switch-origins.js';
import { Refusal } from '../../errors.js';
import type { AgentTokens } from '../../kubernetes/agent-tokens.js';
import { type HttpRequest, type NodePlace, OPERATION, type OperationSpec } from './operation.js';

/** Requests that came over a unix socket: the mode of the socket says who may. */
const local = new WeakSet<IncomingMessage>();
export function markLocal(request: IncomingMessage): void {
  local.add(request);
}

/** The bearer token of the API; without one everybody who reaches a listener may call it. */
export class ApiToken {
  /** @param current the token that counts now */
  constructor(private readonly current: (() => string) | undefined) {}

  accepts(given: string | undefined): boolean {
    if (this.current === undefined) return true;
    // Digests, because the comparison must take the same time for a token of any length.
    return given !== undefined && timingSafeEqual(sha256(given), sha256(this.current()));
  }
}

/** Who the agents are, if each has a token of its own. */
export class AgentAccess {
  constructor(
    readonly tokens: AgentTokens | undefined,
    readonly origins: SwitchOrigins | undefined,
  ) {}
}

/** Lets a request through to a route if its permission allows. A route without an Operation is reachable by nobody. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly token: ApiToken,
    private readonly agents: AgentAccess,
    private readonly allocations: Allocations,
    private readonly contacts: AgentContacts,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const spec = this.reflector.get<OperationSpec | undefined>(OPERATION, context.getHandler());
    if (spec === undefined) throw new Error(`${context.getHandler().name} states no permission`);
    if (spec.permission === 'public') return true;
    const request = context.switchToHttp().getRequest<HttpRequest>();
    const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]?.trim();
    const claimed = spec.permission === 'agent' ? this.nodeOf(spec.node, request) : undefined;
    if (local.has(request) || this.token.accepts(given)) {
      this.noteCertificate(claimed, request);
      return true;
    }
    if (given === undefined || this.agents.tokens === undefined)
      throw new Refusal('unauthorized', 'no or wrong bearer token: send "Authorization: Bearer TOKEN"');
    const owner = await this.agents.tokens.ownerOf(given);
    if (owner.kind === 'unknown') throw new Refusal('unauthorized', `wrong bearer token: ${owner.reason}`);
    if (owner.kind === 'unanswered') throw new Refusal('unavailable', owner.reason);
    if (owner.kind === 'other') throw new Refusal('forbidden', owner.reason);
    this.agents.origins?.agentSpoke(owner.node, request.socket.remoteAddress);
    if (spec.permission !== 'agent')
      throw new Refusal('forbidden', `the agent of node ${owner.node} may not do this: it needs the API token`);
    // What names no node that there is goes on, to be refused as it would be for anybody.
    if (claimed !== undefined && claimed !== owner.node)
      throw new Refusal(
        'forbidden',
        `this token is of the agent of node ${owner.node}: it may not speak for node ${claimed}`,
      );
    this.noteCertificate(owner.node, request);
    return true;
  }

  /** So that a renewal that did not reach a node is seen before its agent and its switch are refused. */
  private noteCertificate(node: string | undefined, { socket }: HttpRequest): void {
    if (node === undefined || !(socket instanceof TLSSocket) || this.allocations.nodes.get(node) === undefined) return;
    const endsAt = Date.parse(socket.getPeerCertificate().valid_to);
    if (!Number.isNaN(endsAt)) this.contacts.showed(node, endsAt);
  }

  private nodeOf(place: NodePlace, { params, body }: HttpRequest): string | undefined {
    if (place === 'path') return params.name;
    const { node, portKey } = (body ?? {}) as { readonly node?: unknown; readonly portKey?: unknown };
    if (place === 'body') return typeof node === 'string' ? node : undefined;
    return typeof portKey === 'number' ? this.allocations.attachments.get(portKey)?.record.node : undefined;
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
