import { afterAll, beforeAll, describe } from 'vitest';
import { serveCoreKinds } from './behaviours/core-kinds.js';
import { serveCustomResources } from './behaviours/custom-resources.js';
import { deleteObjects } from './behaviours/deletion.js';
import { listAndWatch } from './behaviours/lists-and-watches.js';
import { answerRequests } from './behaviours/requests.js';
import { Suite } from './behaviours/suite.js';
import { reviewTokens } from './behaviours/tokens.js';
import { write } from './behaviours/writes.js';
import { SERVERS } from './servers.js';

for (const { title, skip, start } of SERVERS)
  describe.skipIf(skip)(title, { timeout: 60_000 }, () => {
    const suite = new Suite();
    beforeAll(() => suite.begin(start), 180_000);
    afterAll(() => suite.end());

    answerRequests(suite);
    listAndWatch(suite);
    write(suite);
    deleteObjects(suite);
    serveCoreKinds(suite);
    serveCustomResources(suite);
    reviewTokens(suite);
  });
