import { controllerClient, programs } from '../host/controller.js';
import { labPaths } from '../host/paths.js';
import { requireLabState } from '../host/state.js';
import { Kubelet } from './kubelet.js';

/** Entry of the kubelet part: one process for all nodes of the lab, started by `heddle-lab up`. */
const paths = labPaths();
const stop = new AbortController();
process.on('SIGTERM', () => stop.abort());
process.on('SIGINT', () => stop.abort());

const kubelet = new Kubelet({
  paths,
  lab: () => requireLabState(paths),
  programs: programs(),
  api: controllerClient(paths),
  log: (event, data) => console.log(JSON.stringify({ time: new Date().toISOString(), event, ...data })),
  now: () => performance.now(),
});
await kubelet.run(stop.signal);
