import { describe, expect, it } from 'vitest';
import { type Failure, failuresText, readOutcome, slowestText } from './report.js';

const at = (seconds: number) => ({ startTime: 1_000_000, endTime: 1_000_000 + seconds * 1_000 });
const report = (...testResults: object[]) =>
  JSON.stringify({
    numPassedTests: 7,
    numFailedTests: 2,
    testResults: testResults.map((r) => ({ message: '', ...r })),
  });
const test = (fullName: string, ...failureMessages: string[]) => ({
  fullName,
  status: failureMessages.length > 0 ? 'failed' : 'passed',
  failureMessages,
});

describe('a report', () => {
  it('gives each failed test, and each file that could not be loaded', () => {
    const text = report(
      { ...at(2), name: '/r/a.spec.ts', status: 'failed', assertionResults: [test('a is', 'no'), test('a was')] },
      { ...at(0), name: '/r/b/b.spec.ts', status: 'failed', assertionResults: [], message: 'cannot find c' },
      { ...at(9.5), name: '/r/d.spec.ts', status: 'passed', assertionResults: [test('d')] },
    );
    expect(readOutcome('unit', text, 1, '/r')).toEqual({
      passed: 7,
      failed: 2,
      failures: [
        { project: 'unit', file: 'a.spec.ts', test: 'a is', message: 'no' },
        { project: 'unit', file: 'b/b.spec.ts', test: '', message: 'cannot find c' },
      ],
      files: [
        { file: 'a.spec.ts', seconds: 2 },
        { file: 'b/b.spec.ts', seconds: 0 },
        { file: 'd.spec.ts', seconds: 9.5 },
      ],
    });
  });
  it.each<[string, string | undefined, number, object]>([
    ['of a run that succeeded has no failure', report(), 0, { passed: 7, failed: 0, failures: [] }],
    ['of a run that failed has one in any case', report(), 1, { failed: 1, failures: [{ project: 'unit' }] }],
    ['that is not there is a failure', undefined, 0, { passed: 0, failed: 1 }],
    ['that is cut off is a failure', '{"numPassedTests":', 0, { passed: 0, failed: 1 }],
  ])('%s', (_, text, code, expected) => {
    expect(readOutcome('unit', text, code, '/r')).toMatchObject(expected);
  });
});

describe('the end of the output', () => {
  const failure = (test: string, message: string): Failure => ({ project: 'unit', file: 'a.spec.ts', test, message });

  it('names what failed and where, without colours and without the stack of others', () => {
    const message = [
      '\u001b[31mAssertionError\u001b[39m: expected 1 to be 2',
      '',
      '    at /r/a.spec.ts:3:1',
      '    at file:///r/node_modules/vitest/dist/x.js:1:1',
      '    at new Promise (<anonymous>)',
    ].join('\n');
    expect(failuresText([failure('a is', message), { ...failure('', 'ended'), file: '' }])).toBe(
      [
        'FAILED unit a.spec.ts a is',
        '    AssertionError: expected 1 to be 2',
        '        at /r/a.spec.ts:3:1',
        'FAILED unit',
        '    ended',
      ].join('\n'),
    );
  });
  it('is bounded: twenty tests, twelve lines of each', () => {
    const long = Array.from({ length: 50 }, (_, i) => `line ${i}`).join('\n');
    const lines = failuresText(Array.from({ length: 23 }, (_, i) => failure(`t${i}`, long))).split('\n');
    expect([lines.length, lines[12], lines[13], lines.at(-1)]).toEqual([
      20 * 13 + 1,
      '    line 11',
      'FAILED unit a.spec.ts t1',
      'and 3 more',
    ]);
  });
  it('names the five slowest files', () => {
    const files = [3, 1, 6, 2, 5, 4].map((seconds) => ({ file: `${seconds}.ts`, seconds }));
    expect(slowestText('ovs', files)).toBe(
      'slowest of ovs: 6.0 s 6.ts, 5.0 s 5.ts, 4.0 s 4.ts, 3.0 s 3.ts, 2.0 s 2.ts',
    );
  });
});
