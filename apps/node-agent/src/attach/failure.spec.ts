import { ApiError } from '@heddle/api';
import { TimeoutError } from 'ovsdb-client';
import { describe, expect, it } from 'vitest';
import { CommandError } from '../host/command.js';
import { PortError } from '../ovs/pod-ports.js';
import { toCniError } from './failure.js';

describe('what the container runtime sees', () => {
  it.each([
    [
      'an empty pool',
      new ApiError('pool_exhausted', 409, 'subnet default has no free block'),
      100,
      'cannot attach: the address pool is exhausted: subnet default has no free block',
    ],
    ['a pod not known yet', new ApiError('unknown_pod', 404, 'no pod a/b'), 11, 'cannot attach: no pod a/b'],
    [
      'no controller',
      new ApiError('unavailable', 0, 'cannot reach the controller'),
      11,
      'cannot attach: cannot reach the controller',
    ],
    ['no acknowledgement', new ApiError('timeout', 504, 'not in 15 s'), 11, 'cannot attach: not in 15 s'],
    ['another attachment', new ApiError('conflict', 409, 'other MAC'), 101, 'cannot attach: other MAC'],
    ['a wrong token', new ApiError('unauthorized', 401, 'wrong token'), 105, 'cannot attach: wrong token'],
    ["another node's token", new ApiError('forbidden', 403, 'of node b'), 105, 'cannot attach: of node b'],
    ['ip failing', new CommandError('ip', 2, 'RTNETLINK answers: x', 'ip failed'), 102, 'cannot attach: ip failed'],
    ['a port refused', new PortError('ofport 7 is taken'), 103, 'cannot attach: ofport 7 is taken'],
    [
      'a silent switch',
      new PortError('no port', { cause: new TimeoutError('wait', 10, 'committed') }),
      11,
      'cannot attach: no port',
    ],
    ['a bug', new TypeError('x is not a function'), 199, 'cannot attach: TypeError: x is not a function'],
  ])('%s', (_name, error, code, message) => {
    expect(toCniError('cannot attach', error)).toMatchObject({ code, message });
  });
});
