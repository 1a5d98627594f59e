import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VARIABLES as CONTROLLER } from '../../apps/controller/src/config/config.js';
import { VARIABLES as AGENT } from '../../apps/node-agent/src/daemon/environment.js';
import { build, DEPLOY } from './kustomize.js';

const ROOT = resolve(DEPLOY, '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const DOCS = readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`);
const PAGES = [...DOCS, 'README.md', 'deploy/README.md', 'vagrant/README.md'];

/** All source below a folder, without specs. */
function source(folder: string): string {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
    .map((name) => readFileSync(join(ROOT, folder, name), 'utf8'))
    .join('\n');
}

describe('docs/configure.md', () => {
  const text = read('docs/configure.md');
  const section = (title: string) => text.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = (title: string) =>
    [...section(title).matchAll(/^\| `[A-Z_]+` \|.*$/gm)].map(([row]) => {
      const [, name = '', fallback = '', manifests = ''] = row
        .split('|')
        .map((cell) => cell.trim().replaceAll('`', ''));
      return { name, fallback, manifests };
    });
  const docOf = (doc: string | { doc: string }) => (typeof doc === 'string' ? doc : doc.doc);
  const programs = [
    ['Controller', { ...CONTROLLER, HEDDLE_TLS_NAMES: '' }, 'heddle-controller'],
    ['Agent', AGENT, 'heddle-agent'],
  ] as const;

  it.each(programs)('%s: has a row for every variable, and none for another', (title, variables) => {
    expect(
      rows(title)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(Object.keys(variables).sort());
  });

  it.each(programs)('%s: gives the defaults that --help gives', (title, variables) => {
    const wrong = rows(title).flatMap(({ name, fallback }) => {
      const doc = docOf((variables as Record<string, string | { doc: string }>)[name] ?? '');
      const said = / ?\(default:? ([^)]*)\)|, default\b/.exec(doc)?.[1] ?? /(\w+) \(default\)/.exec(doc)?.[1];
      const same =
        said === undefined || fallback.includes(said.replace(/^the service account of.*/, "the pod's service account"));
      return same ? [] : [`${name}: "${fallback}" is not "${said}"`];
    });
    expect(wrong).toEqual([]);
  });

  it.each(programs)('%s: gives the values of the ConfigMap', (title, _, name) => {
    const data = build(DEPLOY).find((o) => o.kind === 'ConfigMap' && o.metadata.name === name)?.data;
    const ours = Object.fromEntries(
      rows(title)
        .filter(({ manifests }) => !['set by the manifests', 'not set'].includes(manifests))
        .map(({ name: variable, manifests }) => [variable, manifests === 'empty' ? '' : manifests]),
    );
    expect(ours).toEqual(data);
  });

  it('has every annotation that policies are read for', () => {
    const known = [...source('apps/controller/src/source/objects').matchAll(/`\$\{PREFIX\}([a-z-]+)`/g)].map(
      (m) => m[1],
    );
    expect(known.length).toBeGreaterThan(1);
    for (const name of known) expect(text).toContain(`\`heddle.dev/${name}\``);
  });
});

describe('docs/troubleshoot.md', () => {
  const text = read('docs/troubleshoot.md');

  it('has ten failures, each with a command', () => {
    const failures = text.split(/\n## (?=\d)/).slice(1);
    expect(failures).toHaveLength(10);
    for (const failure of failures) expect(failure, failure.split('\n')[0]).toMatch(/^ {4}(kubectl|ls) /m);
  });

  it('names log events that there are', () => {
    const said = new Set([...text.matchAll(/[`'|]([a-z]+(?:_[a-z]+)+)(?=[`'|])/g)].map((m) => m[1] as string));
    const agent = source('apps/node-agent/src');
    const unknown = [...said].filter((event) => !agent.includes(`'${event}'`) && !/^(bin|conf)_dir$/.test(event));
    expect(unknown).toEqual([]);
    expect(said.size).toBeGreaterThan(4);
  });

  it('names reasons of events that there are', () => {
    const writes = source('apps/controller/src');
    for (const [, reason] of text.matchAll(/reason=(\w+)/g)) expect(writes).toContain(`'${reason}'`);
  });
});

describe.each(PAGES)('%s', (file) => {
  const text = read(file);

  it('links to what is there', () => {
    const headings = (page: string) =>
      [...readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
        (title ?? '')
          .toLowerCase()
          .replace(/[^a-z0-9 -]/g, '')
          .replaceAll(' ', '-'),
      );
    const broken = [...text.matchAll(/\]\(([^)]+)\)/g)].flatMap(([, link]) => {
      if (link === undefined || /^https?:/.test(link)) return [];
      const [path = '', anchor] = link.split('#');
      const page = path === '' ? join(ROOT, file) : resolve(ROOT, dirname(file), path);
      if (!existsSync(page)) return [link];
      return anchor === undefined || headings(page).includes(anchor) ? [] : [link];
    });
    expect(broken).toEqual([]);
  });

  it('names containers, workloads and files of deploy/ that there are', () => {
    const objects = [...build(DEPLOY), ...build(join(DEPLOY, 'uninstall'))];
    const short: Record<string, string> = {
      ds: 'DaemonSet',
      daemonset: 'DaemonSet',
      deploy: 'Deployment',
      deployment: 'Deployment',
    };
    const wrong: string[] = [];
    for (const [line, kind = '', name, container] of text.matchAll(
      /\b(ds|daemonset|deploy|deployment)[/ ](heddle-[a-z]+)(?: -c ([a-z-]+))?/g,
    )) {
      const found = objects.find((o) => o.kind === short[kind] && o.metadata.name === name);
      const spec = found?.spec.template.spec;
      const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].map((c) => c.name);
      if (found === undefined || (container !== undefined && !containers.includes(container))) wrong.push(line);
    }
    for (const [path] of text.matchAll(/(?<!\/)\bdeploy\/[a-z][a-z0-9./-]*[a-z]/g))
      if (!existsSync(join(ROOT, path)) && !path.startsWith('deploy/heddle-')) wrong.push(path);
    for (const [, overlay] of text.matchAll(/\boverlays\/([a-z-]+)/g))
      if (!existsSync(join(DEPLOY, 'overlays', overlay ?? ''))) wrong.push(`overlays/${overlay}`);
    expect(wrong).toEqual([]);
  });

  it('gives commands of heddle that there are', () => {
    const cli = source('apps/cli/src');
    const unknown = [...text.matchAll(/^ {4}.*(?:-- |bin\/)heddle ([a-z]+)/gm)]
      .map((m) => m[1] as string)
      .filter((command) => !new RegExp(`'${command}[' ]`).test(cli));
    expect(unknown).toEqual([]);
  });
});
