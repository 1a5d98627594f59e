import { type ApiHandle, startKubeApi, startRealKubeApi, whyNoRealKubeApi } from '../support/kube-api/index.js';

/** What both servers can do. */
export interface Server extends ApiHandle {
  /** Makes resourceVersions that were read before too old. */
  expire(): Promise<void>;
}

export interface ServerRow {
  /** What a suite over it is called; says when and why it is skipped. */
  readonly title: string;
  readonly skip: boolean;
  start(): Promise<Server>;
}

const missing = whyNoRealKubeApi();

/** The small API server always, a real one where it is installed: what a suite expects holds for both. */
export const SERVERS: readonly ServerRow[] = [
  {
    title: 'the small API server',
    skip: false,
    async start() {
      const api = await startKubeApi();
      return { ...api, expire: async () => api.expire() };
    },
  },
  {
    title: `a real API server${missing === undefined ? '' : ` (skipped: ${missing})`}`,
    skip: missing !== undefined,
    start: () => startRealKubeApi(),
  },
];
