import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeCertificates } from '../support/certificates.js';
import { hasOvs, startSwitch, type TestSwitch } from '../support/ovs.js';
import { freePort } from '../support/ports.js';

const ROOT = join(import.meta.dirname, '../..');
const VECTORS = join(ROOT, '../shared/openflow/vectors');
/** One process of ovs-ofctl a message: a sample of the vectors is enough here. */
const SAMPLE = Number(process.env.OF_CLI_SAMPLE ?? 150);

interface Result {
  readonly code: number;
  readonly out: string;
}

describe.skipIf(!hasOvs())('heddle of', () => {
  let ovs: TestSwitch;
  let program: string;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    ovs = await startSwitch();
    program = join(ROOT, `test/ovs/.of-cli.${process.pid}.mjs`);
    const options = { bundle: true, platform: 'node', format: 'esm', target: 'node24', logLevel: 'error' } as const;
    await build({
      ...options,
      stdin: {
        contents: `import { Command } from 'commander'; import { ofCommand } from './apps/cli/src/of/command.ts';
          new Command('heddle').addCommand(ofCommand()).parseAsync().catch((e) => { console.error(e.message); process.exitCode = 1; });`,
        resolveDir: ROOT,
      },
      outfile: program,
      conditions: ['source'],
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    });
  });
  beforeEach(async () => {
    await ovs.ofctl('del-flows', 'br-int');
    await ovs.ofctl('del-groups', 'br-int');
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGTERM');
  });
  afterAll(async () => {
    (await import('node:fs')).rmSync(program, { force: true });
    await ovs?.stop();
  });

  const heddle = (args: readonly string[], input = ''): Promise<Result> =>
    new Promise((resolve) => {
      const child = execFile(process.execPath, [program, 'of', ...args], { maxBuffer: 1e8 }, (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code), out: out + err }),
      );
      child.stdin?.end(input);
    });
  /** Starts one that stays, and collects what it prints. */
  function start(...args: readonly string[]): { readonly text: () => string } {
    const child = spawn(process.execPath, [program, 'of', ...args]);
    children.push(child);
    let text = '';
    child.stdout.on('data', (data) => (text += data));
    child.stderr.on('data', (data) => (text += data));
    return { text: () => text };
  }
  const ofpPrint = (hex: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const child = execFile('ovs-ofctl', ['ofp-print', '-'], (error, out) => (error ? reject(error) : resolve(out)));
      child.stdin?.end(hex);
    });
  const apply = (text: string) => heddle(['apply', ovs.openflow, '-'], text);

  it('decodes vectors as ofp-print does', async (context) => {
    if (!existsSync(VECTORS)) {
      console.log('skipped: the vectors of Open vSwitch are not present');
      context.skip();
    }
    const all = readdirSync(VECTORS)
      .filter((file) => /^(generated|ofp-print|ofp-errors)/.test(file))
      .sort()
      .flatMap(
        (file) =>
          Object.values(JSON.parse(readFileSync(join(VECTORS, file), 'utf8'))).find(Array.isArray) as {
            hex?: string;
            error?: string;
            text?: string;
          }[],
      )
      .filter((v) => /^0[456]/.test(v.hex ?? '') && v.error === undefined && !v.text?.includes('decode error'))
      .map((v) => v.hex as string);
    expect(all.length).toBeGreaterThan(2000);
    const step = Math.max(1, Math.floor(all.length / SAMPLE));
    const sample = all.filter((hex, i) => i % step === 0 && hex.length >= 16);
    const { out } = await heddle(['decode'], sample.map((hex) => `${hex}\n!\n`).join(''));
    const ours = out.split(/^error: line \d+, digit 1: "!" is not hexadecimal\n/m).slice(0, -1);
    const theirs: string[] = [];
    for (const hex of sample) theirs.push(await ofpPrint(hex));
    // A sample without empty lines at the end, which ofp-print writes behind some messages.
    expect(ours.map((t) => t.trimEnd())).toEqual(theirs.map((t) => t.trimEnd()));
  });

  it('says what is wrong with a line in its place', async () => {
    expect(await heddle(['decode'], '0402000800000001\nzz\n\n040e0010\n0414000800000002\n')).toEqual({
      code: 1,
      out: [
        'OFPT_ECHO_REQUEST (OF1.3) (xid=0x1): 0 bytes of payload',
        'error: line 2, digit 1: "z" is not hexadecimal',
        'error: line 4, message at byte 0: 4 bytes, a header has 8',
        'OFPT_BARRIER_REQUEST (OF1.3) (xid=0x2):',
        '',
      ].join('\n'),
    });
    const { code, out } = await heddle(['encode'], 'ip,actions=drop\nip,foo=1,actions=drop\n');
    expect([code, out.split('\n')[1]]).toEqual([
      1,
      'error: line 2, column 4: "foo=1" is neither a field nor a property of flows',
    ]);
  });

  it.each([
    ['flow', '1.3', 'table=3,priority=7,tcp,tp_dst=80,actions=ct(commit,zone=1,nat(src=10.0.0.1)),resubmit(,5)'],
    ['flow', '1.5', 'delete table=3,ip'],
    ['group', '1.5', 'group_id=4,type=select,selection_method=hash,bucket=bucket_id:1,weight:10,actions=output:1'],
    ['meter', '1.4', 'meter=7,kbps,burst,bands=type=drop rate=5 burst_size=6'],
  ])('encodes a %s of %s, reads it back, and JSON of it too', async (kind, version, text) => {
    const { code, out: hex } = await heddle(['encode', '--kind', kind, '--version', version], `${text}\n`);
    expect(code).toBe(0);
    expect((await heddle(['decode'], hex)).out.trimEnd()).toBe((await ofpPrint(hex)).trimEnd());
    const json = await heddle(['decode', '--json'], hex);
    expect(await heddle(['encode'], json.out)).toEqual({ code: 0, out: hex });
  });

  it('decodes lists, and encodes them back', async () => {
    const actions = await heddle(['encode', '--kind', 'actions'], 'output:1,resubmit(,5)\n');
    expect((await heddle(['decode', '--actions'], actions.out)).out).toBe('actions=output:1,resubmit(,5)\n');
    const match = await heddle(['encode', '--kind', 'match'], 'tcp,tp_dst=80\n');
    expect((await heddle(['decode', '--match'], match.out)).out).toBe('tcp,tp_dst=80\n');
    const bare = await heddle(['encode', '--kind', 'match', '--bare'], 'reg0=0x7\n');
    expect(bare.out).toBe('0001000400000007\n');
    expect((await heddle(['decode', '--match'], bare.out)).out).toBe('reg0=0x7\n');
    const instructions = await heddle(['encode', '--kind', 'instructions'], 'output:1,goto_table:4\n');
    expect((await heddle(['decode', '--instructions'], instructions.out)).out).toBe('actions=output:1,goto_table:4\n');
  });

  it('applies a file, dumps it, and finds it the same', async () => {
    const file = join(ovs.dir, 'wanted.flows');
    writeFileSync(file, '# two flows\ntable=1,priority=5,ip,actions=output:2\n\nflow add table=2,arp,actions=drop\n');
    expect(await heddle(['apply', ovs.openflow, file])).toEqual({ code: 0, out: 'applied 2 modifications\n' });
    const dump = await heddle(['dump', ovs.openflow, 'flows', '--no-stats']);
    expect(dump.out).toBe('table=1, priority=5,ip actions=output:2\ntable=2, arp actions=drop\n');
    expect(await heddle(['diff', file, ovs.openflow])).toEqual({ code: 0, out: '' });
    await ovs.ofctl('add-flow', 'br-int', 'table=2,arp,actions=output:9');
    expect(await heddle(['diff', file, ovs.openflow])).toEqual({
      code: 2,
      out: '-table=2, arp actions=drop\n+table=2, arp actions=output:9\n',
    });
    expect((await heddle(['diff', file, join(ovs.dir, 'absent')])).code).toBe(1);
  });

  it('applies all lines or none, and names the one at fault', async () => {
    const unread = await apply('ip,actions=drop\nip,actions=nonsense:5\n');
    expect(unread).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^error: line 2, column \d+: .*\nnothing was applied\n$/),
    });
    const refused = await apply('ip,actions=drop\n\nflow add arp,actions=group:77\n');
    expect(refused).toEqual({
      code: 1,
      out: 'error: line 3: OFPBAC_BAD_OUT_GROUP (OFPET_BAD_ACTION): flow add arp,actions=group:77\nnothing was applied\n',
    });
    expect(await ovs.flows()).toEqual([]);
  });

  it('dumps groups, ports, tables and the description', async () => {
    expect((await apply('group add group_id=3,type=all,bucket=actions=output:1\n')).code).toBe(0);
    expect((await heddle(['dump', ovs.openflow, 'groups'])).out).toMatch(/^ ?group_id=3,type=all,bucket=/);
    expect((await heddle(['dump', ovs.openflow, 'ports'])).out).toMatch(/LOCAL\(br-int\)/);
    expect((await heddle(['dump', ovs.openflow, 'desc'])).out).toMatch(/Open vSwitch/);
    expect((await heddle(['dump', ovs.openflow, 'tables'])).code).toBe(0);
    expect((await heddle(['dump', ovs.openflow, 'meters'])).code).toBe(0);
  });

  it('stands between a tool and a switch and shows both directions', async () => {
    const socket = join(ovs.dir, 'snoop.sock');
    const snoop = start('snoop', `unix:${socket}`, ovs.openflow);
    await expect.poll(() => existsSync(socket)).toBe(true);
    await ovs.ofctl('add-flow', `unix:${socket}`, 'table=8,ip,actions=drop');
    expect(await ovs.flows('table=8')).toEqual(['table=8, ip actions=drop']);
    await expect
      .poll(snoop.text)
      .toMatch(/#\d+ > OFPT_FLOW_MOD \(OF1\.\d\) \(xid=0x\w+\): ADD table:8 ip actions=drop/);
    await expect.poll(snoop.text).toMatch(/#\d+ < OFPT_BARRIER_REPLY/);
    expect(snoop.text()).toMatch(/#1 < OFPT_HELLO/);
  });

  it('watches flows and ports', async () => {
    const monitor = start('monitor', ovs.openflow);
    await ovs.ofctl('add-flow', 'br-int', 'table=6,ip,actions=drop');
    await expect.poll(monitor.text).toMatch(/event=(ADDED|INITIAL) table=6 .*ip/);
    await ovs.vsctl('add-port', 'br-int', 'p9', '--', 'set', 'interface', 'p9', 'type=dummy');
    await expect.poll(monitor.text).toMatch(/OFPT_PORT_STATUS.*ADD: ?\d+\(p9\)/);
  });

  it('talks tls, and not to a stranger', async () => {
    const pki = makeCertificates(['switch', 'tool']);
    const [theirs, ours] = [pki.identity('switch'), pki.identity('tool')];
    await ovs.vsctl('set-ssl', theirs.key, theirs.cert, theirs.ca);
    const port = await freePort();
    await ovs.vsctl('set-controller', 'br-int', `pssl:${port}:127.0.0.1`);
    const tls = ['-p', ours.key, '-c', ours.cert, '-C', ours.ca];
    await expect
      .poll(async () => (await heddle(['dump', `ssl:127.0.0.1:${port}`, 'desc', ...tls])).out)
      .toMatch(/Open vSwitch/);
    expect((await heddle(['dump', `ssl:127.0.0.1:${port}`])).code).toBe(1);
    await ovs.vsctl('del-controller', 'br-int');
  });
});
