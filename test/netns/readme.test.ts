/**
 * The README's first use, run as written: its blocks marked `host-1` and `host-2`, in order, on two hosts made of
 * namespaces (network, mounts, /run). What a reader does by hand between them is done here: copying two files.
 */

import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { NetnsLab, netnsUnavailable, type TestNetns } from '../lib/netns.ts';

const PROJECT = join(import.meta.dirname, '../..');
const BLOCK_TIMEOUT_MS = 30_000;

interface Block {
  host: string;
  script: string;
}

function blocks(): Block[] {
  const readme = readFileSync(join(PROJECT, 'README.md'), 'utf8');
  return [...readme.matchAll(/^```sh (host-\d)\n([\s\S]*?)^```/gm)].map(([, host = '', script = '']) => ({
    host,
    script,
  }));
}

/** One host: a shell that stays, with a /run and a working directory of its own. */
class Host {
  readonly folder: string;
  readonly #shell: ChildProcess;
  #output = '';
  #turn = 0;

  constructor(ns: TestNetns) {
    this.folder = mkdtempSync(join(tmpdir(), 'nodemesh-readme-'));
    // A checkout after `npm ci`, without its own `mesh` folder being written into this one.
    for (const part of ['package.json', 'node_modules', 'namerd', 'node-proxy', 'cni-plugin']) {
      symlinkSync(join(PROJECT, part), join(this.folder, part));
    }
    // Its own process namespace, so that whatever a block leaves running ends with the host.
    const inside = 'mount -t tmpfs tmpfs /run && mkdir -p /run/netns && exec bash';
    this.#shell = ns.spawn(
      'unshare',
      ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', inside],
      {
        cwd: this.folder,
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    );
    for (const stream of [this.#shell.stdout, this.#shell.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
  }

  /** Runs a block to its end and returns what it printed. Rejects when a command of it fails. */
  run(script: string): Promise<string> {
    const mark = `--- done ${++this.#turn} `;
    this.#output = '';
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(
      () => reject(new Error(`not done after ${BLOCK_TIMEOUT_MS} ms: ${this.#output}`)),
      BLOCK_TIMEOUT_MS,
    );
    const look = () => {
      const at = this.#output.indexOf(mark);
      if (at < 0 || !this.#output.includes('\n', at)) return;
      clearTimeout(timer);
      this.#shell.stdout?.off('data', look);
      const printed = this.#output.slice(0, at);
      if (this.#output.startsWith('0', at + mark.length)) resolve(printed);
      else reject(new Error(`failed: ${printed}`));
    };
    this.#shell.stdout?.on('data', look);
    this.#shell.stdin?.write(
      `set -e; trap 'echo "${mark}1"' ERR\n${script}\ntrap - ERR; set +e; echo "${mark}0"\n`,
    );
    return promise;
  }

  close(): void {
    this.#shell.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

test('the README’s first use works as written', { skip: netnsUnavailable() }, async t => {
  const lab = await NetnsLab.open();
  const [ns1, ns2] = [await lab.namespace('host-1'), await lab.namespace('host-2')];
  await lab.veth(
    { ns: ns1, device: 'uplink', addresses: ['192.0.2.1/24'] },
    { ns: ns2, device: 'uplink', addresses: ['192.0.2.2/24'] },
  );
  const hosts = new Map([
    ['host-1', new Host(ns1)],
    ['host-2', new Host(ns2)],
  ]);
  t.after(async () => {
    for (const host of hosts.values()) host.close();
    await lab.close();
  });
  const [one, two] = [hosts.get('host-1') as Host, hosts.get('host-2') as Host];
  mkdirSync(join(two.folder, 'mesh'));
  const printed: string[] = [];
  const all = blocks();
  assert.ok(all.length >= 8, 'README.md has lost its blocks');
  let copied = false;
  for (const { host, script } of all) {
    if (host === 'host-2' && !copied) {
      cpSync(join(one.folder, 'mesh/ca/roots.pem'), join(two.folder, 'mesh/roots.pem'));
      cpSync(join(one.folder, 'mesh/host-2.token'), join(two.folder, 'mesh/host-2.token'));
      copied = true;
    }
    printed.push(await (host === 'host-1' ? one : two).run(script));
  }
  const text = printed.join('\n=====\n');
  assert.equal(text.match(/hello from the mesh/g)?.length, 3, text);
  assert.match(text, /nodemesh_connections_opened_total\{.*security="mutual_tls".*\} 1/);
  assert.match(text, /web-callers/);
  assert.match(text, /403 policy: no-allow-matched refuses DELETE \//);
  assert.match(text, /nodemesh_requests_total\{.*destination_workload="shop\/web-1".*\} 1/);
  assert.match(readFileSync(join(one.folder, 'mesh/web.log'), 'utf8'), /10\.2\.0\.2/);
});
