import { ExplainView, ROUTES } from '@heddle/api';
import { Controller } from '@nestjs/common';
import { z } from 'zod';
import { Input, Operation } from '../http/operation.js';
import { ExplainService } from './explain.service.js';

const ExplainQuery = z.object({
  from: z.string().min(1).max(600),
  to: z.string().min(1).max(600),
  protocol: z.preprocess(
    (value) => (typeof value === 'string' ? value.toLowerCase() : value),
    z.enum(['tcp', 'udp', 'sctp', 'icmp']).default('tcp'),
  ),
  port: z.coerce.number().int().min(1).max(65_535).optional(),
});

@Controller()
export class ExplainController {
  constructor(private readonly explanations: ExplainService) {}

  @Operation({
    method: 'GET',
    route: ROUTES.explain,
    permission: 'read',
    summary: 'Whether one end may open a connection to another, and every object that decides it.',
    query: ExplainQuery,
    answer: ExplainView,
  })
  explain(@Input('query') query: z.output<typeof ExplainQuery>): ExplainView {
    return this.explanations.answer(query);
  }
}
