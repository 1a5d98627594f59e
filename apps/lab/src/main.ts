import { resolve } from 'node:path';
import { table } from '@heddle/api';
import { Command, InvalidArgumentError, Option } from 'commander';
import { control } from './commands/control.js';
import { down } from './commands/down.js';
import { execInside, logs } from './commands/inside.js';
import { apply, remove } from './commands/manifests.js';
import { type ProbeOptions, probe } from './commands/probe.js';
import { formatStatus, labStatus } from './commands/status.js';
import { up } from './commands/up.js';
import { waitForAll } from './commands/wait.js';
import { withLock } from './host/lock.js';
import { labPaths, MARKER } from './host/paths.js';
import { Progress } from './host/progress.js';
import { type LabOptions, readLabState } from './host/state.js';

const DEMO = new URL('../examples/shop', import.meta.url).pathname;
type Encap = LabOptions['encap'];

const LOCK_TIMEOUT_MS = 300_000;

const paths = labPaths();
const progress = new Progress();
const locked = (work: () => Promise<void>) => withLock(`${paths.stateDir}.lock`, LOCK_TIMEOUT_MS, work);

function count(least: number, most: number) {
  return (text: string): number => {
    const n = Number(text);
    if (!Number.isInteger(n) || n < least || n > most)
      throw new InvalidArgumentError(`want a number from ${least} to ${most}`);
    return n;
  };
}

const output = () => new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table');
const timeout = () => new Option('--timeout <seconds>', 'give up after').argParser(count(1, 3600)).default(60);

interface UpFlags {
  readonly nodes?: number;
  readonly manifests?: string;
  readonly ipv4Only?: true;
  readonly dual?: true;
  readonly encap?: Encap;
  readonly kubeconfig?: string;
  readonly endpointSlices?: boolean;
  readonly matrix: boolean;
}

const program = new Command('heddle-lab')
  .enablePositionalOptions()
  .description(
    `A multi-node lab of Heddle on this machine. A node is a network namespace with its own Open vSwitch (userspace datapath), a pod is a
network namespace attached by the real CNI executable, and this program plays the kubelet.`,
  )
  .showHelpAfterError('(--help shows how to use it)')
  .addHelpText(
    'after',
    `
Environment:
  HEDDLE_LAB_NAME   another lab beside the usual one: up to 6 letters and digits, part of every namespace's name
  HEDDLE_LOG_LEVEL  passed to the controller and the agents

Exit codes: 0 done; 1 an error; 2 the measured reachability is not the expected one (up), something is not healthy (status),
a connection failed (probe); exec gives the exit code of its command.`,
  );

program
  .command('up')
  .description('start the lab, or what does not run of it; apply the manifests; measure who reaches whom')
  .option('--nodes <number>', 'how many nodes (3)', count(1, 99))
  .option('--manifests <dir>', 'directory with Kubernetes YAML, and optionally a reachability.txt (the demo)')
  .addOption(new Option('--ipv4-only', 'without IPv6').conflicts('dual'))
  .option('--dual', 'IPv4 and IPv6 (the default)')
  .addOption(new Option('--encap <encap>', 'tunnels between nodes').choices(['geneve', 'vxlan']))
  .option('--kubeconfig <file>', 'play the kubelets of this API server; its pods run here, and the controller reads it')
  .option(
    '--endpoint-slices',
    'with --kubeconfig: make EndpointSlices (the default where no kube-controller-manager runs)',
  )
  .option('--no-endpoint-slices', 'with --kubeconfig: leave EndpointSlices to others')
  .option('--no-matrix', 'do not measure who reaches whom')
  .addHelpText('after', '\nExamples:\n  heddle-lab up\n  heddle-lab up --nodes 5 --manifests ./my-app --encap vxlan')
  .addHelpText(
    'after',
    '\nWhat is not given is as the running lab has it, else 3 nodes, the demo (with --kubeconfig: nothing), dual stack, geneve.',
  )
  .addHelpText(
    'after',
    `
With --kubeconfig the lab registers its nodes at the API server, runs the pods that are scheduled to them, and reports their status. Where no kube-scheduler holds
its lease the lab schedules (nodeSelector, least loaded); where no kube-controller-manager does, it makes EndpointSlices and default service accounts, and
'apply' makes pods in the place of Deployments, ReplicaSets and StatefulSets. A container without a command is the echo program, an image called pause is
nothing but the network namespace. Init containers, volumes, restart policies and gRPC probes are not played. 'down' takes the nodes and their pods out of
the cluster.`,
  )
  .action((o: UpFlags) =>
    locked(async () => {
      // The short-lived helpers of this command (ip, ovs-vsctl ...) are found by `down` too, should we be killed meanwhile.
      process.env[MARKER] = paths.stateDir;
      const running = (await readLabState(paths))?.options;
      const kubeconfig = o.kubeconfig === undefined ? (running?.kubeconfig ?? null) : resolve(o.kubeconfig);
      const options = {
        nodes: o.nodes ?? running?.nodes ?? 3,
        ipv6: o.ipv4Only === true ? false : (o.dual ?? running?.ipv6 ?? true),
        encap: o.encap ?? running?.encap ?? ('geneve' as const),
        manifests:
          o.manifests === undefined ? (running?.manifests ?? (kubeconfig === null ? DEMO : '')) : resolve(o.manifests),
        kubeconfig,
        endpointSlices: o.endpointSlices ?? running?.endpointSlices ?? null,
        matrix: o.matrix,
      };
      if (await up(paths, options, progress)) progress.say('the lab is up');
      else process.exitCode = 2;
    }),
  );

