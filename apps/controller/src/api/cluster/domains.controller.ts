import { DomainView, ROUTES } from '@heddle/api';
import { Controller } from '@nestjs/common';
import { z } from 'zod';
import { Operation } from '../http/operation.js';
import { DomainsService } from './domains.service.js';

@Controller()
export class DomainsController {
  constructor(private readonly names: DomainsService) {}

  @Operation({
    method: 'GET',
    route: ROUTES.domains,
    permission: 'read',
    summary: 'Names that policies ask for, with the addresses that name servers were seen to give for them.',
    answer: z.array(DomainView),
  })
  domains(): DomainView[] {
    return this.names.domains();
  }
}
