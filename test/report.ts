import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** What the runs of `test/run.mjs` came to, as text: build systems show the end of the output, so it says what matters there. */

export interface Failure {
  readonly project: string;
  /** From the root; empty if it is about no file. */
  readonly file: string;
  /** Full name of the test, or of the suite whose hook failed; empty if the file could not be run at all. */
  readonly test: string;
  readonly message: string;
}

export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly Failure[];
  readonly files: readonly { readonly file: string; readonly seconds: number }[];
}

/** The part of vitest's errors that is read. */
export interface RunError {
  readonly name?: string | undefined;
  readonly message?: string | undefined;
  readonly stack?: string | undefined;
  readonly diff?: string | undefined;
  readonly cause?: unknown;
  /** Of an AggregateError. */
  readonly errors?: unknown;
}

/** The part of vitest's test modules that is read. */
export interface RunModule {
  readonly moduleId: string;
  readonly children: {
    allTests(): Iterable<{
      readonly fullName: string;
      result(): { readonly state: string; readonly errors?: readonly RunError[] | undefined };
    }>;
    allSuites(): Iterable<{ readonly fullName: string; errors(): readonly RunError[] }>;
  };
  state(): string;
  errors(): readonly RunError[];
  /** Milliseconds. */
  diagnostic(): { readonly duration: number; readonly collectDuration: number };
}

/** What a run of vitest came to; hooks that failed and errors that belong to no test count as failed tests. */
export function outcomeOf(
  project: string,
  modules: readonly RunModule[],
  unhandled: readonly RunError[],
  root: string,
): Outcome {
  const failures: Failure[] = [];
  let passed = 0;
  for (const module of modules) {
    const file = relative(root, module.moduleId);
    const before = failures.length;
    const failed = (test: string, errors: readonly RunError[]) =>
      failures.push({ project, file, test, message: errors.map(messageOf).join('\n') });
    if (module.errors().length > 0) failed('', module.errors());
    for (const suite of module.children.allSuites())
      if (suite.errors().length > 0) failed(suite.fullName, suite.errors());
    for (const test of module.children.allTests()) {
      const { state, errors = [] } = test.result();
      if (state === 'passed') passed++;
      if (state === 'failed') failed(test.fullName, errors);
    }
    if (module.state() === 'failed' && failures.length === before)
      failed('', [{ message: 'it did not come to its end' }]);
  }
  for (const error of unhandled)
    failures.push({ project, file: '', test: '', message: `outside of tests: ${messageOf(error)}` });
  const files = modules.map((module) => {
    const { duration, collectDuration } = module.diagnostic();
    return { file: relative(root, module.moduleId), seconds: (duration + collectDuration) / 1_000 };
  });
  return { passed, failed: failures.length, failures, files };
}

const MAX_CAUSES = 4;
const MAX_CAUSE_LINES = 3;
const MAX_DIFF = 8;
const MAX_FRAMES = 2;
/** Lines of a stack that are not ours. */
const FOREIGN = /node_modules|node:internal|<anonymous>/;

const linesOf = (text: string | undefined): readonly string[] =>
  stripVTControlCharacters(text ?? '')
    .split('\n')
    .filter((line) => line.trim() !== '');
const isRecord = (value: unknown): value is RunError => typeof value === 'object' && value !== null;

/** What an error says: its message, what differs, where in our files, and the messages of what caused it. */
function messageOf(error: RunError): string {
  const lines = [...headOf(error)];
  lines.push(
    ...linesOf(error.diff)
      .filter((line) => /^\s*[-+]\s(?!Expected|Received)/.test(line))
      .slice(0, MAX_DIFF),
  );
  const frames = linesOf(error.stack).filter((line) => /^\s+at /.test(line) && !FOREIGN.test(line));
  lines.push(...frames.slice(0, MAX_FRAMES));
  const causes = (of: RunError): readonly unknown[] => [
    ...(of.cause === undefined || of.cause === null ? [] : [of.cause]),
    ...(Array.isArray(of.errors) ? of.errors : []),
  ];
  const next = [...causes(error)];
  for (let told = 0; told < MAX_CAUSES && next.length > 0; told++) {
    const cause = next.shift();
    const said = isRecord(cause) ? headOf(cause) : linesOf(String(cause));
    lines.push(...said.slice(0, MAX_CAUSE_LINES).map((line, i) => (i === 0 ? `caused by ${line}` : line)));
    if (isRecord(cause)) next.push(...causes(cause));
  }
  return lines.join('\n');
}

/** Name and message, as the stack begins with them; an error that is none has a message at most. */
function headOf({ name, message, stack }: RunError): readonly string[] {
  const said = linesOf(message);
  if (said.length === 0) return linesOf(stack ?? name ?? 'an error that says nothing').slice(0, 1);
  return name === undefined ? said : [`${name}: ${said[0]}`, ...said.slice(1)];
}

/**
 * Reads an outcome that was written.
 * @param text undefined if there is none
 * @param code exit code of the run
 */
export function readOutcome(project: string, text: string | undefined, code: number): Outcome {
  const of = (message: string): Failure => ({ project, file: '', test: '', message });
  const outcome = parse(text);
  if (outcome === undefined)
    return { passed: 0, failed: 1, failures: [of(`it ended with code ${code} and without a report`)], files: [] };
  if (code === 0 || outcome.failed > 0) return outcome;
  return { ...outcome, failed: 1, failures: [of(`it ended with code ${code} although no test failed`)] };
}

function parse(text: string | undefined): Outcome | undefined {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    // The run was ended while it wrote.
    return undefined;
  }
}

const MAX_TOLD = 20;
const MAX_LINES = 20;
const MAX_LINE = 300;
/** Of all that is told: what shows the end of an output shows about 4,000 characters. */
const MAX_CHARACTERS = 3_000;

/** A line for each failed test, below it the beginning of what it says; bounded, whatever fails. */
export function failuresText(failures: readonly Failure[]): string {
  const told = failures.slice(0, MAX_TOLD);
  const share = MAX_CHARACTERS / told.length;
  const parts = told.flatMap(({ project, file, test, message }) => {
    const name = ['FAILED', project, file, test].filter((part) => part !== '').join(' ');
    const lines: string[] = [];
    let used = name.length;
    for (const line of linesOf(message).slice(0, MAX_LINES)) {
      // The first line in any case.
      if (lines.length > 0 && used > share) break;
      lines.push(`    ${line.slice(0, MAX_LINE)}`);
      used += Math.min(line.length, MAX_LINE) + 5;
    }
    return [name.slice(0, MAX_LINE), ...lines];
  });
  const more = failures.length > MAX_TOLD ? [`and ${failures.length - MAX_TOLD} more`] : [];
  return [...parts, ...more].join('\n');
}

const MAX_SLOW = 5;

/** The files that took longest, in one line. */
export function slowestText(project: string, files: Outcome['files']): string {
  const slowest = [...files].sort((a, b) => b.seconds - a.seconds).slice(0, MAX_SLOW);
  return `slowest of ${project}: ${slowest.map(({ file, seconds }) => `${seconds.toFixed(1)} s ${file}`).join(', ')}`;
}
