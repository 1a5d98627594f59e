export interface KubeconfigFacts {
  readonly server: string;
  readonly user: string;
  readonly token: string | undefined;
  /** PEM of the authority that signed the server's certificate. */
  readonly authority: string | undefined;
}

/** The text of a kubeconfig file with one cluster, one user, one context. */
export function kubeconfigText({ server, user, token, authority }: KubeconfigFacts): string {
  const lines = [
    'apiVersion: v1',
    'kind: Config',
    'clusters:',
    '- name: test',
    '  cluster:',
    `    server: ${server}`,
    ...(authority === undefined
      ? []
      : [`    certificate-authority-data: ${Buffer.from(authority).toString('base64')}`]),
    'users:',
    `- name: "${user}"`,
    `  user: ${token === undefined ? '{}' : ''}`.trimEnd(),
    ...(token === undefined ? [] : [`    token: ${token}`]),
    'contexts:',
    '- name: test',
    '  context:',
    '    cluster: test',
    `    user: "${user}"`,
    'current-context: test',
  ];
  return `${lines.join('\n')}\n`;
}