program
  .command('down')
  .description('end every process and remove every namespace, link, mount and file of the lab, also after a crash')
  .action(() => locked(() => down(paths, progress)));

program
  .command('status')
  .description('what runs')
  .addOption(output())
  .action(async (o: { output: string }) => {
    const status = await labStatus(paths);
    process.stdout.write(`${o.output === 'json' ? JSON.stringify(status, null, 2) : formatStatus(status)}\n`);
    if (!status.healthy) process.exitCode = 2;
  });

program
  .command('exec')
  .description('run a command in the network namespace of a pod, or of a node (node/NAME)')
  .argument('<pod>', 'NAMESPACE/POD, NAMESPACE/DEPLOYMENT (its first pod) or node/NAME')
  .argument('<command...>')
  .passThroughOptions()
  .addHelpText(
    'after',
    '\nExamples:\n  heddle-lab exec shop-web/frontend -- ip addr\n  heddle-lab exec node/node1 -- ip route',
  )
  .action(async (pod: string, command: string[]) => {
    process.exitCode = await execInside(paths, pod, command[0] === '--' ? command.slice(1) : command);
  });

program
  .command('logs')
  .description('logs of: controller | kubelet | agent NODE | ovs NODE | pod NS/POD')
  .argument('[what...]')
  .option('-f, --follow', 'go on as it grows', false)
  .option('-n, --lines <number>', 'how many lines from the end', '100')
  .option('-c, --container <name>', 'of a pod with several')
  .action(async (what: string[], o: { follow: boolean; lines: string; container?: string }) => {
    process.exitCode = await logs(paths, what, o);
  });

program
  .command('apply')
  .description(
    'copy manifests into the watched directory, or apply them at the API server; wait until pods run and every switch has acknowledged',
  )
  .argument('<file-or-dir>')
  .addOption(timeout())
  .action((source: string, o: { timeout: number }) => locked(() => apply(paths, source, o.timeout * 1000, progress)));

program
  .command('delete')
  .description('take a manifest that was applied back, from directory or API server; wait until its objects are gone')
  .argument('<file>', 'its name; the folder does not matter')
  .addOption(timeout())
  .action((file: string, o: { timeout: number }) => locked(() => remove(paths, file, o.timeout * 1000, progress)));

program
  .command('wait')
  .description('wait until exactly the pods of the watched directory run, or those of the API server are ready')
  .addOption(timeout())
  .action((o: { timeout: number }) => waitForAll(paths, o.timeout * 1000, progress));

program
  .command('probe')
  .description('try connections from inside pods, all at once')
  .requiredOption('--from <pods...>', 'NS/POD, NS/DEPLOYMENT, or all')
  .requiredOption(
    '--to <targets...>',
    'NS/POD[:PORT], svc/NS/NAME[:PORT], ADDRESS:PORT, each with /tcp, /udp or /icmp if wanted; or all',
  )
  .addOption(
    new Option('--protocol <protocols...>', 'for targets that do not say')
      .choices(['tcp', 'udp', 'icmp', 'sctp'])
      .default(['tcp']),
  )
  .option('--timeout-ms <ms>', 'for one connection', count(1, 600_000), 2000)
  .option('--count <number>', 'how often each', count(1, 10_000), 1)
  .option(
    '--bytes <number>',
    'tcp: fetch this many bytes from our echo program and check them',
    count(1, 10_000_000_000),
  )
  .addOption(output())
  .addHelpText(
    'after',
    '\nExamples:\n  heddle-lab probe --from shop-web/frontend --to svc/shop-core/api 1.2.3.4:80\n  heddle-lab probe --from all --to all --protocol tcp udp -o json',
  )
  .action(async (o: ProbeOptions & { output: string }) => {
    const reports = await probe(paths, o);
    const rows = reports.map((r) => [
      r.from,
      r.to,
      `${r.address} ${r.port}/${r.protocol}`,
      r.outcome,
      `${r.ms} ms`,
      r.pod ?? '',
      r.detail ?? '',
    ]);
    const text =
      o.output === 'json'
        ? JSON.stringify(reports, null, 2)
        : table(['FROM', 'TO', 'ADDRESS', 'OUTCOME', 'TIME', 'ANSWERED BY', 'DETAIL'], rows);
    process.stdout.write(`${text}\n`);
    if (reports.some((r) => r.outcome !== 'ok')) process.exitCode = 2;
  });

for (const action of ['stop', 'kill', 'start', 'restart'] as const)
  program
    .command(action)
    .description(
      `${action} one part: controller | kubelet | agent NODE | ovs NODE | ovsdb NODE${action === 'kill' ? ' (SIGKILL)' : ''}`,
    )
    .argument('<what...>')
    .action((what: string[]) => locked(() => control(paths, action, what)));

// `heddle-lab logs | head` and the like: the reader has enough.
process.stdout.on('error', (e: NodeJS.ErrnoException) => process.exit(e.code === 'EPIPE' ? 0 : 1));

program.parseAsync().catch((e: unknown) => {
  process.stderr.write(`heddle-lab: ${e instanceof Error ? e.message : String(e)}\n`);
  process.exitCode = 1;
});
