import type { DomainView } from '@heddle/api';
import { Injectable } from '@nestjs/common';
import { DomainObserver } from '../../dns/domain-observer.js';

/** What names of policies stand for. */
@Injectable()
export class DomainsService {
  constructor(private readonly observer: DomainObserver) {}

  domains(): DomainView[] {
    const byName = new Map<string, DomainView>();
    for (const { name, address, secondsLeft } of this.observer.entries()) {
      const view = byName.get(name) ?? { name, addresses: [] };
      view.addresses.push({ address, secondsLeft });
      byName.set(name, view);
    }
    return [...byName.values()];
  }
}
