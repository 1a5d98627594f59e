import {
  ApiError,
  DomainView,
  ExplainView,
  FlowsView,
  NodeView,
  PodView,
  ProblemView,
  path,
  RemovedNodeView,
  ROUTES,
  ServiceView,
  StatusView,
} from '@heddle/api';
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { connect, describeError } from './connection.js';
import { ofCommand } from './of/command.js';
import { ovsdbCommand } from './ovsdb/command.js';
import { policiesCommand, policyLogCommand } from './policies.js';
import { parseProtocolPort, resolveSource, resolveTarget } from './targets.js';
import {
  domainsText,
  explainText,
  flowsText,
  nodesText,
  podsText,
  problemsText,
  removedNodeText,
  servicesText,
  statusText,
} from './views.js';

/** Exit codes, also in the help text. */
const EXIT = { done: 0, error: 1, no: 2 } as const;
const WAIT_SLICE_MS = 20_000;

interface Output {
  readonly output: 'table' | 'json';
}

const output = () => new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table');

function print<T>(options: Output, data: T, text: (data: T) => string): void {
  process.stdout.write(`${options.output === 'json' ? JSON.stringify(data, null, 2) : text(data)}\n`);
}

function seconds(text: string): number {
  const n = Number(text);
  if (!Number.isFinite(n) || n < 0 || n > 86_400) throw new InvalidArgumentError('want seconds from 0 to 86400');
  return n;
}

const program = new Command('heddle')
  .description('Asks a Heddle controller what it does and why.')
  .showHelpAfterError('(--help shows how to use it)')
  .addHelpText(
    'after',
    `
Environment:
  HEDDLE_CONTROLLER_URL  https://HOST:PORT, http://HOST:PORT or unix:/PATH;
                         default: the lab on this machine, else http://127.0.0.1:8080
  HEDDLE_API_TOKEN_FILE  file with the API token (not needed on a unix socket)
  HEDDLE_TLS_CA          file (PEM) of the authority that signs the controller's certificate, for https:
  HEDDLE_TLS_KEY, HEDDLE_TLS_CERT  files (PEM) with your key and certificate, which the controller asks for

Exit codes:
  0  done; "status": realized; "explain": allowed
  1  an error, said on standard error
  2  "status": not realized; "explain": denied or rejected; "problems": there are errors

Examples:
  heddle status --wait
  heddle explain shop-web/frontend-0 svc/shop-core/api tcp/80
  heddle explain visitors/visitor shop-core/database tcp/5432 --flows
  heddle flows node1 --object NetworkPolicy/shop-core/default-deny`,
  );

program
  .command('status')
  .description('whether every change up to now is acknowledged by every switch')
  .option('--wait', 'until it is', false)
  .option('--timeout <seconds>', 'how long to wait', seconds, 60)
  .addOption(output())
  .addHelpText('after', '\nExamples:\n  heddle status\n  heddle status --wait --timeout 10 && echo realized')
  .action(async (o: Output & { wait: boolean; timeout: number }) => {
    const status = o.wait ? await waitRealized(o.timeout * 1000) : await connect().get(ROUTES.status, StatusView);
    print(o, status, statusText);
    if (!status.realized) process.exitCode = EXIT.no;
  });

