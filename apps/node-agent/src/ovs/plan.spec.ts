import { describe, expect, it } from 'vitest';
import { resolveTarget } from './plan.js';

describe("the controller's targets", () => {
  it.each([
    ['tcp:192.0.2.1:6653', undefined, 'tcp:192.0.2.1:6653'],
    ['tcp::6653', '172.31.99.254', 'tcp:172.31.99.254:6653'],
    ['ssl::6640', 'fd00::1', 'ssl:[fd00::1]:6640'],
    ['unix:/run/c.sock', undefined, 'unix:/run/c.sock'],
  ])('%s from %s', (target, host, resolved) => {
    expect(resolveTarget(target, host)).toBe(resolved);
  });
  it('without a host need a controller that has one', () => {
    expect(() => resolveTarget('tcp::6653', undefined)).toThrow(/reached by a unix socket/);
  });
});
