import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Refusal } from '../../errors.js';
import { type HttpRequest, OPERATION, type OperationSpec } from './operation.js';

/** Requests that came over a unix socket: the mode of the socket says who may. */
const local = new WeakSet<IncomingMessage>();
export function markLocal(request: IncomingMessage): void {
  local.add(request);
}

/** The bearer token of the API; without one everybody who reaches a listener may call it. */
export class ApiToken {
  private readonly digest: Buffer | undefined;
  constructor(token: string | undefined) {
    this.digest = token === undefined ? undefined : sha256(token);
  }

  accepts(authorization: string | undefined): boolean {
    if (this.digest === undefined) return true;
    const given = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
    // Digests, because the comparison must take the same time for a token of any length.
    return given !== undefined && timingSafeEqual(sha256(given.trim()), this.digest);
  }
}

/** Lets a request through to a route if its permission allows. A route without an Operation is reachable by nobody. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly token: ApiToken,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const spec = this.reflector.get<OperationSpec | undefined>(OPERATION, context.getHandler());
    if (spec === undefined) throw new Error(`${context.getHandler().name} states no permission`);
    if (spec.permission === 'public') return true;
    const request = context.switchToHttp().getRequest<HttpRequest>();
    if (local.has(request) || this.token.accepts(request.headers.authorization)) return true;
    throw new Refusal('unauthorized', 'no or wrong bearer token: send "Authorization: Bearer TOKEN"');
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
