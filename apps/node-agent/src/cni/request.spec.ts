import { describe, expect, it } from 'vitest';
import { CniError } from './errors.js';
import { type CniEnvironment, parseArgs, parseRequest } from './request.js';

const ARGS = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=api-0;K8S_POD_UID=u-1;FUTURE=x';
const env = (changes: CniEnvironment = {}): CniEnvironment => ({
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c1',
  CNI_NETNS: '/var/run/netns/p',
  CNI_IFNAME: 'eth0',
  CNI_ARGS: ARGS,
  CNI_PATH: '/opt/cni/bin',
  ...changes,
});
const conf = (changes: object = {}): string =>
  JSON.stringify({ cniVersion: '1.0.0', name: 'heddle', type: 'heddle-cni', socket: '/run/x.sock', ...changes });

function codeOf(task: () => unknown): { code: number; message: string } {
  try {
    task();
  } catch (e) {
    if (e instanceof CniError) return { code: e.code, message: e.message };
    throw e;
  }
  return { code: 0, message: '' };
}

describe('a call of the CNI executable', () => {
  it('is read whole', () => {
    expect(parseRequest(env(), conf({ dns: { nameservers: ['10.96.0.10'] } }))).toEqual({
      command: 'ADD',
      containerId: 'c1',
      netns: '/var/run/netns/p',
      ifname: 'eth0',
      pod: { namespace: 'shop', pod: 'api-0', podUid: 'u-1' },
      config: {
        cniVersion: '1.0.0',
        name: 'heddle',
        socket: '/run/x.sock',
        dns: { nameservers: ['10.96.0.10'] },
        prevResult: undefined,
        bandwidth: undefined,
        validAttachments: [],
      },
    });
  });

  const prevResult = { cniVersion: '1.0.0', interfaces: [] };
  const MAPPING = { hostPort: 80, containerPort: 8080, protocol: 'tcp' };
  const MAPS_PORTS = { capabilities: { portMappings: true } };
  it.each<[string, CniEnvironment, string, number, RegExp]>([
    // name, environment, stdin, code of the specification, what the sentence says
    ['good ADD', env(), conf(), 0, /^$/],
    ['0.3.0', env(), conf({ cniVersion: '0.3.0' }), 0, /^$/],
    ['0.3.1', env(), conf({ cniVersion: '0.3.1' }), 0, /^$/],
    ['0.4.0', env(), conf({ cniVersion: '0.4.0' }), 0, /^$/],
    ['1.1.0', env(), conf({ cniVersion: '1.1.0' }), 0, /^$/],
    ['DEL without a namespace', env({ CNI_COMMAND: 'DEL', CNI_NETNS: '' }), conf(), 0, /^$/],
    ['DEL without CNI_ARGS', env({ CNI_COMMAND: 'DEL', CNI_ARGS: '' }), conf(), 0, /^$/],
    ['CHECK', env({ CNI_COMMAND: 'CHECK' }), conf({ prevResult }), 0, /^$/],
    ['STATUS', { CNI_COMMAND: 'STATUS' }, conf({ cniVersion: '1.1.0' }), 0, /^$/],
    ['empty ipam', env(), conf({ ipam: {} }), 0, /^$/],
    ['version too old', env(), conf({ cniVersion: '0.2.0' }), 1, /cniVersion "0.2.0" is not supported/],
    ['version to come', env(), conf({ cniVersion: '2.0.0' }), 1, /cniVersion "2.0.0"/],
    ['no version', env(), conf({ cniVersion: undefined }), 1, /cniVersion "" is not supported/],
    ['version of a wrong type', env(), conf({ cniVersion: 1 }), 1, /cniVersion 1 is not supported/],
    [
      'CHECK before 0.4.0',
      env({ CNI_COMMAND: 'CHECK' }),
      conf({ cniVersion: '0.3.1', prevResult }),
      1,
      /CHECK exists since cniVersion 0.4.0/,
    ],
    ['STATUS before 1.1.0', env({ CNI_COMMAND: 'STATUS' }), conf(), 1, /STATUS exists since/],
    ['GC before 1.1.0', env({ CNI_COMMAND: 'GC' }), conf(), 1, /GC exists since/],
    ['ipam', env(), conf({ ipam: { type: 'host-local' } }), 2, /ipam=\{"type":"host-local"\}/],
    ['no masquerading', env(), conf({ ipMasq: false }), 2, /ipMasq=false/],
    ['port mappings for the plugin after us', env(), conf({ runtimeConfig: { portMappings: [MAPPING] } }), 0, /^$/],
    ['port mappings asked of us, none', env(), conf({ ...MAPS_PORTS, runtimeConfig: { portMappings: [] } }), 0, /^$/],
    [
      'port mappings asked of us',
      env(),
      conf({ ...MAPS_PORTS, runtimeConfig: { portMappings: [MAPPING] } }),
      2,
      /runtimeConfig.portMappings=\[\{"hostPort":80/,
    ],
    ['a bandwidth', env(), conf({ runtimeConfig: { bandwidth: { ingressRate: 1e6 } } }), 0, /^$/],
    ['a bandwidth below 0', env(), conf({ runtimeConfig: { bandwidth: { egressRate: -1 } } }), 7, /egressRate=-1/],
    ['requested MAC', env(), conf({ runtimeConfig: { mac: '02::' } }), 2, /runtimeConfig.mac/],
    ['no command', env({ CNI_COMMAND: undefined }), conf(), 4, /CNI_COMMAND is not set/],
    ['unknown command', env({ CNI_COMMAND: 'toString' }), conf(), 4, /CNI_COMMAND is "toString"/],
    [
      'two variables missing',
      env({ CNI_CONTAINERID: '', CNI_NETNS: undefined }),
      conf(),
      4,
      /CNI_CONTAINERID, CNI_NETNS$/,
    ],
    ['container id with a slash', env({ CNI_CONTAINERID: '../x' }), conf(), 4, /CNI_CONTAINERID/],
    ['interface name too long', env({ CNI_IFNAME: 'abcdefghijklmnop' }), conf(), 4, /CNI_IFNAME/],
    ['interface name ..', env({ CNI_IFNAME: '..' }), conf(), 4, /CNI_IFNAME/],
    ['interface name that is a batch line', env({ CNI_IFNAME: 'a\nlink del b' }), conf(), 4, /CNI_IFNAME/],
    ['namespace with a space', env({ CNI_NETNS: '/var/run/netns/a up' }), conf(), 4, /CNI_NETNS/],
    ['relative namespace', env({ CNI_NETNS: 'p' }), conf(), 4, /CNI_NETNS/],
    ['GC without CNI_PATH', { CNI_COMMAND: 'GC' }, conf({ cniVersion: '1.1.0' }), 4, /CNI_PATH/],
    ['no pod in CNI_ARGS', env({ CNI_ARGS: 'K8S_POD_NAME=a' }), conf(), 4, /K8S_POD_NAMESPACE/],
    ['unknown CNI_ARGS', env({ CNI_ARGS: 'A=1;K8S_POD_NAMESPACE=a;K8S_POD_NAME=b' }), conf(), 4, /unknown A/],
    ['CNI_ARGS without =', env({ CNI_ARGS: 'A' }), conf(), 4, /"A" is not KEY=VALUE/],
    ['stdin not JSON', env(), '{', 6, /stdin is not JSON/],
    ['stdin empty', env(), ' \n', 6, /stdin is empty/],
    ['stdin a list', env(), '[]', 7, /not a JSON object/],
    ['no name', env(), conf({ name: undefined }), 7, /name undefined is not a network name/],
    ['bad name', env(), conf({ name: 'a b' }), 7, /name "a b"/],
    ['no type', env(), conf({ type: undefined }), 7, /type is not set/],
    ['relative socket', env(), conf({ socket: 'agent.sock' }), 7, /socket "agent.sock"/],
    ['socket path too long', env(), conf({ socket: `/${'x'.repeat(107)}` }), 7, /at most 107 bytes/],
    ['dns of a wrong type', env(), conf({ dns: 'x' }), 7, /dns is not an object/],
    ['prevResult of a wrong type', env(), conf({ prevResult: [] }), 7, /prevResult is not an object/],
    ['CHECK without prevResult', env({ CNI_COMMAND: 'CHECK' }), conf(), 7, /CHECK needs prevResult/],
    ['GC without its list', env({ CNI_COMMAND: 'GC' }), conf({ cniVersion: '1.1.0' }), 7, /GC needs cni.dev/],
    [
      'GC with a bad list',
      env({ CNI_COMMAND: 'GC' }),
      conf({ cniVersion: '1.1.0', 'cni.dev/valid-attachments': [{ containerID: 'a' }] }),
      7,
      /no ifname/,
    ],
  ])('%s', (_name, environment, stdin, code, sentence) => {
    const got = codeOf(() => parseRequest(environment, stdin));
    expect(got.code).toBe(code);
    expect(got.message).toMatch(sentence);
  });

  it('takes a list of valid attachments', () => {
    const list = [{ containerID: 'a', ifname: 'eth0', extra: 1 }];
    const stdin = conf({ cniVersion: '1.1.0', 'cni.dev/valid-attachments': list });
    expect(parseRequest(env({ CNI_COMMAND: 'GC' }), stdin).config.validAttachments).toEqual([
      { containerId: 'a', ifname: 'eth0' },
    ]);
  });

  it('needs no IgnoreUnknown for the arguments that it knows', () => {
    expect(parseArgs('K8S_POD_NAMESPACE=a;K8S_POD_NAME=b')).toEqual({ namespace: 'a', pod: 'b', podUid: undefined });
  });
});
