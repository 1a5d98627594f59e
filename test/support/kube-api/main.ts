// node test/support/kube-api/main.ts [--port N] [--host A] [--kubeconfig FILE] [--plain] [--no-auth] [--endpoint-slices] [--service-cidr C]...
// --plain is http without TLS.
// Runs the small Kubernetes API server until it is told to end (SIGINT, SIGTERM). Needs a Node that strips types (22.18 or later).
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startKubeApi } from './kube-api.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    kubeconfig: { type: 'string' },
    plain: { type: 'boolean', default: false },
    'no-auth': { type: 'boolean', default: false },
    'endpoint-slices': { type: 'boolean', default: false },
    'service-cidr': { type: 'string', multiple: true },
    'history-limit': { type: 'string' },
  },
});
const port = Number(values.port);
if (!Number.isInteger(port) || port < 0 || port > 65535) throw new RangeError('--port takes a port number');
const limit = values['history-limit'] === undefined ? undefined : Number(values['history-limit']);
if (limit !== undefined && !(Number.isInteger(limit) && limit > 0))
  throw new RangeError('--history-limit takes a number of changes');
const api = await startKubeApi({
  port,
  host: values.host,
  tls: !values.plain,
  endpointSlices: values['endpoint-slices'],
  ...(values['no-auth'] ? { tokens: false } : {}),
  ...(values['service-cidr'] === undefined ? {} : { serviceCidrs: values['service-cidr'] }),
  ...(limit === undefined ? {} : { historyLimit: limit }),
});
if (values.kubeconfig !== undefined) writeFileSync(values.kubeconfig, api.kubeconfig(), { mode: 0o600 });
console.log(`ready ${api.url}`);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    void api.stop().then(() => process.exit(0));
  });
