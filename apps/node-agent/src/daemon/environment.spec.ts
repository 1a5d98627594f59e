import { describe, expect, it } from 'vitest';
import { helpText, readEnvironment } from './environment.js';

const good = {
  HEDDLE_NODE_NAME: 'node1',
  HEDDLE_CONTROLLER_URL: 'http://172.31.99.254:8080',
  HEDDLE_ENCAP_IP: '172.31.99.1',
};

describe('the environment', () => {
  it('has defaults', () => {
    expect(readEnvironment({ ...good, HEDDLE_UPLINK: '' })).toEqual({
      nodeName: 'node1',
      controllerUrl: 'http://172.31.99.254:8080',
      apiTokenFile: undefined,
      tls: undefined,
      switchTlsDir: undefined,
      ovsdb: 'unix:/var/run/openvswitch/db.sock',
      encapIp: '172.31.99.1',
      datapathType: 'system',
      agentSocket: '/run/heddle/agent.sock',
      uplink: undefined,
      stateDir: '/var/lib/heddle',
      cniConfDir: undefined,
      cniVersion: '1.0.0',
      logLevel: 'info',
    });
  });

  it('lists every mistake in one message', () => {
    const wrong = {
      HEDDLE_NODE_NAME: 'Node_1',
      HEDDLE_CONTROLLER_URL: 'ftp://x',
      HEDDLE_API_TOKEN_FILE: '/nonexistent/token',
      HEDDLE_OVSDB: 'tcp:1.2.3.4:6640',
      HEDDLE_DATAPATH_TYPE: 'dpdk',
      HEDDLE_AGENT_SOCKET: 'agent.sock',
    };
    let message = '';
    try {
      readEnvironment(wrong);
    } catch (e) {
      message = (e as Error).message;
    }
    expect(message.split('\n')).toEqual([
      'the environment has 7 mistake(s):',
      '  HEDDLE_NODE_NAME="Node_1" is not a node name (lower case DNS name)',
      '  HEDDLE_CONTROLLER_URL="ftp://x" "ftp://x" is not unix:/PATH, tcp:HOST:PORT, ssl:HOST:PORT, http://HOST:PORT or https://HOST:PORT',
      '  HEDDLE_OVSDB="tcp:1.2.3.4:6640" is not unix:/PATH',
      '  HEDDLE_ENCAP_IP is not set: address of this node that tunnels end at (required)',
      '  HEDDLE_DATAPATH_TYPE="dpdk" is not system or netdev',
      '  HEDDLE_AGENT_SOCKET="agent.sock" is not an absolute path',
      expect.stringMatching(/HEDDLE_API_TOKEN_FILE="\/nonexistent\/token" cannot be used: ENOENT/),
    ]);
  });

  it.each<[name: string, more: Record<string, string>, message: RegExp]>([
    [
      'a URL with TLS without the files',
      { HEDDLE_CONTROLLER_URL: 'https://c:8443' },
      /HEDDLE_CONTROLLER_URL="https:\/\/c:8443" needs HEDDLE_TLS_KEY, HEDDLE_TLS_CERT, HEDDLE_TLS_CA/,
    ],
    ['one TLS file of three', { HEDDLE_TLS_CA: '/etc/hostname' }, /1 mistake\(s\):\n.*give all three or none/],
    [
      'TLS files that are not there',
      { HEDDLE_TLS_KEY: '/nonexistent/k', HEDDLE_TLS_CERT: '/nonexistent/c', HEDDLE_TLS_CA: 'ca.pem' },
      /HEDDLE_TLS_CA="ca.pem" is not an absolute path\n.*HEDDLE_TLS_KEY=.*ENOENT.*\n.*HEDDLE_TLS_CERT=.*ENOENT/,
    ],
  ])('refuses %s', (_, more, message) => {
    expect(() => readEnvironment({ ...good, ...more })).toThrow(message);
  });

  it('refuses an uplink for the kernel datapath', () => {
    expect(() => readEnvironment({ ...good, HEDDLE_UPLINK: 'eth0' })).toThrow(/HEDDLE_UPLINK is for/);
  });

  it.each(['HEDDLE_NODE_NAME', 'HEDDLE_CONTROLLER_URL', 'HEDDLE_UPLINK', 'HEDDLE_STATE_DIR'])(
    '%s is in --help',
    (name) => {
      expect(helpText()).toContain(name);
    },
  );
});
