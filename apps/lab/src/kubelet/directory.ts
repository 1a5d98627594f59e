import { type ApiClient, PodView, ROUTES, StatusView } from '@heddle/api';
import { z } from 'zod';
import { sleep } from '../host/run.js';
import type { Bandwidth, PodRecord, PortMapping } from '../host/state.js';

const POLL_MS = 200;

/** A pod that has to run on this lab. */
export interface WantedPod {
  readonly namespace: string;
  readonly name: string;
  /** Undefined: one is made up. A pod with another uid under the same name is another pod. */
  readonly uid: string | undefined;
  /** What CNI plugins hear as its UID; undefined: the same. */
  readonly cniUid: string | undefined;
  /** Empty: on any node. */
  readonly requestedNode: string;
  readonly hostNetwork: boolean;
  readonly containers: z.infer<typeof PodView>['containers'];
  readonly portMappings: readonly PortMapping[];
  readonly bandwidth: Bandwidth | undefined;
  /** It is to be ended, and `ended` to be called then. */
  readonly ending: boolean;
}

/** What the kubelet part knows of its pods, as `report` gets it. */
export interface Observed {
  readonly pods: ReadonlyMap<string, PodRecord>;
  /** Why pods could not even be begun. */
  readonly refused: ReadonlyMap<string, string>;
}

/** Where the kubelet part learns which pods to run, and tells what became of them. Keys are NAMESPACE/NAME. */
export interface PodDirectory {
  /** Undefined while the list is not complete: what is missing would look deleted. @throws Error when nobody answers */
  list(): Promise<readonly WantedPod[] | undefined>;
  report(observed: Observed): void;
  /** Nothing is left of a pod that was to be ended. */
  ended(pod: WantedPod): Promise<void>;
  /** Resolves when it is time to look again. */
  pause(): Promise<void>;
  /** Something has changed here: `pause` need not wait. */
  poke(): void;
}

/** The pods of the controller's manifests: it has read them, so it is asked. */
export class ManifestPods implements PodDirectory {
  constructor(private readonly api: ApiClient) {}

  async list(): Promise<readonly WantedPod[] | undefined> {
    const status = await this.api.get(ROUTES.status, StatusView, { timeoutMs: 5_000 });
    if (!status.source.inSync) return undefined;
    const pods = await this.api.get(ROUTES.pods, z.array(PodView), { timeoutMs: 5_000 });
    return pods.map(({ namespace, name, requestedNode, hostNetwork, containers }) => ({
      ...{ namespace, name, requestedNode, hostNetwork, containers },
      uid: undefined,
      cniUid: undefined,
      portMappings: [],
      bandwidth: undefined,
      ending: false,
    }));
  }

  report(): void {
    // The lab's own file is all that anybody reads.
  }
  async ended(): Promise<void> {
    // A manifest that is gone needs no farewell.
  }
  pause(): Promise<void> {
    return sleep(POLL_MS);
  }
  poke(): void {
    // The next look is soon enough.
  }
}
