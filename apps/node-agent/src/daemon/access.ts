import { type ApiTls, TlsFollower, tokenReader } from '@heddle/api';
import type { Logger } from 'pino';
import { copyForSwitch } from '../host/switch-tls.js';
import type { AgentEnvironment } from './environment.js';

/** What we show to the controller, as the files have it now: they are renewed while the agent runs. */
export interface Access {
  readonly token: (() => string) | undefined;
  readonly tls: (() => ApiTls) | undefined;
  stop(): void;
}

type Needs = Pick<AgentEnvironment, 'apiTokenFile' | 'tls' | 'switchTlsDir'>;

/** Also keeps the switch's copies of the files new, if it needs any. @throws TlsFilesError if the files do not belong together */
export function followAccess({ apiTokenFile, tls: files, switchTlsDir }: Needs, logger: Logger): Access {
  const token =
    apiTokenFile === undefined
      ? undefined
      : tokenReader(apiTokenFile, (reason) => logger.error({ reason }, 'token_not_read'));
  if (files === undefined) return { token, tls: undefined, stop: () => undefined };
  const follower = new TlsFollower({
    files,
    events: {
      renewed: ({ certificateEndsAt }) => logger.info({ certificateEnds: date(certificateEndsAt) }, 'tls_renewed'),
      refused: (reason) => logger.error({ reason, inUse: 'the files of before' }, 'tls_refused'),
      ending: (what, endsAt) => logger.warn({ what, ends: date(endsAt) }, 'tls_ends'),
    },
  });
  if (switchTlsDir !== undefined) {
    copyForSwitch(follower.current, switchTlsDir);
    follower.onRenewed((set) => {
      try {
        copyForSwitch(set, switchTlsDir);
      } catch (err) {
        logger.error({ err, switchTlsDir }, 'tls_not_copied');
      }
    });
  }
  follower.start();
  return {
    token,
    tls: () => {
      // A request that is made right after the renewal is made with what is new.
      follower.look();
      const { key, cert, ca } = follower.current;
      return { key, cert, ca };
    },
    stop: () => follower.stop(),
  };
}

const date = (ms: number): string => new Date(ms).toISOString();
