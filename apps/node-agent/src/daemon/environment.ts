import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { parseEndpoint, readTokenFile, type TlsFiles } from '@heddle/api';
import { z } from 'zod';
import { DEFAULT_SOCKET } from '../cni/request.js';
import { COMMANDS_HELP } from '../install/help.js';

const endpoint = z.string().superRefine((text, context) => {
  try {
    parseEndpoint(text);
  } catch (e) {
    context.addIssue({ code: 'custom', message: (e as Error).message });
  }
});
const absolutePath = z.string().regex(/^\/.+/, 'is not an absolute path');

/** One row a variable: what it means, its form, and what is taken where it is not set. */
export const VARIABLES = {
  HEDDLE_NODE_NAME: {
    doc: 'name of this node, as Kubernetes knows it (required)',
    schema: z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'is not a node name (lower case DNS name)'),
  },
  HEDDLE_CONTROLLER_URL: {
    doc: 'REST API of the controller: https://HOST:PORT, http://HOST:PORT or unix:/PATH (required)',
    schema: endpoint,
  },
  HEDDLE_API_TOKEN_FILE: {
    doc: 'file with the bearer token for the controller (default: no token)',
    schema: absolutePath.optional(),
  },
  HEDDLE_TLS_KEY: {
    doc: "private key file (PEM) of this node, for https: and for the controller's ssl: targets",
    schema: absolutePath.optional(),
  },
  HEDDLE_TLS_CERT: {
    doc: 'certificate file (PEM) of this node',
    schema: absolutePath.optional(),
  },
  HEDDLE_TLS_CA: {
    doc: "file (PEM) of the authority that signs the controller's certificate",
    schema: absolutePath.optional(),
  },
  HEDDLE_SWITCH_TLS_DIR: {
    doc: 'folder that the three files are copied to, for a switch that cannot read them where they are (default: the switch reads the same files)',
    schema: absolutePath.optional(),
  },
  HEDDLE_OVSDB: {
    doc: 'the local ovsdb-server, unix:/PATH (default unix:/var/run/openvswitch/db.sock)',
    schema: z
      .string()
      .regex(/^unix:\/.+/, 'is not unix:/PATH')
      .default('unix:/var/run/openvswitch/db.sock'),
  },
  HEDDLE_ENCAP_IP: {
    doc: 'address of this node that tunnels end at (required)',
    schema: z.string().refine((text) => isIP(text) !== 0, 'is not an IP address'),
  },
  HEDDLE_DATAPATH_TYPE: {
    doc: 'system (kernel datapath, default) or netdev (userspace)',
    schema: z.enum(['system', 'netdev'], 'is not system or netdev').default('system'),
  },
  HEDDLE_AGENT_SOCKET: {
    doc: `unix socket that heddle-cni calls (default ${DEFAULT_SOCKET})`,
    schema: absolutePath.max(107, 'is longer than 107 bytes').default(DEFAULT_SOCKET),
  },
  HEDDLE_UPLINK: {
    doc: 'netdev only: interface to move, with its addresses, into the bridge br-phy',
    schema: z
      .string()
      .regex(/^[A-Za-z0-9_.@-]{1,15}$/, 'is not an interface name')
      .optional(),
  },
  HEDDLE_STATE_DIR: {
    doc: 'folder for what must survive a restart (default /var/lib/heddle)',
    schema: absolutePath.default('/var/lib/heddle'),
  },
  HEDDLE_CNI_CONF_DIR: {
    doc: 'folder of network configurations, usually /etc/cni/net.d: 10-heddle.conflist is written there when this node works (default: none is written)',
    schema: absolutePath.optional(),
  },
  HEDDLE_CNI_VERSION: {
    doc: 'cniVersion in that file: 1.0.0 (default), or 1.1.0 where runtime and portmap know it',
    schema: z.enum(['1.0.0', '1.1.0'], 'is not 1.0.0 or 1.1.0').default('1.0.0'),
  },
  HEDDLE_LOG_LEVEL: {
    doc: 'trace, debug, info (default), warn, error or silent',
    schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'], 'is not a log level').default('info'),
  },
} as const satisfies Record<string, { doc: string; schema: z.ZodType }>;

export interface AgentEnvironment {
  readonly nodeName: string;
  readonly controllerUrl: string;
  readonly apiTokenFile: string | undefined;
  /** All three files or none. */
  readonly tls: TlsFiles | undefined;
  /** Where the switch finds its copies; undefined: it reads the same files. */
  readonly switchTlsDir: string | undefined;
  readonly ovsdb: string;
  readonly encapIp: string;
  readonly datapathType: 'system' | 'netdev';
  readonly agentSocket: string;
  readonly uplink: string | undefined;
  readonly stateDir: string;
  readonly cniConfDir: string | undefined;
  readonly cniVersion: '1.0.0' | '1.1.0';
  readonly logLevel: string;
}

