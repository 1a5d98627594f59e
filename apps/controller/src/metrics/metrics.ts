import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const FAST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Values that are read when somebody asks. */
export interface MetricReaders {
  readonly generation: () => number;
  readonly problems: () => { readonly errors: number; readonly warnings: number };
  readonly attachments: () => number;
  readonly heldPods: () => number;
  /** Packets by what policies did with them; of few policies. */
  readonly policyPackets: () => readonly {
    readonly namespace: string;
    readonly policy: string;
    readonly verdict: 'allowed' | 'denied';
    readonly packets: number;
  }[];
  /** Packets that policies dropped since the start. */
  readonly policyDrops: () => Iterable<{
    readonly node: string;
    readonly direction: string;
    readonly packets: number;
  }>;
  /** Of the `ssl:` listeners' files; undefined if there are none. Milliseconds since 1970. */
  readonly tls: () =>
    | { readonly certificateEndsAt: number; readonly authorityEndsAt: number; readonly refused: boolean }
    | undefined;
  /** By node, when the certificate that its agent showed ends; milliseconds since 1970. */
  readonly agentCertificates: () => Iterable<readonly [node: string, endsAt: number]>;
  readonly names: () => {
    /** Answers of name servers, by whether they could be read. */
    readonly read: number;
    readonly unreadable: number;
    /** TCP connections to name servers that are followed, and segments of others. */
    readonly connections: number;
    readonly unreadSegments: number;
    readonly addresses: number;
    /** Addresses that did not fit. */
    readonly refused: number;
    readonly packetsAgain: number;
  };
  readonly nodes: () => readonly {
    readonly name: string;
    readonly connected: boolean;
    readonly realizedGeneration: number;
    readonly flows: number;
    readonly groups: number;
    readonly modsSent: number;
  }[];
}

/** The controller's Prometheus metrics, in a registry of their own. */
export class Metrics {
  readonly registry = new Registry();
  readonly compileSeconds = new Histogram({
    name: 'heddle_compile_seconds',
    help: 'Time that the compiler takes for one generation',
    buckets: FAST_SECONDS,
    registers: [this.registry],
  });
  readonly compileSteps = new Counter({
    name: 'heddle_compile_steps_total',
    help: 'Evaluations of each kind of compiler step',
    labelNames: ['step'],
    registers: [this.registry],
  });
  readonly realizationSeconds = new Histogram({
    name: 'heddle_realization_seconds',
    help: 'Time from the change to the acknowledgement by the switch',
    labelNames: ['node'],
    buckets: FAST_SECONDS,
    registers: [this.registry],
  });
  readonly attachSeconds = new Histogram({
    name: 'heddle_attach_seconds',
    help: 'Time that the controller takes to answer an attach, waiting for the source included',
    labelNames: ['result'],
    buckets: FAST_SECONDS,
    registers: [this.registry],
  });
  readonly nodesDeparted = new Counter({
    name: 'heddle_nodes_departed_total',
    help: 'Nodes that were removed because their Node objects were deleted',
    registers: [this.registry],
  });
  readonly policyVerdicts = new Counter({
    name: 'heddle_policy_verdicts_logged_total',
    help: 'Packets that switches told of for policies that ask for it',
    labelNames: ['verdict'],
    registers: [this.registry],
  });
  readonly policyVerdictsSuppressed = new Counter({
    name: 'heddle_policy_verdicts_suppressed_total',
    help: 'Packets that switches told of and that were left out of the log, as there were too many different ones',
    labelNames: ['node'],
    registers: [this.registry],
  });

  constructor() {
    // Process and event loop figures (nodejs_eventloop_lag_seconds among them).
    collectDefaultMetrics({ register: this.registry });
  }

