import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';

const Cluster = z.looseObject({
  server: z.string(),
  'certificate-authority': z.string().optional(),
  'certificate-authority-data': z.string().optional(),
  'insecure-skip-tls-verify': z.boolean().optional(),
  'tls-server-name': z.string().optional(),
});
const User = z.looseObject({
  'client-certificate': z.string().optional(),
  'client-certificate-data': z.string().optional(),
  'client-key': z.string().optional(),
  'client-key-data': z.string().optional(),
  token: z.string().optional(),
  tokenFile: z.string().optional(),
});
const File = z.looseObject({
  'current-context': z.string(),
  contexts: z.array(
    z.looseObject({ name: z.string(), context: z.looseObject({ cluster: z.string(), user: z.string().optional() }) }),
  ),
  clusters: z.array(z.looseObject({ name: z.string(), cluster: Cluster })),
  users: z.array(z.looseObject({ name: z.string(), user: User })).nullish(),
});

/** How to reach an API server: the current context of a kubeconfig, certificates read. */
export interface KubeAccess {
  /** URL without a slash at its end. */
  readonly server: string;
  readonly ca: string | undefined;
  readonly insecure: boolean;
  /** Name that the server's certificate is checked for, if it is not the host of the URL. */
  readonly serverName: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly token: string | undefined;
}

/**
 * Reads the current context of a kubeconfig file. Certificates and tokens are understood, exec plugins and passwords are not.
 * @throws Error that names the file and what is wrong with it
 */
export function readKubeconfig(file: string): KubeAccess {
  try {
    return access(file);
  } catch (e) {
    throw new Error(`${file}: ${e instanceof z.ZodError ? z.prettifyError(e) : e instanceof Error ? e.message : e}`, {
      cause: e,
    });
  }
}

function access(file: string): KubeAccess {
  const config = File.parse(parse(readFileSync(file, 'utf8')));
  const named = <T extends { readonly name: string }>(list: readonly T[], name: string, what: string): T => {
    const found = list.find((entry) => entry.name === name);
    if (found === undefined) throw new Error(`there is no ${what} "${name}"`);
    return found;
  };
  const { context } = named(config.contexts, config['current-context'], 'context');
  const { cluster } = named(config.clusters, context.cluster, 'cluster');
  const none: z.infer<typeof User> = {};
  const user = context.user === undefined ? none : named(config.users ?? [], context.user, 'user').user;
  for (const unsupported of ['exec', 'auth-provider', 'username'])
    if (user[unsupported] !== undefined)
      throw new Error(`the user "${context.user}" has ${unsupported}; the lab understands certificates and tokens`);
  const text = (data: string | undefined, path: string | undefined): string | undefined => {
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
    return path === undefined ? undefined : readFileSync(resolve(dirname(file), path), 'utf8');
  };
  return {
    server: cluster.server.replace(/\/$/, ''),
    ca: text(cluster['certificate-authority-data'], cluster['certificate-authority']),
    insecure: cluster['insecure-skip-tls-verify'] ?? false,
    serverName: cluster['tls-server-name'],
    cert: text(user['client-certificate-data'], user['client-certificate']),
    key: text(user['client-key-data'], user['client-key']),
    token: user.token ?? text(undefined, user.tokenFile)?.trim(),
  };
}

/** A kubeconfig with everything in it, no other file is needed. The certificate is still checked for the name of before. */
export function writeKubeconfig(known: KubeAccess, server: string): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const host = new URL(known.server).hostname;
  const name = known.serverName ?? (new URL(server).hostname === host ? undefined : host);
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'lab',
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
    clusters: [
      {
        name: 'lab',
        cluster: {
          server,
          ...(known.ca !== undefined && { 'certificate-authority-data': base64(known.ca) }),
          ...(known.insecure && { 'insecure-skip-tls-verify': true }),
          ...(name !== undefined && { 'tls-server-name': name }),
        },
      },
    ],
    users: [
      {
        name: 'lab',
        user: {
          ...(known.cert !== undefined && { 'client-certificate-data': base64(known.cert) }),
          ...(known.key !== undefined && { 'client-key-data': base64(known.key) }),
          ...(known.token !== undefined && { token: known.token }),
        },
      },
    ],
  });
}
