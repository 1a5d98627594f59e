import { createServer, type Server } from 'node:http';
import { ApiClient } from '@heddle/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseProtocolPort, resolveSource, resolveTarget } from './targets.js';

describe('PROTO/PORT', () => {
  it.each([
    ['tcp/80', { protocol: 'tcp', port: 80 }],
    ['80/tcp', { protocol: 'tcp', port: 80 }],
    ['UDP/53', { protocol: 'udp', port: 53 }],
    ['icmp', { protocol: 'icmp', port: undefined }],
  ])('reads %s', (text, expected) => {
    expect(parseProtocolPort(text)).toEqual(expected);
  });
  it.each(['tcp', 'tcp/0', 'tcp/65536', 'tcp/http', 'icmp/8', '80', 'tcp/80/90', ''])('refuses "%s"', (text) => {
    expect(() => parseProtocolPort(text)).toThrow('want PROTO/PORT');
  });
});

const pod = (namespace: string, name: string) => ({
  namespace,
  name,
  labels: {},
  requestedNode: '',
  hostNetwork: false,
  containers: [],
  attachment: null,
});
const service = (namespace: string, name: string) => ({
  namespace,
  name,
  type: 'ClusterIP',
  clusterIps: [],
  ports: [],
});
const answers: Readonly<Record<string, unknown>> = {
  '/v1/domains': [{ name: 'www.example.com', addresses: [{ address: '192.0.2.1', secondsLeft: 30 }] }],
  '/v1/pods': [pod('shop', 'web-0'), pod('shop', 'web-1'), pod('shop', 'api-7d9f8-x2x4z'), pod('shop', 'db')],
  '/v1/services': [service('shop', 'web'), service('shop', 'db'), service('shop', 'mail')],
};

describe('names that people write', () => {
  let server: Server;
  let api: ApiClient;
  beforeAll(async () => {
    server = createServer((request, response) => response.end(JSON.stringify(answers[request.url ?? ''])));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    api = new ApiClient({ url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}` });
  });
  afterAll(() => server.close());

  it.each([
    ['a pod', 'shop/web-1', 'shop/web-1'],
    ['a pod before a service of the same name', 'shop/db', 'shop/db'],
    ['a service', 'shop/mail', 'svc:shop/mail'],
    ['a service before the pods of a Deployment of the same name', 'shop/web', 'svc:shop/web'],
    ["a Deployment's first pod", 'shop/api', 'shop/api-7d9f8-x2x4z'],
    ['svc/', 'svc/shop/db', 'svc:shop/db'],
    ['svc:', 'svc:shop/db', 'svc:shop/db'],
    ['IPv4', '10.0.0.1', '10.0.0.1'],
    ['a domain name', 'WWW.example.com.', '192.0.2.1'],
    ['IPv6 in brackets', '[fd00::1]', 'fd00::1'],
  ])('target: %s', async (_name, text, expected) => {
    expect(await resolveTarget(api, text)).toBe(expected);
  });
  it('a target that is not there: says what is', async () => {
    await expect(resolveTarget(api, 'shop/cart')).rejects.toThrow('shop/web-0, shop/web-1');
    await expect(resolveTarget(api, 'cart')).rejects.toThrow('want NAMESPACE/POD');
    await expect(resolveTarget(api, 'example.org')).rejects.toThrow('no address of example.org is known');
  });
  it.each([
    ['a pod', 'shop/web-1', 'shop/web-1'],
    ["a Deployment's first pod, even if a service has its name", 'shop/web', 'shop/web-0'],
  ])('source: %s', async (_name, text, expected) => {
    expect(await resolveSource(api, text)).toBe(expected);
  });
  it('a source that is not there: says what is', async () => {
    await expect(resolveSource(api, 'shop/mail')).rejects.toThrow('no pod "shop/mail"');
  });
});
