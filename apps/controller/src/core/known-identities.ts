import { type FactChange, factKey } from '@heddle/compiler';
import type { IdentityOf } from './holds.js';

/** A pod by its names. */
export interface PodName {
  readonly namespace: string;
  readonly pod: string;
}

/** Kinds of facts that are about one pod, under its key. */
const OF_ONE_POD: ReadonlySet<FactChange['kind']> = new Set(['pod', 'attachment']);
/** Kinds of facts that may give any pod another identity. */
const OF_ANY_POD: ReadonlySet<FactChange['kind']> = new Set(['namespace', 'policy', 'clusterPolicy']);
/** The compiler's step that makes the identity of a pod's labels: without it no pod has another than before. */
const IDENTITY_STEP = 'identity';

/** Identities of attached pods as the last compilation left them, so that nobody asks for all of them before and after each. */
export class KnownIdentities {
  private readonly keys = new Map<string, string>();

  constructor(
    private readonly attached: {
      ofPod(namespace: string, pod: string): object | undefined;
      all(): Iterable<{ readonly record: PodName }>;
    },
  ) {}

  /** Identity keys by NAMESPACE/NAME. */
  get all(): ReadonlyMap<string, string> {
    return this.keys;
  }

  /** Attached pods whose identity may be another than is known, now that the changes are compiled. */
  touched(changes: readonly FactChange[], steps: Readonly<Record<string, number>>): readonly PodName[] {
    if (changes.some((c) => OF_ANY_POD.has(c.kind)) && (steps[IDENTITY_STEP] ?? 0) > 0)
      return Array.from(this.attached.all(), ({ record: { namespace, pod } }) => ({ namespace, pod }));
    const keys = new Set(changes.filter((c) => OF_ONE_POD.has(c.kind)).map((c) => c.key));
    return [...keys].flatMap((key) => {
      const [namespace = '', pod = ''] = key.split('/');
      return this.attached.ofPod(namespace, pod) === undefined ? [] : [{ namespace, pod }];
    });
  }

  /** Takes over what the compiler says of these pods. */
  update(pods: readonly PodName[], identityOf: IdentityOf): void {
    for (const { namespace, pod } of pods) {
      const key = identityOf(namespace, pod)?.key;
      if (key === undefined) this.keys.delete(factKey(namespace, pod));
      else this.keys.set(factKey(namespace, pod), key);
    }
  }

  /** A pod is no longer attached. */
  forget({ namespace, pod }: PodName): void {
    this.keys.delete(factKey(namespace, pod));
  }
}
