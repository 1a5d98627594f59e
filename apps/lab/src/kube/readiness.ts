import { isIPv6 } from 'node:net';
import { netnsPath } from '../host/paths.js';
import { runAny } from '../host/run.js';
import type { KubeContainer, KubePod, KubeProbe } from './objects.js';

/** Where a pod's probes run. */
export interface ProbeTarget {
  readonly podNetns: string;
  readonly nodeNetns: string;
  readonly ip: string;
}

interface ProbeState {
  ready: boolean;
  /** Outcomes in a row that are against `ready`. */
  against: number;
  nextAt: number;
  busy: boolean;
}

/**
 * Readiness of containers, by their readinessProbe: tcpSocket and httpGet from the node, as kubelet does; exec in the pod's network namespace. Without a
 * probe (grpc counts as none) a container is ready as soon as it runs.
 */
export class Readiness {
  private readonly states = new Map<string, ProbeState>();

  constructor(
    private readonly now: () => number,
    private readonly changed: () => void,
  ) {}

  /** Containers that are ready now; starts the probes that are due. */
  of(pod: KubePod, sandbox: string, target: ProbeTarget): ReadonlySet<string> {
    const ready = new Set<string>();
    for (const container of pod.spec.containers) {
      const probe = container.readinessProbe;
      if (probe === undefined || commandOf(probe, container, target) === undefined) {
        ready.add(container.name);
        continue;
      }
      const key = `${sandbox}/${container.name}`;
      const state = this.states.get(key) ?? {
        ready: false,
        against: 0,
        nextAt: this.now() + (probe.initialDelaySeconds ?? 0) * 1_000,
        busy: false,
      };
      this.states.set(key, state);
      if (state.ready) ready.add(container.name);
      if (!state.busy && this.now() >= state.nextAt) void this.ask(state, probe, container, target);
    }
    return ready;
  }

  /** Milliseconds until the next probe of anything is due. */
  dueInMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const s of this.states.values()) if (!s.busy) next = Math.min(next, s.nextAt - this.now());
    return Math.max(0, next);
  }

  /** Forgets all other sandboxes. */
  keep(sandboxes: ReadonlySet<string>): void {
    for (const key of this.states.keys()) if (!sandboxes.has(key.slice(0, key.indexOf('/')))) this.states.delete(key);
  }

  private async ask(state: ProbeState, probe: KubeProbe, container: KubeContainer, target: ProbeTarget): Promise<void> {
    state.busy = true;
    try {
      const argv = commandOf(probe, container, target) ?? ['true'];
      const timeoutMs = (probe.timeoutSeconds ?? 1) * 1_000;
      const good = await runAny(argv, { timeoutMs }).then(
        ({ code }) => code === 0,
        () => false,
      );
      if (good === state.ready) {
        state.against = 0;
        return;
      }
      state.against++;
      if (state.against < (good ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3))) return;
      state.ready = good;
      state.against = 0;
      this.changed();
    } finally {
      state.busy = false;
      state.nextAt = this.now() + (probe.periodSeconds ?? 10) * 1_000;
    }
  }
}

/** The program that is the probe; undefined for a kind that we do not know. */
function commandOf(
  { exec, tcpSocket, httpGet }: KubeProbe,
  container: KubeContainer,
  { podNetns, nodeNetns, ip }: ProbeTarget,
): readonly string[] | undefined {
  const host = isIPv6(ip) ? `[${ip}]` : ip;
  const within = (netns: string, ...argv: readonly string[]) => ['nsenter', `--net=${netnsPath(netns)}`, '--', ...argv];
  const numbered = (port: number | string) =>
    typeof port === 'number' || /^\d+$/.test(port)
      ? Number(port)
      : (container.ports?.find((p) => p.name === port)?.containerPort ?? 0);
  if (exec !== undefined) return within(podNetns, ...(exec.command ?? []));
  if (tcpSocket !== undefined)
    return within(nodeNetns, 'bash', '-c', ': <"/dev/tcp/$0/$1"', ip, String(numbered(tcpSocket.port)));
  if (httpGet === undefined) return undefined;
  const { path = '/', port, scheme = 'HTTP' } = httpGet;
  const url = `${scheme.toLowerCase()}://${host}:${numbered(port)}${path.startsWith('/') ? '' : '/'}${path}`;
  // kubelet takes 200 to 399 for good, and any certificate.
  return within(nodeNetns, 'curl', '--globoff', '--insecure', '--silent', '--fail', '--output', '/dev/null', url);
}
