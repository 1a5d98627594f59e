import { describe, expect, it } from 'vitest';
import { readManifest } from './read-manifest.js';
import { resolveObjects } from './resolve-objects.js';

const policy = (spec: string) => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: p }
spec:
${spec}`;
const service = (spec: string) => `apiVersion: v1
kind: Service
metadata: { name: s }
spec:
${spec}`;
const deployment = (spec: string) => `apiVersion: apps/v1
kind: Deployment
metadata: { name: d }
spec:
${spec}
  template:
    metadata: { labels: { app: d } }
    spec: { containers: [{ name: c }] }`;
const pod = (extra: string) => `apiVersion: v1
kind: Pod
metadata: { name: a }
spec:
  containers:
  - name: c
${extra}`;

describe('what is refused, with its line and reason', () => {
  it.each<[name: string, text: string, line: number, reason: RegExp]>([
    ['a syntax error', 'a: [1\nb: 2\n', 2, /not YAML/],
    ['tabs as indentation', 'kind: Pod\nmetadata:\n\tname: x\n', 3, /not YAML/],
    ['a key given twice', 'kind: Pod\nkind: Pod\n', 2, /not YAML: .*unique/],
    ['a scalar', '\njust text\n', 2, /not a Kubernetes object/],
    ['a mapping without kind', 'apiVersion: v1\nmetadata: {}\n', 1, /apiVersion or kind is missing/],
    [
      'an alias bomb',
      'a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c]\n',
      1,
      /alias/i,
    ],
    ['no name', 'apiVersion: v1\nkind: Namespace\nmetadata:\n  labels: {}\n', 3, /metadata\.name/],
    [
      'a namespace name in capitals',
      'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: Shop\n',
      4,
      /"Shop" is not a namespace name/,
    ],
    [
      'a label value that is a number',
      'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: x\n  labels:\n    tier: 1\n',
      6,
      /metadata\.labels\.tier.*string/,
    ],
    [
      'a label value with a space',
      'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: x\n  labels:\n    a: b\n    tier: "a b"\n',
      7,
      /is not a label value/,
    ],
    [
      'a label key with two slashes',
      'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: x\n  labels:\n    a/b/c: x\n',
      6,
      /is not a label key/,
    ],
    ['a pod without containers', 'apiVersion: v1\nkind: Pod\nmetadata: { name: a }\nspec: {}\n', 4, /spec\.containers/],
    ['a container port of 70000', pod('    ports:\n    - containerPort: 70000\n'), 8, /containerPort/],
    [
      'a port name that is too long',
      pod('    ports:\n    - containerPort: 80\n      name: abcdefghijklmnop\n'),
      9,
      /is not a port name/,
    ],
    [
      'an environment value that is no text',
      pod('    env:\n    - name: PORT\n      value: 80\n'),
      9,
      /env\[0\]\.value.*string/,
    ],
    [
      'a selector that does not select the template',
      deployment('  selector:\n    matchLabels: { app: x }'),
      5,
      /does not select the labels/,
    ],
    ['an empty selector of a deployment', deployment('  selector: {}'), 5, /does not select the labels/],
    [
      'too many replicas',
      deployment('  replicas: 100000\n  selector: { matchLabels: { app: d } }'),
      5,
      /spec\.replicas/,
    ],
    ['a service without ports', service('  selector: { a: b }'), 4, /at least one port/],
    [
      'two unnamed service ports',
      service('  ports:\n  - port: 80\n  - port: 81\n'),
      6,
      /with several ports each needs a name/,
    ],
    [
      'a service port name used twice',
      service('  ports:\n  - { name: a, port: 80 }\n  - { name: a, port: 81 }\n'),
      7,
      /used twice/,
    ],
    [
      'a service port given twice',
      service('  ports:\n  - { name: a, port: 80 }\n  - { name: b, port: 80 }\n'),
      7,
      /80\/TCP is given twice/,
    ],
    ['a protocol in small letters', service('  ports:\n  - port: 80\n    protocol: tcp\n'), 7, /protocol/],
    [
      'a clusterIP that is no address',
      service('  clusterIP: 10.96.0.300\n  ports: [{ port: 80 }]\n'),
      5,
      /spec\.clusterIP/,
    ],
    [
      'two clusterIPs of one family',
      service('  clusterIPs:\n  - 10.96.0.1\n  - 10.96.0.2\n  ports: [{ port: 80 }]\n'),
      7,
      /other family/,
    ],
    [
      'an ipBlock without prefix',
      policy('  ingress:\n  - from:\n    - ipBlock:\n        cidr: 10.0.0.0\n'),
      8,
      /is not ADDRESS\/PREFIX/,
    ],
    [
      'an except outside its cidr',
      policy(
        '  ingress:\n  - from:\n    - ipBlock:\n        cidr: 10.0.0.0/24\n        except:\n        - 10.0.1.0/25\n',
      ),
      10,
      /10\.0\.1\.0\/25 is not a part of 10\.0\.0\.0\/24/,
    ],
    [
      'an except that is the whole cidr',
      policy('  ingress:\n  - from:\n    - ipBlock:\n        cidr: 10.0.0.0/24\n        except: [10.0.0.0/24]\n'),
      9,
      /is not a part of/,
    ],
    [
      'an except of the other family',
      policy('  ingress:\n  - from:\n    - ipBlock: { cidr: 10.0.0.0/24, except: ["fd00::/64"] }\n'),
      7,
      /is not a part of/,
    ],
    [
      'an ipBlock with a selector',
      policy('  ingress:\n  - from:\n    - podSelector: {}\n      ipBlock: { cidr: 10.0.0.0/24 }\n'),
      7,
      /ipBlock may have no selectors/,
    ],
    ['an empty peer', policy('  egress:\n  - to:\n    - {}\n'), 7, /a peer needs/],
    [
      'endPort below port',
      policy('  ingress:\n  - ports:\n    - port: 100\n      endPort: 99\n'),
      8,
      /endPort 99 is below port 100/,
    ],
    [
      'endPort with a named port',
      policy('  ingress:\n  - ports:\n    - port: http\n      endPort: 99\n'),
      8,
      /endPort needs a numeric port/,
    ],
    ['port 0', policy('  ingress:\n  - ports:\n    - port: 0\n'), 7, /spec\.ingress\[0\]\.ports\[0\]\.port: Too small/],
    [
      'operator In without values',
      policy('  podSelector:\n    matchExpressions:\n    - key: a\n      operator: In\n'),
      7,
      /operator In needs values/,
    ],
    [
      'operator Exists with values',
      policy('  podSelector:\n    matchExpressions:\n    - key: a\n      operator: Exists\n      values: [x]\n'),
      9,
      /operator Exists takes no values/,
    ],
    [
      'an unknown operator',
      policy('  podSelector:\n    matchExpressions:\n    - key: a\n      operator: Equals\n'),
      8,
      /operator/,
    ],
    ['an unknown policy type', policy('  policyTypes: [Both]\n'), 5, /policyTypes/],
    [
      'a slice with an address of the other family',
      'apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: { name: s }\naddressType: IPv4\nendpoints:\n- addresses: ["fd00::1"]\n',
      6,
      /is not an IPv4 address/,
    ],
    [
      'a broken item of a list',
      'apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata:\n    name: "-"\n',
      7,
      /is not a namespace name/,
    ],
  ])('%s', (_, text, line, reason) => {
    const { objects, problems } = readManifest('f.yaml', text);
    expect(objects).toEqual([]);
    expect(problems[0]).toMatchObject({ severity: 'error', file: 'f.yaml', line });
    expect(problems[0]?.reason).toMatch(reason);
  });
});

describe('what is skipped with a warning', () => {
  it.each<[name: string, text: string, reason: RegExp]>([
    ['an unknown kind', 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n', /kind ConfigMap is not used/],
    [
      'an object of our kinds in another group',
      'apiVersion: extensions/v1beta1\nkind: NetworkPolicy\nmetadata: { name: a }\n',
      /read in networking\.k8s\.io\/v1/,
    ],
    ['a service without address', service('  type: ExternalName\n  externalName: x.y\n'), /ExternalName/],
    ['the rest of a NodePort service', service('  type: NodePort\n  ports: [{ port: 80 }]\n'), /only the ClusterIP/],
    ['session affinity', service('  sessionAffinity: ClientIP\n  ports: [{ port: 80 }]\n'), /sessionAffinity/],
    [
      'a slice that names no service',
      'apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: { name: s }\naddressType: IPv4\n',
      /kubernetes\.io\/service-name/,
    ],
  ])('%s', (_, text, reason) => {
    const reading = readManifest('f.yaml', text);
    const problems = [...reading.problems, ...resolveObjects(reading.objects).problems];
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ severity: 'warning' });
    expect(problems[0]?.reason).toMatch(reason);
  });
});

const objectsOf = (text: string) => {
  const reading = readManifest('f.yaml', text);
  expect(reading.problems).toEqual([]);
  const { objects, problems } = resolveObjects(reading.objects);
  expect(problems).toEqual([]);
  return objects;
};

describe('what is read', () => {
  it('expands a Deployment to pods with stable names', () => {
    const { pods } = objectsOf(deployment('  replicas: 3\n  selector: { matchLabels: { app: d } }'));
    expect([...pods.keys()]).toEqual(['default/d-0', 'default/d-1', 'default/d-2']);
    expect(pods.get('default/d-1')?.labels).toEqual({ app: 'd' });
  });

  it('gives the pods of a StatefulSet the labels of their index', () => {
    const text = deployment('  selector: { matchLabels: { app: d } }').replace('Deployment', 'StatefulSet');
    expect(objectsOf(text).pods.get('default/d-0')?.labels).toEqual({
      app: 'd',
      'statefulset.kubernetes.io/pod-name': 'd-0',
      'apps.kubernetes.io/pod-index': '0',
    });
  });

  it('reads JSON, several documents, lists, comments and empty values', () => {
    const text = `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"x","labels":null}}