/** The environment cannot be used; the message has one line for each mistake. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
}

/** The text of --help. */
export function helpText(): string {
  const width = Math.max(...Object.keys(VARIABLES).map((name) => name.length));
  return [
    'heddle-agent: sets this node up for Heddle and attaches pods for heddle-cni. Runs until SIGTERM; traffic goes on without it.',
    '',
    'Environment:',
    ...Object.entries(VARIABLES).map(([name, { doc }]) => `  ${name.padEnd(width)}  ${doc}`),
    '',
    ...COMMANDS_HELP,
    '',
  ].join('\n');
}

/** Checks the environment. @throws EnvironmentError that lists every mistake */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): AgentEnvironment {
  const mistakes: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, { schema }] of Object.entries(VARIABLES)) {
    // An empty value is what a manifest gives for "not set".
    const text = env[name] === '' ? undefined : env[name];
    const parsed = schema.safeParse(text);
    if (parsed.success) values[name] = parsed.data;
    else if (text === undefined) mistakes.push(`${name} is not set: ${VARIABLES[name as keyof typeof VARIABLES].doc}`);
    else mistakes.push(...parsed.error.issues.map((issue) => `${name}="${text}" ${issue.message}`));
  }
  const uplink = values.HEDDLE_UPLINK as string | undefined;
  if (uplink !== undefined && values.HEDDLE_DATAPATH_TYPE === 'system')
    mistakes.push(
      'HEDDLE_UPLINK is for HEDDLE_DATAPATH_TYPE=netdev only: the kernel datapath tunnels by the host itself',
    );
  const apiTokenFile = values.HEDDLE_API_TOKEN_FILE as string | undefined;
  checkToken(apiTokenFile, mistakes);
  const tls = readTls(values, mistakes);
  if (mistakes.length > 0)
    throw new EnvironmentError(`the environment has ${mistakes.length} mistake(s):\n  ${mistakes.join('\n  ')}`);
  return {
    nodeName: values.HEDDLE_NODE_NAME as string,
    controllerUrl: values.HEDDLE_CONTROLLER_URL as string,
    apiTokenFile,
    tls,
    switchTlsDir: values.HEDDLE_SWITCH_TLS_DIR as string | undefined,
    ovsdb: values.HEDDLE_OVSDB as string,
    encapIp: values.HEDDLE_ENCAP_IP as string,
    datapathType: values.HEDDLE_DATAPATH_TYPE as 'system' | 'netdev',
    agentSocket: values.HEDDLE_AGENT_SOCKET as string,
    uplink,
    stateDir: values.HEDDLE_STATE_DIR as string,
    cniConfDir: values.HEDDLE_CNI_CONF_DIR as string | undefined,
    cniVersion: values.HEDDLE_CNI_VERSION as '1.0.0' | '1.1.0',
    logLevel: values.HEDDLE_LOG_LEVEL as string,
  };
}

function checkToken(file: string | undefined, mistakes: string[]): void {
  if (file === undefined) return;
  try {
    readTokenFile(file);
  } catch (e) {
    mistakes.push(`HEDDLE_API_TOKEN_FILE="${file}" cannot be used: ${(e as Error).message}`);
  }
}

const TLS_NAMES = ['HEDDLE_TLS_KEY', 'HEDDLE_TLS_CERT', 'HEDDLE_TLS_CA'] as const;

function readTls(values: Readonly<Record<string, unknown>>, mistakes: string[]): TlsFiles | undefined {
  const given = TLS_NAMES.filter((name) => values[name] !== undefined);
  for (const name of given) {
    try {
      readFileSync(values[name] as string);
    } catch (e) {
      mistakes.push(`${name}="${values[name]}" cannot be read: ${(e as Error).message}`);
    }
  }
  const url = values.HEDDLE_CONTROLLER_URL as string | undefined;
  if (given.length === TLS_NAMES.length)
    return {
      key: values.HEDDLE_TLS_KEY as string,
      cert: values.HEDDLE_TLS_CERT as string,
      ca: values.HEDDLE_TLS_CA as string,
    };
  if (given.length > 0) mistakes.push(`${TLS_NAMES.join(', ')}: give all three or none`);
  else if (url !== undefined && parseEndpoint(url).kind === 'ssl')
    mistakes.push(`HEDDLE_CONTROLLER_URL="${url}" needs ${TLS_NAMES.join(', ')}`);
  return undefined;
}
