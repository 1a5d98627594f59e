import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../testing/manual-clock.js';
import { AgentTokens } from './agent-tokens.js';
import { KubeRefusal } from './kube-client.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NODE_NAME = 'authentication.kubernetes.io/node-name';
const ACCOUNT = 'system:serviceaccount:heddle-system:heddle-agent';

let clock: ManualClock;
let asked: unknown[];
/** What the API server answers; an Error is thrown. */
let answer: () => unknown;
let tokens: AgentTokens;

const token = (claims: object, signature = 'sig') =>
  [...['{}', JSON.stringify(claims)].map((part) => Buffer.from(part).toString('base64url')), signature].join('.');
const endsIn = (ms: number) => (clock.now() + ms) / 1_000;
const accepted = (more: object = {}, user: object = {}) => ({
  status: {
    authenticated: true,
    audiences: ['heddle'],
    user: { username: ACCOUNT, extra: { [NODE_NAME]: ['node1'] }, ...user },
    ...more,
  },
});

beforeEach(() => {
  clock = new ManualClock(0);
  asked = [];
  answer = accepted;
  tokens = new AgentTokens({
    client: {
      async request(_method, _path, request) {
        asked.push(request?.body);
        const said = await answer();
        if (said instanceof Error) throw said;
        return said;
      },
    },
    clock,
    // The manual clock is both clocks: time that passes passes on the wall.
    wallNow: () => clock.now(),
    account: { namespace: 'heddle-system', name: 'heddle-agent' },
  });
});

describe('the token of an agent', () => {
  it('names its node', async () => {
    const its = token({ aud: ['heddle'], exp: endsIn(HOUR) });
    expect(await tokens.ownerOf(its)).toEqual({ kind: 'agent', node: 'node1' });
    expect(asked).toEqual([
      { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: its, audiences: ['heddle'] } },
    ]);
  });

  it.each<[name: string, answer: () => unknown, kind: string, reason: RegExp]>([
    [
      'is not accepted',
      () => ({ status: { error: 'bound object gone' } }),
      'unknown',
      /does not accept the token: bound/,
    ],
    ['is for nobody that we know', () => accepted({ audiences: ['kubernetes'] }), 'unknown', /not for the audience/],
    ['was looked at without audiences', () => accepted({ audiences: undefined }), 'unknown', /not for the audience/],
    [
      'is of another account',
      () => accepted({}, { username: 'system:serviceaccount:x:y' }),
      'other',
      /is that of system:serviceaccount:x:y; agents have the account system:serviceaccount:heddle-system:heddle-agent/,
    ],
    ['names no node', () => accepted({}, { extra: {} }), 'other', /Kubernetes 1\.30 and newer.*shared-token/],
    ['is looked at by nobody', () => new Error('ECONNREFUSED'), 'unanswered', /cannot be asked about tokens: ECONN/],
    [
      'may not be looked at',
      () => new KubeRefusal(403, 'Forbidden', 'no'),
      'unanswered',
      /refuses to review tokens: no/,
    ],
    ['is answered with something else', () => 'x', 'unknown', /does not accept/],
  ])('is refused when it %s', async (_, said, kind, reason) => {
    answer = said;
    const owner = await tokens.ownerOf(token({ aud: 'heddle', exp: endsIn(HOUR) }));
    expect(owner).toEqual({ kind, reason: expect.stringMatching(reason) });
  });

  it.each<[name: string, token: () => string]>([
    ['no token', () => 'x'],
    ['no JSON', () => 'a.b.c'],
    ['for others', () => token({ aud: ['https://kubernetes.default.svc'], exp: endsIn(HOUR) })],
    ['without an end', () => token({ aud: ['heddle'] })],
    ['too long', () => token({ aud: ['heddle'], exp: endsIn(HOUR) }, 'x'.repeat(20_000))],
  ])('%s: is not even asked about', async (_, its) => {
    expect(await tokens.ownerOf(its())).toMatchObject({ kind: 'unknown' });
    expect(asked).toEqual([]);
  });
});

describe('what was said of a token', () => {
  const ask = async (its: string) => (await tokens.ownerOf(its)).kind;

  it('is remembered, asked for again after ten minutes, and ends with the token', async () => {
    const its = token({ aud: ['heddle'], exp: endsIn(25 * MINUTE) });
    const times: [number, number][] = [];
    for (const minute of [0, 5, 9, 11, 20, 22]) {
      clock.advance(minute * MINUTE - clock.now());
      expect(await ask(its)).toBe('agent');
      times.push([minute, asked.length]);
    }
    expect(times).toEqual([
      [0, 1],
      [5, 1],
      [9, 1],
      [11, 2],
      [20, 2],
      [22, 3],
    ]);
    answer = () => new Error('away');
    clock.advance(25 * MINUTE - clock.now());
    expect(await ask(its)).toBe('unanswered');
  });

  it('counts while the API server is away, which is asked twice a minute', async () => {
    const its = token({ aud: ['heddle'], exp: endsIn(HOUR) });
    await ask(its);
    answer = () => new Error('away');
    clock.advance(11 * MINUTE);
    expect([await ask(its), await ask(its), asked.length]).toEqual(['agent', 'agent', 2]);
    clock.advance(MINUTE / 2);
    expect([await ask(its), asked.length]).toEqual(['agent', 3]);
    answer = () => ({ status: {} });
    clock.advance(MINUTE / 2);
    expect(await ask(its)).toBe('unknown');
  });

  it('is of one token only', async () => {
    const claims = { aud: ['heddle'], exp: endsIn(HOUR) };
    expect(await ask(token(claims))).toBe('agent');
    answer = () => ({ status: {} });
    expect(await ask(token(claims, 'forged'))).toBe('unknown');
  });

  it('is asked for once by all who wait', async () => {
    const its = token({ aud: ['heddle'], exp: endsIn(HOUR) });
    expect(await Promise.all([ask(its), ask(its), ask(its)])).toEqual(['agent', 'agent', 'agent']);
    expect(asked.length).toBe(1);
  });

  it('is asked for of 32 tokens at once, and of the others when there is room', async () => {
    let [running, most] = [0, 0];
    answer = async () => {
      running++;
      most = Math.max(most, running);
      await new Promise((done) => setImmediate(done));
      running--;
      return accepted();
    };
    const all = Array.from({ length: 100 }, (_, i) => token({ aud: ['heddle'], exp: endsIn(HOUR) }, `s${i}`));
    expect(new Set(await Promise.all(all.map(ask)))).toEqual(new Set(['agent']));
    expect([asked.length, most, running]).toEqual([100, 32, 0]);
  });

  it('is remembered for ten seconds if it was refused', async () => {
    const its = token({ aud: ['heddle'], exp: endsIn(HOUR) });
    answer = () => ({ status: {} });
    expect([await ask(its), await ask(its), asked.length]).toEqual(['unknown', 'unknown', 1]);
    answer = accepted;
    clock.advance(10_000);
    expect(await ask(its)).toBe('agent');
  });
});