--- # nothing here
---
apiVersion: v1
kind: List
items:
- { apiVersion: v1, kind: Namespace, metadata: { name: y } }
- { apiVersion: v1, kind: Namespace, metadata: { name: z } }
`;
    expect([...objectsOf(text).namespaces.keys()]).toEqual(['x', 'y', 'z']);
  });

  it('adds the label that every namespace has', () => {
    const { namespaces } = objectsOf('apiVersion: v1\nkind: Namespace\nmetadata: { name: x, labels: { a: b } }\n');
    expect(namespaces.get('x')?.labels).toEqual({ a: 'b', 'kubernetes.io/metadata.name': 'x' });
  });

  it('keeps command, environment and ports of containers for who starts them', () => {
    const { pods } = objectsOf(
      pod(
        '    command: [sleep]\n    args: ["1"]\n    env: [{ name: A, value: "1" }]\n    ports: [{ name: web, containerPort: 80 }]\n',
      ),
    );
    expect(pods.get('default/a')).toMatchObject({
      serviceAccount: 'default',
      namedPorts: [{ name: 'web', protocol: 'TCP', port: 80 }],
      containers: [{ name: 'c', command: ['sleep'], args: ['1'], env: { A: '1' } }],
    });
  });

  it.each<[name: string, spec: string, expected: object]>([
    ['ingress only when nothing is said', '  podSelector: {}', { ingress: [], egress: undefined }],
    ['both when there are egress rules', '  egress: [{}]', { ingress: [], egress: [{ peers: [], ports: [] }] }],
    ['what policyTypes says', '  policyTypes: [Egress]\n  ingress: [{}]', { ingress: undefined, egress: [] }],
    [
      'TCP when no protocol is given',
      '  ingress: [{ ports: [{ port: http }] }]',
      { ingress: [{ peers: [], ports: [{ protocol: 'TCP', port: 'http' }] }] },
    ],
    [
      'cidrs in canonical text',
      '  ingress: [{ from: [{ ipBlock: { cidr: 10.0.0.5/24, except: [10.0.0.0/25] } }] }]',
      { ingress: [{ peers: [{ ipBlock: { cidr: '10.0.0.0/24', except: ['10.0.0.0/25'] } }], ports: [] }] },
    ],
  ])("isolates a policy's subjects for %s", (_, spec, expected) => {
    const found = objectsOf(policy(spec)).policies.get('default/p');
    expect({ ingress: found?.ingress, egress: found?.egress }).toMatchObject(expected);
  });

  it('tells headless services and services without selector', () => {
    const { services } = objectsOf(service('  clusterIP: None\n'));
    expect(services.get('default/s')).toMatchObject({ headless: true, selector: undefined, clusterIps: [] });
  });

  it('leaves endpoints out that are not ready', () => {
    const { slices } = objectsOf(`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: s, labels: { kubernetes.io/service-name: db } }
addressType: IPv6
ports: [{ name: db, port: 5432 }]
endpoints:
- { addresses: ["FD00::0:1"] }
- { addresses: ["fd00::2"], conditions: { ready: false } }
`);
    expect(slices.get('default/s')).toMatchObject({ service: 'db', addresses: ['fd00::1'] });
  });
});
