import { describe, expect, it } from 'vitest';
import {
  type Failure,
  failuresText,
  outcomeOf,
  type RunError,
  type RunModule,
  readOutcome,
  slowestText,
} from './report.js';

/** A file with tests and suites, each by its name with its errors. */
const module = (
  file: string,
  parts: {
    readonly tests?: Readonly<Record<string, readonly RunError[] | 'passed' | 'skipped'>>;
    readonly suites?: Readonly<Record<string, readonly RunError[]>>;
    readonly errors?: readonly RunError[];
    readonly state?: string;
    readonly ms?: number;
  },
): RunModule => {
  const { tests = {}, suites = {}, errors = [], state = 'passed', ms = 0 } = parts;
  return {
    moduleId: `/r/${file}`,
    children: {
      allTests: () =>
        Object.entries(tests).map(([fullName, outcome]) => ({
          fullName,
          result: () => (typeof outcome === 'string' ? { state: outcome } : { state: 'failed', errors: outcome }),
        })),
      allSuites: () => Object.entries(suites).map(([fullName, of]) => ({ fullName, errors: () => of })),
    },
    state: () => state,
    errors: () => errors,
    diagnostic: () => ({ duration: ms, collectDuration: 500 }),
  };
};
const outcome = (modules: readonly RunModule[], unhandled: readonly RunError[] = []) =>
  outcomeOf('unit', modules, unhandled, '/r');
const messageOf = (error: RunError) =>
  outcome([module('a', { tests: { a: [error] } })]).failures[0]?.message.split('\n');

describe('an outcome', () => {
  it('has each failed test, each hook of a suite that failed, and each file that could not be loaded', () => {
    const no = [{ message: 'no' }];
    const modules = [
      module('a.spec.ts', { ms: 2_000, tests: { 'a is': no, 'a was': 'passed', 'a will be': 'skipped' } }),
      module('b/b.spec.ts', { errors: [{ message: 'cannot find c' }] }),
      module('c.spec.ts', { suites: { 'c d': [{ message: 'no switch' }], 'c e': [] }, tests: { 'c d is': 'skipped' } }),
      module('d.spec.ts', { ms: 9_500, tests: { d: 'passed' } }),
      module('e.spec.ts', { state: 'failed' }),
    ];
    expect(outcome(modules, [{ message: 'rejected' }])).toEqual({
      passed: 2,
      failed: 5,
      failures: [
        { project: 'unit', file: 'a.spec.ts', test: 'a is', message: 'no' },
        { project: 'unit', file: 'b/b.spec.ts', test: '', message: 'cannot find c' },
        { project: 'unit', file: 'c.spec.ts', test: 'c d', message: 'no switch' },
        { project: 'unit', file: 'e.spec.ts', test: '', message: 'it did not come to its end' },
        { project: 'unit', file: '', test: '', message: 'outside of tests: rejected' },
      ],
      files: [
        { file: 'a.spec.ts', seconds: 2.5 },
        { file: 'b/b.spec.ts', seconds: 0.5 },
        { file: 'c.spec.ts', seconds: 0.5 },
        { file: 'd.spec.ts', seconds: 10 },
        { file: 'e.spec.ts', seconds: 0.5 },
      ],
    });
  });
  it.each<[name: string, error: RunError, lines: string[]]>([
    [
      'name, message, and where in our files',
      {
        name: 'AssertionError',
        message: '\u001b[31mexpected\u001b[39m 1 to be 2',
        stack: [
          'AssertionError: expected 1 to be 2',
          '    at /r/a.spec.ts:3:1',
          '    at file:///r/node_modules/vitest/dist/x.js:1:1',
          '    at new Promise (<anonymous>)',
        ].join('\n'),
      },
      ['AssertionError: expected 1 to be 2', '    at /r/a.spec.ts:3:1'],
    ],
    [
      'what differs',
      { message: 'm', diff: '- Expected\n+ Received\n\n@@ -1,2 +1,2 @@\n  [\n-   1,\n+   2,\n  ]' },
      ['m', '-   1,', '+   2,'],
    ],
    [
      'what caused it, and what caused that',
      { message: 'm', cause: { name: 'Error', message: 'n', stack: 'Error: n\n    at /r/b.ts:1:1', cause: 'gone' } },
      ['m', 'caused by Error: n', 'caused by gone'],
    ],
    [
      'each of several errors',
      { name: 'AggregateError', message: 'm', errors: [{ message: 'one' }, { message: 'two' }] },
      ['AggregateError: m', 'caused by one', 'caused by two'],
    ],
    ['something in any case', {}, ['an error that says nothing']],
  ])('says of an error: %s', (_, error, lines) => {
    expect(messageOf(error)).toEqual(lines);
  });
  it('is bounded in causes, also where they go round', () => {
    const error: { message: string; cause?: object } = { message: 'again' };
    error.cause = error;
    expect(messageOf(error)).toHaveLength(5);
  });
  const good = JSON.stringify({ passed: 7, failed: 0, failures: [], files: [] });
  it.each<[string, string | undefined, number, object]>([
    ['of a run that succeeded has no failure', good, 0, { passed: 7, failed: 0, failures: [] }],
    ['of a run that failed has one in any case', good, 1, { passed: 7, failed: 1, failures: [{ project: 'unit' }] }],
    ['that is not there is a failure', undefined, 0, { passed: 0, failed: 1 }],
    ['that is cut off is a failure', '{"passed":', 0, { passed: 0, failed: 1 }],
  ])('%s', (_, text, code, expected) => {
    expect(readOutcome('unit', text, code)).toMatchObject(expected);
  });
});

describe('the end of the output', () => {
  const failure = (test: string, message: string): Failure => ({ project: 'unit', file: 'a.spec.ts', test, message });

  it('names what failed and where', () => {
    expect(failuresText([failure('a is', 'no\n\n    at /r/a'), { ...failure('', 'ended'), file: '' }])).toBe(
      ['FAILED unit a.spec.ts a is', '    no', '        at /r/a', 'FAILED unit', '    ended'].join('\n'),
    );
  });
  it('is bounded: twenty lines of one test, twenty tests, and no more than somebody sees of the end of an output', () => {
    const long = Array.from({ length: 50 }, (_, i) => `line ${i}`).join('\n');
    const one = failuresText([failure('t', long)]).split('\n');
    expect([one.length, one.at(-1)]).toEqual([21, '    line 19']);
    const text = failuresText(Array.from({ length: 23 }, (_, i) => failure(`t${i}`, `${long}${'x'.repeat(5_000)}`)));
    expect(text.length).toBeLessThan(4_000);
    expect(text.match(/^FAILED unit a.spec.ts t\d+\n {4}line 0$/gm)).toHaveLength(20);
    expect(text.endsWith('\nand 3 more')).toBe(true);
  });
  it('names the five slowest files', () => {
    const files = [3, 1, 6, 2, 5, 4].map((seconds) => ({ file: `${seconds}.ts`, seconds }));
    expect(slowestText('ovs', files)).toBe(
      'slowest of ovs: 6.0 s 6.ts, 5.0 s 5.ts, 4.0 s 4.ts, 3.0 s 3.ts, 2.0 s 2.ts',
    );
  });
});
