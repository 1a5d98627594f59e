import { describe, expect, it } from 'vitest';
import { formatEndpoint, parseEndpoint } from './endpoint.js';

describe('endpoints', () => {
  it.each([
    ['unix:/run/x.sock', { kind: 'unix', path: '/run/x.sock' }, 'unix:/run/x.sock'],
    ['tcp:127.0.0.1:6653', { kind: 'tcp', host: '127.0.0.1', port: 6653 }, 'tcp:127.0.0.1:6653'],
    ['ssl:[fd00::1]:6640', { kind: 'ssl', host: 'fd00::1', port: 6640 }, 'ssl:[fd00::1]:6640'],
    ['http://controller:8080/', { kind: 'tcp', host: 'controller', port: 8080 }, 'tcp:controller:8080'],
    ['https://[fd00::1]:8443', { kind: 'ssl', host: 'fd00::1', port: 8443 }, 'ssl:[fd00::1]:8443'],
    ['0.0.0.0:8080', { kind: 'tcp', host: '0.0.0.0', port: 8080 }, 'tcp:0.0.0.0:8080'],
  ])('reads %s', (text, endpoint, printed) => {
    expect(parseEndpoint(text)).toEqual(endpoint);
    expect(formatEndpoint(parseEndpoint(text))).toBe(printed);
  });

  it.each(['', 'unix:relative', 'tcp:host', 'tcp:host:99999', 'ftp://h:1', 'tcp:a:b:1', 'https://host/path'])(
    'refuses %j',
    (text) => {
      expect(() => parseEndpoint(text)).toThrow(/is not unix:/);
    },
  );
});