  /** Adds the gauges that look at the running system. */
  observe(readers: MetricReaders): void {
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers: [this.registry],
        collect() {
          this.set(read());
        },
      });
    gauge('heddle_generation', 'Newest generation of the desired state', readers.generation);
    gauge('heddle_attachments', 'Recorded pod attachments', readers.attachments);
    gauge(
      'heddle_held_pods',
      'Pods that carry their earlier identity until switches know the new one',
      readers.heldPods,
    );
    new Gauge({
      name: 'heddle_tls_ends_timestamp_seconds',
      help: 'When the certificate and the authority of the listeners end, in seconds since 1970',
      labelNames: ['what'],
      registers: [this.registry],
      collect() {
        const tls = readers.tls();
        if (tls === undefined) return;
        this.set({ what: 'certificate' }, Math.floor(tls.certificateEndsAt / 1_000));
        this.set({ what: 'authority' }, Math.floor(tls.authorityEndsAt / 1_000));
      },
    });
    new Gauge({
      name: 'heddle_agent_tls_ends_timestamp_seconds',
      help: 'When the certificate ends that the agent of a node showed last, in seconds since 1970',
      labelNames: ['node'],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [node, endsAt] of readers.agentCertificates()) this.set({ node }, Math.floor(endsAt / 1_000));
      },
    });
    gauge('heddle_tls_files_refused', '1 if the TLS files were renewed and cannot be used', () =>
      readers.tls()?.refused ? 1 : 0,
    );
    const counter = (name: string, help: string, read: () => number) =>
      new Counter({
        name,
        help,
        registers: [this.registry],
        collect() {
          this.reset();
          this.inc(read());
        },
      });
    gauge('heddle_domain_addresses', 'Addresses that names of policies have', () => readers.names().addresses);
    counter(
      'heddle_domain_addresses_refused_total',
      'Addresses of names that were not taken, as there were too many',
      () => readers.names().refused,
    );
    counter(
      'heddle_domain_first_packets_total',
      'Packets that were sent again, as they came before their switch knew the address of a name',
      () => readers.names().packetsAgain,
    );
    gauge(
      'heddle_dns_connections',
      'TCP connections of pods to name servers that are followed',
      () => readers.names().connections,
    );
    counter(
      'heddle_dns_segments_unread_total',
      'Segments of name servers with data that were not read, as the beginning of their connection or one before was not seen',
      () => readers.names().unreadSegments,
    );
    new Counter({
      name: 'heddle_dns_answers_total',
      help: 'Answers of name servers that switches told of',
      labelNames: ['outcome'],
      registers: [this.registry],
      collect() {
        const { read, unreadable } = readers.names();
        this.reset();
        this.inc({ outcome: 'read' }, read);
        this.inc({ outcome: 'unreadable' }, unreadable);
      },
    });
    new Gauge({
      name: 'heddle_source_problems',
      help: 'Things in the source that cannot be used as written',
      labelNames: ['severity'],
      registers: [this.registry],
      collect() {
        const { errors, warnings } = readers.problems();
        this.set({ severity: 'error' }, errors);
        this.set({ severity: 'warning' }, warnings);
      },
    });
    new Counter({
      name: 'heddle_policy_packets_total',
      help: 'Packets that policies decided on: policies that ask to be told (heddle.dev/log), and the 20 that decided most',
      labelNames: ['namespace', 'policy', 'verdict'],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { packets, ...labels } of readers.policyPackets()) this.inc(labels, packets);
      },
    });
    new Counter({
      name: 'heddle_policy_dropped_packets_total',
      help: 'Packets that policies dropped, as read from the switches',
      labelNames: ['node', 'direction'],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { node, direction, packets } of readers.policyDrops()) this.inc({ node, direction }, packets);
      },
    });
    type NodeReading = ReturnType<MetricReaders['nodes']>[number];
    const perNode = (name: string, help: string, read: (node: NodeReading) => number) =>
      new Gauge({
        name,
        help,
        labelNames: ['node'],
        registers: [this.registry],
        collect() {
          this.reset();
          for (const node of readers.nodes()) this.set({ node: node.name }, read(node));
        },
      });
    perNode('heddle_node_connected', '1 if the OpenFlow connection of the node is up', (n) => (n.connected ? 1 : 0));
    perNode(
      'heddle_node_realized_generation',
      'Newest generation that the switch has acknowledged',
      (n) => n.realizedGeneration,
    );
    perNode('heddle_node_flows', 'Flows that the node should have', (n) => n.flows);
    perNode('heddle_node_groups', 'Groups that the node should have', (n) => n.groups);
    perNode('heddle_node_mods_sent', 'Flow-mods and group-mods sent since the start', (n) => n.modsSent);
  }
}
