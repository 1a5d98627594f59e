import { existsSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { ApiClient, path, ROUTES, StatusView } from '@heddle/api';
import { nodeName } from '@heddle/compiler';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { useShop } from '../../testing/shop.js';

const shop = useShop();

describe('the edge', () => {
  const raw = (options: object, body = ''): Promise<{ status: number; text: string; type: string }> =>
    new Promise((resolve, reject) => {
      const call = request({ socketPath: shop.folder.socket, ...options }, (response) => {
        let text = '';
        response.on('data', (part) => (text += part));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text, type: response.headers['content-type'] ?? '' }),
        );
      });
      call.on('error', reject);
      call.end(body);
    });
  const json = { 'content-type': 'application/json' };

  it.each<[name: string, options: object, body: string, status: number, code: string]>([
    ['a path that is not there', { path: '/v1/nothing' }, '', 404, 'not_found'],
    ['a body that is no JSON', { method: 'POST', path: ROUTES.agentAttach, headers: json }, '{', 400, 'bad_request'],
    [
      'a body that is too large',
      { method: 'POST', path: ROUTES.agentAttach, headers: json },
      JSON.stringify({ x: 'x'.repeat(300_000) }),
      413,
      'bad_request',
    ],
    ['a query that does not fit', { path: `${ROUTES.status}?waitMs=soon` }, '', 400, 'bad_request'],
    ['flows of a node that is not there', { path: path(ROUTES.nodeFlows, 'nope') }, '', 404, 'not_found'],
    [
      'a port that is not there',
      { method: 'POST', path: ROUTES.agentRealized, headers: json },
      '{"portKey":9,"timeoutMs":0}',
      404,
      'not_found',
    ],
  ])('refuses %s with a code', async (_, options, body, httpStatus, code) => {
    await shop.start();
    const answer = await raw(options, body);
    expect([answer.status, JSON.parse(answer.text)]).toEqual([httpStatus, expect.objectContaining({ code })]);
  });

  it('does not take a file for a socket that was left behind', async () => {
    writeFileSync(shop.folder.socket, 'precious');
    await expect(shop.start()).rejects.toThrow(/api\.sock exists and is not a socket/);
    expect(existsSync(shop.folder.socket)).toBe(true);
  });

  it('keeps its unix socket to its owner, and removes it in the end', async () => {
    await shop.start();
    expect(statSync(shop.folder.socket).mode & 0o777).toBe(0o600);
    await shop.h.stop();
    expect(existsSync(shop.folder.socket)).toBe(false);
  });

  it('asks for the token on TCP, not on the unix socket, and not for health and metrics', async () => {
    const token = 'a-token-of-some-length';
    const tokenFile = join(shop.folder.path, 'token');
    writeFileSync(tokenFile, `${token}\n`);
    await shop.start({
      HEDDLE_API_LISTEN: `tcp:127.0.0.1:0,unix:${shop.folder.socket}`,
      HEDDLE_API_TOKEN_FILE: tokenFile,
    });
    const url = `http://127.0.0.1:${shop.h.controller.apiPorts[0]}`;
    const call = (given?: string) =>
      new ApiClient({ url, ...(given === undefined ? {} : { token: given }) }).get(ROUTES.status, StatusView);
    await expect(call()).rejects.toMatchObject({ status: 401, code: 'unauthorized' });
    await expect(call(`${token}x`)).rejects.toMatchObject({ status: 401, code: 'unauthorized' });
    await expect(call(token)).resolves.toMatchObject({ version: '0.1.0' });
    await expect(shop.status()).resolves.toMatchObject({ version: '0.1.0' });
    writeFileSync(tokenFile, 'another-that-is-as-long');
    await expect(call(token)).rejects.toMatchObject({ status: 401, code: 'unauthorized' });
    await expect(call('another-that-is-as-long')).resolves.toMatchObject({ version: '0.1.0' });
    // Written halfway: the one of before goes on.
    writeFileSync(tokenFile, 'ano');
    await expect(call('ano')).rejects.toMatchObject({ status: 401, code: 'unauthorized' });
    await expect(call('another-that-is-as-long')).resolves.toMatchObject({ version: '0.1.0' });
    expect(await new ApiClient({ url }).text('GET', ROUTES.health)).toContain('ok');
    expect(await new ApiClient({ url }).text('GET', ROUTES.metrics)).toContain('heddle_generation 1');
  });

  it('states a permission for every route, and documents them all', async () => {
    await shop.start();
    const document = z
      .object({
        paths: z.record(
          z.string(),
          z.record(z.string(), z.object({ 'x-heddle-permission': z.enum(['public', 'read', 'agent', 'admin']) })),
        ),
      })
      .parse(JSON.parse(await shop.h.client.text('GET', ROUTES.openapi)));
    const documented = Object.keys(document.paths).sort();
    const served = Object.values(ROUTES)
      .map((route) => route.replace(/:([a-z]+)/g, '{$1}'))
      .sort();
    expect(documented).toEqual(served);
    const open = Object.entries(document.paths).filter(([, methods]) =>
      Object.values(methods).some((m) => m['x-heddle-permission'] === 'public'),
    );
    expect(open.map(([route]) => route).sort()).toEqual(
      [ROUTES.health, ROUTES.livez, ROUTES.readyz, ROUTES.metrics, ROUTES.openapi].sort(),
    );
  });

  it('counts what it does', async () => {
    await shop.start();
    await shop.register();
    shop.h.switches.connect('node1');
    // As its driver does: what nobody asks for is not told.
    shop.h.compiler.node(nodeName('node1'));
    await shop.attach();
    await shop.status(1_000);
    const metrics = await shop.h.client.text('GET', ROUTES.metrics);
    expect(metrics).toMatch(/^heddle_attach_seconds_count\{result="ok"\} 1$/m);
    expect(metrics).toMatch(/^heddle_node_connected\{node="node1"\} 1$/m);
    expect(metrics).toMatch(/^heddle_realization_seconds_count\{node="node1"\} 1$/m);
    expect(metrics).toMatch(/^heddle_source_problems\{severity="error"\} 0$/m);
    expect(metrics).toMatch(/^nodejs_eventloop_lag_seconds /m);
  });
});
