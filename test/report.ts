import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** What the runs of `test/run.mjs` came to, as text: build systems show the end of the output, so it says what matters there. */

export interface Failure {
  readonly project: string;
  /** From the root; empty if it is about no file. */
  readonly file: string;
  /** Full name of the test; empty if the file could not be run at all. */
  readonly test: string;
  readonly message: string;
}

export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly Failure[];
  readonly files: readonly { readonly file: string; readonly seconds: number }[];
}

/** The part of vitest's JSON report that is read. */
interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    /** Milliseconds since 1970. */
    readonly startTime: number;
    readonly endTime: number;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/**
 * Reads one report; a file that could not even be loaded counts as a failed test.
 * @param text undefined if there is none
 * @param code exit code of the run
 */
export function readOutcome(project: string, text: string | undefined, code: number, root: string): Outcome {
  const of = (file: string, test: string, message: string): Failure => ({ project, file, test, message });
  const report = parse(text);
  if (report === undefined) {
    const failure = of('', '', `it ended with code ${code} and without a report`);
    return { passed: 0, failed: 1, failures: [failure], files: [] };
  }
  const failures = report.testResults.flatMap(({ name, status, message, assertionResults }): Failure[] => {
    const file = relative(root, name);
    const failed = assertionResults.filter((a) => a.status === 'failed');
    if (failed.length > 0) return failed.map((a) => of(file, a.fullName, a.failureMessages.join('\n')));
    return status === 'failed' ? [of(file, '', message)] : [];
  });
  if (code !== 0 && failures.length === 0)
    failures.push(of('', '', `it ended with code ${code} although no test failed`));
  const files = report.testResults.map(({ name, startTime, endTime }) => ({
    file: relative(root, name),
    seconds: (endTime - startTime) / 1_000,
  }));
  return { passed: report.numPassedTests, failed: failures.length, failures, files };
}

function parse(text: string | undefined): VitestReport | undefined {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    // The run was ended while it wrote.
    return undefined;
  }
}

const MAX_TOLD = 20;
const MAX_LINES = 12;
const MAX_LINE = 300;
/** Lines of a stack that are not ours. */
const FOREIGN = /^\s+at .*(node_modules|node:internal|<anonymous>)/;

/** A line for each failed test, below it the beginning of what it says; bounded, whatever fails. */
export function failuresText(failures: readonly Failure[]): string {
  const told = failures.slice(0, MAX_TOLD).flatMap(({ project, file, test, message }) => [
    ['FAILED', project, file, test].filter((part) => part !== '').join(' '),
    ...stripVTControlCharacters(message)
      .split('\n')
      .filter((line) => line.trim() !== '' && !FOREIGN.test(line))
      .slice(0, MAX_LINES)
      .map((line) => `    ${line.slice(0, MAX_LINE)}`),
  ]);
  const more = failures.length > MAX_TOLD ? [`and ${failures.length - MAX_TOLD} more`] : [];
  return [...told, ...more].join('\n');
}

const MAX_SLOW = 5;

/** The files that took longest, in one line. */
export function slowestText(project: string, files: Outcome['files']): string {
  const slowest = [...files].sort((a, b) => b.seconds - a.seconds).slice(0, MAX_SLOW);
  return `slowest of ${project}: ${slowest.map(({ file, seconds }) => `${seconds.toFixed(1)} s ${file}`).join(', ')}`;
}
