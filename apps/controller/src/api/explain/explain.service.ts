import type { ExplainView } from '@heddle/api';
import { type Compiler, type ExplainEnd, explain, parseExplainEnd } from '@heddle/compiler';
import { Inject, Injectable } from '@nestjs/common';
import { Refusal } from '../../errors.js';
import { COMPILER } from '../../runtime/tokens.js';

export interface Question {
  readonly from: string;
  readonly to: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp';
  readonly port?: number | undefined;
}

const PROTOCOLS = { tcp: 'TCP', udp: 'UDP', sctp: 'SCTP', icmp: 'ICMP' } as const;

/** Answers whether, and why, one end may talk to another, from what is compiled now. */
@Injectable()
export class ExplainService {
  constructor(@Inject(COMPILER) private readonly compiler: Compiler) {}

  /** @throws Refusal bad_request */
  answer({ from, to, protocol, port }: Question): ExplainView {
    const source = end('from', from);
    if (source.kind === 'service')
      throw new Refusal('bad_request', 'from: a service sends nothing; name a pod or an address');
    if (protocol !== 'icmp' && port === undefined) throw new Refusal('bad_request', `port: ${protocol} needs one`);
    const answer = explain(this.compiler, {
      from: source,
      to: end('to', to),
      protocol: PROTOCOLS[protocol],
      ...(protocol === 'icmp' ? {} : { port }),
    });
    // The compiler's lists are read-only, the view's are not.
    return structuredClone(answer) as ExplainView;
  }
}

function end(field: string, text: string): ExplainEnd {
  try {
    return parseExplainEnd(text);
  } catch (cause) {
    throw new Refusal('bad_request', `${field}: "${text}" is not NAMESPACE/POD, svc:NAMESPACE/NAME or an address`, [], {
      cause,
    });
  }
}
