import { ApiError } from '@heddle/api';
import { describe, expect, it } from 'vitest';
import { connect, describeError } from './connection.js';

describe('reaching the controller', () => {
  it('a failure says what to do', async () => {
    const env = { HEDDLE_CONTROLLER_URL: 'unix:/nonexistent/api.sock' };
    const error = await connect(env)
      .text('GET', '/health')
      .catch((e: unknown) => e);
    expect(describeError(error, env)).toMatch(
      /cannot reach the controller at unix:\/nonexistent\/api.sock.*\n.*HEDDLE_CONTROLLER_URL/,
    );
    expect(describeError(error, {})).toContain("'make lab'");
    expect(describeError(new ApiError('unauthorized', 401, 'no token'), env)).toContain('HEDDLE_API_TOKEN_FILE');
    expect(describeError(new ApiError('unavailable', 503, 'starting'), env)).toContain('try again');
    expect(describeError(new ApiError('bad_request', 400, 'no', ['port: want a number']), env)).toBe(
      'no\n  port: want a number',
    );
    const refused = new ApiError('unavailable', 0, 'cannot reach it: self-signed certificate in certificate chain');
    expect(describeError(refused, env)).toContain('HEDDLE_TLS_CA');
  });
  it('a URL or a token file that cannot be used is refused at once', () => {
    expect(() => connect({ HEDDLE_CONTROLLER_URL: 'ftp://x' })).toThrow('"ftp://x" is not');
    expect(() => connect({ HEDDLE_CONTROLLER_URL: 'unix:/x', HEDDLE_API_TOKEN_FILE: '/nonexistent/token' })).toThrow(
      'HEDDLE_API_TOKEN_FILE',
    );
    const url = { HEDDLE_CONTROLLER_URL: 'https://localhost:1' };
    expect(() => connect({ ...url, HEDDLE_TLS_CA: '/nonexistent/ca' })).toThrow('HEDDLE_TLS_CA: ENOENT');
    expect(() => connect({ ...url, HEDDLE_TLS_KEY: '/etc/hostname' })).toThrow('HEDDLE_TLS_CERT: give both or none');
  });
});
