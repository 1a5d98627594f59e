import { type Bandwidth, parseBandwidth } from './bandwidth.js';
import { CNI_CODE, CniError } from './errors.js';
import { atLeast, type CniVersion, isSupportedVersion, SUPPORTED_VERSIONS } from './version.js';

// Read by the executable and again by the daemon, hence without zod: the executable must start fast.

/** Environment variables of the CNI protocol; nothing else of a caller's environment is looked at. */
export const CNI_VARIABLES = [
  'CNI_COMMAND',
  'CNI_CONTAINERID',
  'CNI_NETNS',
  'CNI_IFNAME',
  'CNI_ARGS',
  'CNI_PATH',
] as const;
export type CniVariable = (typeof CNI_VARIABLES)[number];
export type CniEnvironment = Readonly<Partial<Record<CniVariable, string>>>;

type Json = { readonly [key: string]: unknown };

/** The operations that reach the agent; VERSION is answered by the executable alone. */
export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC';

/** What an operation needs (CNI specification §2 "CNI operations"), and since which version it exists. */
const COMMANDS: Readonly<Record<CniCommand, { since: CniVersion; required: readonly CniVariable[] }>> = {
  ADD: { since: '0.3.0', required: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'] },
  DEL: { since: '0.3.0', required: ['CNI_CONTAINERID', 'CNI_IFNAME'] },
  CHECK: { since: '0.4.0', required: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'] },
  STATUS: { since: '1.1.0', required: [] },
  GC: { since: '1.1.0', required: ['CNI_PATH'] },
};

/** One attachment as GC's `cni.dev/valid-attachments` names it. */
export interface AttachmentId {
  readonly containerId: string;
  readonly ifname: string;
}

/** The network configuration, as far as we use it. */
export interface NetworkConfig {
  readonly cniVersion: CniVersion;
  /** Name of the network. */
  readonly name: string;
  /** Unix socket of the agent. */
  readonly socket: string;
  /** Passed on into the result. */
  readonly dns: Json;
  /** Result of the plugins before us in the chain. */
  readonly prevResult: Json | undefined;
  /** Limits of the pod's traffic, if it has any. */
  readonly bandwidth: Bandwidth | undefined;
  /** GC only. */
  readonly validAttachments: readonly AttachmentId[];
}

/** Keys of CNI_ARGS. */
export interface PodName {
  readonly namespace: string;
  readonly pod: string;
  readonly podUid: string | undefined;
}

/** A checked call. Variables that the operation does not need may be empty. */
export interface CniRequest {
  readonly command: CniCommand;
  readonly containerId: string;
  readonly netns: string;
  readonly ifname: string;
  readonly pod: PodName | undefined;
  readonly config: NetworkConfig;
}

/** Where the agent listens unless the network configuration says otherwise. */
export const DEFAULT_SOCKET = '/run/heddle/agent.sock';

// libcni accepts exactly these for container ids and network names.
const IDENTIFIER = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
// A path without what has a meaning in `ip -batch`.
const NETNS_PATH = /^\/[^\s"'\\#]*$/;
// The kernel allows more; quotes, backslashes and # would have a meaning in `ip -batch`, a leading dash for ethtool.
const INTERFACE_NAME = /^[A-Za-z0-9_.@+=][A-Za-z0-9_.@+=-]{0,14}$/;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Decodes the network configuration's JSON. @throws CniError with code 6 or 7 */
export function decodeConfig(stdin: string): Json {
  let json: unknown;
  try {
    json = JSON.parse(stdin);
  } catch (cause) {
    const text = stdin.trim() === '' ? 'stdin is empty' : 'stdin is not JSON';
    throw new CniError(CNI_CODE.decode, `cannot decode the network configuration: ${text}`, String(cause), { cause });
  }
  if (!isObject(json)) throw new CniError(CNI_CODE.invalidConfig, 'the network configuration is not a JSON object');
  return json;
}

/**
 * Checks a call: first the version, then the environment, then the rest of the configuration.
 * @throws CniError with code 1, 2, 4, 6 or 7
 */
export function parseRequest(env: CniEnvironment, stdin: string): CniRequest {
  const command = env.CNI_COMMAND ?? '';
  if (!Object.hasOwn(COMMANDS, command))
    throw new CniError(
      CNI_CODE.invalidEnvironment,
      command === ''
        ? 'CNI_COMMAND is not set'
        : `CNI_COMMAND is "${command}", not one of VERSION, ${Object.keys(COMMANDS).join(', ')}`,
    );
  const rules = COMMANDS[command as CniCommand];
  const json = decodeConfig(stdin);
  const cniVersion = checkVersion(json.cniVersion, command, rules.since);
  const { containerId, netns, ifname } = checkVariables(env, rules.required);
  const config = checkConfig(json, cniVersion);
  if (command === 'CHECK' && config.prevResult === undefined)
    throw new CniError(CNI_CODE.invalidConfig, 'CHECK needs prevResult in the network configuration');
  if (command === 'GC' && json['cni.dev/valid-attachments'] === undefined)
    throw new CniError(CNI_CODE.invalidConfig, 'GC needs cni.dev/valid-attachments in the network configuration');
  const pod = command === 'ADD' ? parseArgs(env.CNI_ARGS ?? '') : undefined;
  return { command: command as CniCommand, containerId, netns, ifname, pod, config };
}

function checkVersion(version: unknown, command: string, since: CniVersion): CniVersion {
  const supported = SUPPORTED_VERSIONS.join(', ');
  if (!isSupportedVersion(version))
    throw new CniError(
      CNI_CODE.incompatibleVersion,
      `cniVersion ${JSON.stringify(version ?? '')} is not supported`,
      `supported are ${supported}`,
    );
  if (!atLeast(version, since))
    throw new CniError(
      CNI_CODE.incompatibleVersion,
      `${command} exists since cniVersion ${since}, the network configuration has ${version}`,
    );
  return version;
}

function checkVariables(env: CniEnvironment, required: readonly CniVariable[]) {
  const missing = required.filter((name) => (env[name] ?? '') === '');
  if (missing.length > 0)
    throw new CniError(
      CNI_CODE.invalidEnvironment,
      `required environment variables are not set: ${missing.join(', ')}`,
    );
  const { CNI_CONTAINERID: containerId = '', CNI_NETNS: netns = '', CNI_IFNAME: ifname = '' } = env;
  const wrong = [
    required.includes('CNI_CONTAINERID') && !isContainerId(containerId) ? 'CNI_CONTAINERID' : '',
    required.includes('CNI_NETNS') && !NETNS_PATH.test(netns) ? 'CNI_NETNS (want an absolute path)' : '',
    required.includes('CNI_IFNAME') && !isInterfaceName(ifname) ? 'CNI_IFNAME' : '',
  ].filter((name) => name !== '');
  if (wrong.length > 0)
    throw new CniError(CNI_CODE.invalidEnvironment, `environment variables have unusable values: ${wrong.join(', ')}`);
  return { containerId, netns, ifname };
}

const isContainerId = (text: string): boolean => IDENTIFIER.test(text) && text.length <= 256;
const isInterfaceName = (text: string): boolean => INTERFACE_NAME.test(text) && text !== '.' && text !== '..';

function checkConfig(json: Json, cniVersion: CniVersion): NetworkConfig {
  const bad = (what: string) => new CniError(CNI_CODE.invalidConfig, `invalid network configuration: ${what}`);
  const name = json.name;
  if (typeof name !== 'string' || !IDENTIFIER.test(name))
    throw bad(`name ${JSON.stringify(name)} is not a network name`);
  const type = json.type;
  if (typeof type !== 'string' || type === '') throw bad('type is not set');
  const socket = json.socket ?? DEFAULT_SOCKET;
  // 107: sun_path of unix(7) without its terminating zero.
  if (typeof socket !== 'string' || !socket.startsWith('/') || Buffer.byteLength(socket) > 107)
    throw bad(`socket ${JSON.stringify(socket)} is not an absolute path of at most 107 bytes`);
  const dns = json.dns ?? {};
  if (!isObject(dns)) throw bad('dns is not an object');
  const prevResult = json.prevResult ?? undefined;
  if (prevResult !== undefined && !isObject(prevResult)) throw bad('prevResult is not an object');
  refuseUnsupported(json);
  const bandwidth = parseBandwidth(isObject(json.runtimeConfig) ? json.runtimeConfig.bandwidth : undefined, bad);
  return { cniVersion, name, socket, dns, prevResult, bandwidth, validAttachments: parseValidAttachments(json, bad) };
}

/** Addresses and masquerading are the controller's business: who configures them here would be ignored silently. */
function refuseUnsupported(json: Json): void {
  const refuse = (key: string, value: unknown): never => {
    throw new CniError(
      CNI_CODE.unsupportedField,
      `unsupported field in the network configuration: ${key}=${JSON.stringify(value)}`,
    );
  };
  const ipam = json.ipam;
  if (ipam !== undefined && !(isObject(ipam) && Object.keys(ipam).length === 0)) refuse('ipam', ipam);
  if (json.ipMasq === false) refuse('ipMasq', false);
  const runtimeConfig = json.runtimeConfig;
  if (!isObject(runtimeConfig)) return;
  for (const key of ['ips', 'ipRanges', 'mac'])
    if (runtimeConfig[key] !== undefined) refuse(`runtimeConfig.${key}`, runtimeConfig[key]);
  // Host ports are the business of the portmap plugin after us. Who asks us for them would get none.
  const capabilities = isObject(json.capabilities) ? json.capabilities : {};
  const { portMappings } = runtimeConfig;
  const asked = !Array.isArray(portMappings) || portMappings.length > 0;
  if (capabilities.portMappings === true && portMappings !== undefined && asked)
    refuse('runtimeConfig.portMappings', portMappings);
}

function parseValidAttachments(json: Json, bad: (what: string) => CniError): AttachmentId[] {
  const list = json['cni.dev/valid-attachments'] ?? [];
  if (!Array.isArray(list)) throw bad('cni.dev/valid-attachments is not a list');
  return list.map((entry: unknown) => {
    const { containerID, ifname } = isObject(entry) ? entry : {};
    if (typeof containerID !== 'string' || typeof ifname !== 'string')
      throw bad('an entry of cni.dev/valid-attachments has no containerID or no ifname');
    return { containerId: containerID, ifname };
  });
}

/** What runtimes say about a pod. The UID of a static pod is a hash without hyphens; the infra container is CNI_CONTAINERID once more. */
const KNOWN_ARGS = ['IgnoreUnknown', 'K8S_POD_NAMESPACE', 'K8S_POD_NAME', 'K8S_POD_UID', 'K8S_POD_INFRA_CONTAINER_ID'];

/** Reads CNI_ARGS, `KEY=VALUE;KEY=VALUE` (CNI conventions). @throws CniError with code 4 */
export function parseArgs(text: string): PodName {
  const bad = (what: string) => new CniError(CNI_CODE.invalidEnvironment, `invalid CNI_ARGS: ${what}`);
  const args = new Map<string, string>();
  for (const pair of text.split(';').filter((part) => part !== '')) {
    const at = pair.indexOf('=');
    if (at < 1) throw bad(`"${pair}" is not KEY=VALUE`);
    args.set(pair.slice(0, at), pair.slice(at + 1));
  }
  const unknown = [...args.keys()].filter((key) => !KNOWN_ARGS.includes(key));
  if (unknown.length > 0 && !/^(1|t|T|true|TRUE|True)$/.test(args.get('IgnoreUnknown') ?? ''))
    throw bad(`unknown ${unknown.join(', ')}, and IgnoreUnknown is not set`);
  const namespace = args.get('K8S_POD_NAMESPACE') ?? '';
  const pod = args.get('K8S_POD_NAME') ?? '';
  if (namespace === '' || pod === '') throw bad('K8S_POD_NAMESPACE and K8S_POD_NAME must name the pod');
  const uid = args.get('K8S_POD_UID') ?? '';
  return { namespace, pod, podUid: uid === '' ? undefined : uid };
}
