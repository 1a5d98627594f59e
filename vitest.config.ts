import { defineConfig } from 'vitest/config';

const shared = {
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  // The "source" export condition lets specs import workspace packages without a build.
  ssr: { resolve: { conditions: ['source', 'module', 'node', 'development|production'] } },
};

/** What computes more than it waits; by itself vitest leaves a processor free. */
const everyProcessor = { pool: 'forks', maxWorkers: '100%' } as const;

/** Conditions are awaited however busy the machine is. */
const patient = { testTimeout: 60_000, hookTimeout: 60_000, expect: { poll: { timeout: 30_000 } } };
const everywhere = { ...patient, globalSetup: ['test/support/temporary-folder.ts'] };

export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: {
          name: 'unit',
          include: [
            'libs/**/*.spec.ts',
            'apps/**/*.spec.ts',
            'migrations/**/*.spec.ts',
            'test/architecture/**/*.spec.ts',
            'test/deploy/*.spec.ts',
            'test/*.spec.ts',
            'deploy/**/*.spec.ts',
          ],
          exclude: ['**/node_modules/**', '**/dist/**'],
          ...everyProcessor,
          ...everywhere,
        },
      },
      // The truth table of policy and random policies, through everything that can judge them without a switch.
      {
        ...shared,
        test: { name: 'policy', include: ['test/policy/**/*.spec.ts'], ...everyProcessor, ...everywhere },
      },
      {
        ...shared,
        test: {
          name: 'ovs',
          include: ['test/ovs/**/*.spec.ts'],
          pool: 'forks',
          fileParallelism: false,
          ...everywhere,
        },
      },
      {
        ...shared,
        test: {
          name: 'kube',
          include: ['test/kube/**/*.spec.ts'],
          pool: 'forks',
          fileParallelism: false,
          ...everywhere,
          expect: { poll: { ...patient.expect.poll, interval: 10 } },
        },
      },
      {
        ...shared,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.spec.ts'],
          pool: 'forks',
          fileParallelism: false,
          ...everywhere,
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      // Only by test/deploy/images.sh, which makes the namespaces that it runs in.
      {
        ...shared,
        test: {
          name: 'images',
          include: ['test/deploy/images/**/*.spec.ts'],
          pool: 'forks',
          fileParallelism: false,
          ...everywhere,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
