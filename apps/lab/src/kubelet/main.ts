import { controllerClient, programs } from '../host/controller.js';
import { labPaths } from '../host/paths.js';
import { requireLabState } from '../host/state.js';
import { ClusterPods } from '../kube/cluster-pods.js';
import { ManifestPods } from './directory.js';
import { Kubelet } from './kubelet.js';

/** Entry of the kubelet part: one process for all nodes of the lab, started by `heddle-lab up`. */
const paths = labPaths();
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
process.on('SIGINT', () => stop.abort());

const log = (event: string, data: Readonly<Record<string, unknown>>) =>
  console.log(JSON.stringify({ time: new Date().toISOString(), event, ...data }));
const now = () => performance.now();
const { options, nodes } = await requireLabState(paths);
const { kubeconfig, endpointSlices } = options;
const cluster =
  kubeconfig === null
    ? undefined
    : new ClusterPods({ kubeconfig, endpointSlices, nodes, log, now, signal: stop.signal });

const kubelet = new Kubelet({
  paths,
  lab: () => requireLabState(paths),
  programs: programs(),
  directory: cluster ?? new ManifestPods(controllerClient(paths)),
  log,
  now,
});
await Promise.all([kubelet.run(stop.signal), cluster?.run()]);
