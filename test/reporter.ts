import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Reporter } from 'vitest/node';
import { outcomeOf, type RunModule } from './report.ts';

/**
 * Writes what a run came to into the file that HEDDLE_TEST_OUTCOME names, for `test/run.mjs`: vitest's own report has neither the causes
 * of errors nor what hooks of suites said. The default export is how vitest finds it.
 */
export default class OutcomeReporter implements Reporter {
  onTestRunEnd: NonNullable<Reporter['onTestRunEnd']> = (modules, unhandled) => {
    const file = process.env.HEDDLE_TEST_OUTCOME;
    if (file === undefined) throw new Error('HEDDLE_TEST_OUTCOME is not set');
    const project = modules[0]?.project.name ?? '';
    const outcome = outcomeOf(project, modules as readonly RunModule[], unhandled, resolve(import.meta.dirname, '..'));
    writeFileSync(file, JSON.stringify(outcome));
  };
}