/** Asks again when the controller's longest wait is over, and while it cannot be reached, until the time is up. */
async function waitRealized(timeoutMs: number): Promise<StatusView> {
  const api = connect();
  const end = performance.now() + timeoutMs;
  for (;;) {
    const left = Math.max(0, end - performance.now());
    const waitMs = Math.round(Math.min(left, WAIT_SLICE_MS));
    try {
      const status = await api.get(ROUTES.status, StatusView, { query: { waitMs }, timeoutMs: waitMs + 10_000 });
      if (status.realized || performance.now() >= end) return status;
    } catch (e) {
      // It may be starting.
      if (!(e instanceof ApiError) || e.code !== 'unavailable' || performance.now() >= end) throw e;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

const LISTS = [
  ['nodes', 'nodes, their switches, and what they have acknowledged', ROUTES.nodes, NodeView, nodesText, ''],
  ['pods', 'pods with their addresses and identities', ROUTES.pods, PodView, podsText, ''],
  ['services', 'services with their endpoints', ROUTES.services, ServiceView, servicesText, ''],
  [
    'domains',
    'addresses that domainNames of policies were seen to have',
    ROUTES.domains,
    DomainView,
    domainsText,
    `
A name has the addresses that trusted name servers (HEDDLE_DNS_SERVERS of the controller; default: the service
kube-system/kube-dns) answered to pods whose policies ask for it. They count for the TTL of the answer, 30 s at least.
Connections that were let in go on when an address ends.
`,
  ],
] as const;

for (const [name, description, route, schema, text, more] of LISTS)
  program
    .command(name)
    .description(description)
    .addOption(output())
    .addHelpText('after', `${more}\nExample:\n  heddle ${name} -o json`)
    .action(async (o: Output) => {
      const data = await connect().get(route, z.array(schema as z.ZodType));
      print(o, data, text as (data: unknown[]) => string);
    });

program.addCommand(policiesCommand());
program.addCommand(policyLogCommand());

program
  .command('node')
  .description('changes one node')
  .command('delete')
  .description('forgets a node that is gone for good, and gives its address blocks back')
  .argument('<name>')
  .option('--force', 'although pods are attached to it: they are detached', false)
  .addOption(output())
  .addHelpText(
    'after',
    `
Drain the node and stop its heddle-agent first: an agent that still runs registers the node anew.
Use --force only when the machine is gone: a machine that still runs goes on answering to addresses that others may get.

Examples:
  heddle node delete node3
  heddle node delete node3 --force`,
  )
  .action(async (name: string, o: Output & { force: boolean }) => {
    const query = { force: String(o.force) };
    print(o, await connect().delete(path(ROUTES.node, name), RemovedNodeView, { query }), removedNodeText);
  });

program
  .command('problems')
  .description('objects that cannot be used as they are written, and whatever else is wrong')
  .addOption(output())
  .action(async (o: Output) => {
    const problems = await connect().get(ROUTES.problems, z.array(ProblemView));
    print(o, problems, problemsText);
    if (problems.some((p) => p.severity === 'error')) process.exitCode = EXIT.no;
  });

program
  .command('flows')
  .description("a node's flows as ovs-ofctl text, with the objects that own them")
  .argument('<node>')
  .option('--table <name>', 'only this table, for example IngressPolicy')
  .option('--object <ref>', 'only what belongs to KIND/NAMESPACE/NAME (or KIND/NAME)')
  .addOption(output())
  .addHelpText(
    'after',
    '\nExamples:\n  heddle flows node1 --table IngressPolicy\n  heddle flows node1 --object Service/shop-core/api',
  )
  .action(async (node: string, o: Output & { table?: string; object?: string }) => {
    const view = await connect().get(path(ROUTES.nodeFlows, node), FlowsView, {
      query: { table: o.table, object: o.object },
    });
    print(o, view, flowsText);
  });

program
  .command('explain')
  .description('whether a connection is allowed, and every object that decides it')
  .argument('<from>', 'NAMESPACE/POD')
  .argument('<to>', 'NAMESPACE/POD, svc/NAMESPACE/NAME, NAMESPACE/SERVICE, an IP address, or a domain name of a policy')
  .argument('<proto/port>', 'tcp/80, udp/53, sctp/9, icmp')
  .option('--flows', 'also the flows that the packet meets, node by node', false)
  .addOption(output())
  .addHelpText(
    'after',
    `
Exit code: 0 allowed, 2 denied or rejected, 1 an error (also when the answer is not known).

Examples:
  heddle explain shop-web/frontend-0 shop-core/database tcp/5432
  heddle explain shop-core/api-0 10.96.0.10 tcp/80 --flows
  heddle explain visitors/visitor svc/shop-web/frontend tcp/80 -o json`,
  )
  .action(async (from: string, to: string, what: string, o: Output & { flows: boolean }) => {
    const { protocol, port } = parseProtocolPort(what);
    const api = connect();
    const [source, target] = await Promise.all([resolveSource(api, from), resolveTarget(api, to)]);
    const view = await api.get(ROUTES.explain, ExplainView, { query: { from: source, to: target, protocol, port } });
    print(o, view, (v) => explainText(v, o.flows));
    process.exitCode = { allowed: EXIT.done, denied: EXIT.no, rejected: EXIT.no, unknown: EXIT.error }[view.verdict];
  });

program.addCommand(ofCommand());

program.addCommand(ovsdbCommand());

// `heddle flows node1 | head`: the reader has enough.
process.stdout.on('error', (e: NodeJS.ErrnoException) => process.exit(e.code === 'EPIPE' ? EXIT.done : EXIT.error));

program.parseAsync().catch((e: unknown) => {
  process.stderr.write(`heddle: ${describeError(e)}\n`);
  process.exitCode = EXIT.error;
});
