import { TLS_WARNING_MS, type TlsFiles, TlsFollower } from '@heddle/api';
import type { Clock } from '../clock.js';
import type { Logger } from '../logging/logger.js';
import type { Problem } from '../source/model.js';

export interface TlsNeeds {
  readonly files: TlsFiles;
  readonly clock: Clock;
  readonly wallNow: () => number;
  readonly logger: Logger;
}

/** Follows the files of the `ssl:` listeners, and logs how they are. @throws TlsFilesError */
export function followTls({ files, clock, wallNow, logger }: TlsNeeds): TlsFollower {
  return new TlsFollower({
    files,
    now: wallNow,
    after: (ms, callback) => clock.after(ms, callback),
    events: {
      renewed: ({ certificateEndsAt, authorityEndsAt }) =>
        logger.info({
          event: 'tls-renewed',
          certificateEnds: date(certificateEndsAt),
          authorityEnds: date(authorityEndsAt),
        }),
      refused: (reason) => logger.error({ event: 'tls-refused', reason, inUse: 'the files of before' }),
      ending: (what, endsAt) => logger.warn({ event: 'tls-ends', what, file: fileOf(files, what), ends: date(endsAt) }),
    },
  });
}

/** What is wrong with the files now. */
export function tlsProblems(follower: TlsFollower, files: TlsFiles, now: number): Problem[] {
  const { trouble } = follower;
  const refused =
    trouble === undefined ? [] : [problem('error', files.cert, `renewed TLS files are not in use, as ${trouble}`)];
  const ending = follower
    .ending()
    .map(({ what, endsAt }) =>
      endsAt <= now
        ? problem('error', fileOf(files, what), `the ${what} has ended: ${date(endsAt)}`)
        : problem('warning', fileOf(files, what), `the ${what} ends soon: ${date(endsAt)}`),
    );
  return [...refused, ...ending];
}

/** Names in a problem; a cluster may have thousands of nodes. */
const NAMED = 3;

/** Agents whose certificates end soon: their nodes do not get what is renewed. The switch shows the same files. */
export function agentTlsProblems(certificates: ReadonlyMap<string, number>, now: number): Problem[] {
  const ending = [...certificates].filter(([, endsAt]) => endsAt - now < TLS_WARNING_MS).sort(([, a], [, b]) => a - b);
  const [first] = ending;
  if (first === undefined) return [];
  const names = ending.slice(0, NAMED).map(([node]) => node);
  const nodes = `${names.join(', ')}${ending.length > NAMED ? ` and ${ending.length - NAMED} more` : ''}`;
  return [
    problem('warning', '', `the certificate that agents show ends soon, the first one ${date(first[1])}: ${nodes}`),
  ];
}

const problem = (severity: Problem['severity'], file: string, reason: string): Problem => ({
  severity,
  file,
  line: null,
  object: null,
  reason,
});
const fileOf = (files: TlsFiles, what: 'certificate' | 'authority') => (what === 'certificate' ? files.cert : files.ca);
const date = (ms: number): string => new Date(ms).toISOString();
