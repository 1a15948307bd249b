import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { firstWhere } from '#base/watch.ts';
import { parsePath } from '#names';
import { parseEndpointFile } from '../../../namerd/namers/fs/endpoint-file.ts';
import { FsNamer, Hosts, type NamerAnswer } from '../../../namerd/namers/index.ts';
import { TestResolver } from '../../lib/naming/dns.ts';
import sample from '../../vectors/dtab-sample.json' with { type: 'json' };

suite('endpoint files', () => {
  test('vectors: namers io.l5d.fs', () => {
    const rows = sample.namers.filter(({ namer, line }) => namer === 'io.l5d.fs' && line !== undefined);
    assert.equal(rows.length, 2);
    for (const { line, addr, weight } of rows) {
      const { endpoints, problems } = parseEndpointFile(line ?? '');
      assert.deepEqual(problems, []);
      const [endpoint] = endpoints;
      assert.equal(`${endpoint?.host}:${endpoint?.port}`, addr);
      assert.equal(endpoint?.weight, weight);
    }
  });

  test('comments, blank lines, weights in every spelling', () => {
    const text = '# all\n\n a 80 \r\nb\t81 * 2 # b\nc 82*.5\nd 83 *3\n::1 84\nnone 85 * 0\n';
    const { endpoints, problems } = parseEndpointFile(text);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      endpoints.map(({ host, port, weight }) => `${host} ${port} ${weight}`),
      ['a 80 1', 'b 81 2', 'c 82 0.5', 'd 83 3', '::1 84 1'],
    );
  });

  test('every mistake with its line', () => {
    const { problems } = parseEndpointFile('a\na 80 * x\na 0\na http\na 80 2\na 80 * -1\n');
    assert.deepEqual(problems, [
      "1: 'host port' or 'host port * weight' is expected but 'a' is there",
      "2: 'x' is no weight",
      "3: '0' is no port: 1 to 65535",
      "4: 'http' is no port: 1 to 65535",
      "5: 'host port' or 'host port * weight' is expected but 'a 80 2' is there",
      "6: '-1' is no weight",
    ]);
  });
});

suite('io.l5d.fs', () => {
  let root = '';
  let namer: FsNamer;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'nodemesh-fs-'));
    const hosts = new Hosts({ clock: systemClock, resolver: new TestResolver() });
    namer = new FsNamer({ rootDir: root, clock: systemClock, hosts, settleMs: 1 });
  });
  afterEach(async () => {
    namer.close();
    await rm(root, { recursive: true, force: true });
  });

  function show(answer: NamerAnswer): string {
    if (answer.state === 'failed') return `failed ${answer.error.message.replaceAll(root, '')}`;
    if (answer.state === 'pending') return 'pending';
    const tree = answer.value;
    if (tree.type !== 'leaf' || tree.value.type !== 'bound') return tree.type;
    const { id, residual, replicas } = tree.value;
    const list =
      replicas.state === 'bound' ? replicas.replicas.map(({ address }) => address) : [replicas.state];
    return `${id} ${residual} ${list.join(' ')}`;
  }
  const answers = (rest: string, wanted: string) =>
    firstWhere(namer.lookup(parsePath(rest)), answer => show(answer) === wanted, AbortSignal.timeout(8_000));
  const first = async (rest: string) =>
    show(
      await firstWhere(
        namer.lookup(parsePath(rest)),
        ({ state }) => state !== 'pending',
        AbortSignal.timeout(8_000),
      ),
    );

  test('the first file on the way down; what follows is the residual', async () => {
    await mkdir(join(root, 'a/b'), { recursive: true });
    await writeFile(join(root, 'a/b/web'), '10.0.0.1 80\n[::1] 81\n');
    assert.equal(await first('/a/b/web/x/..'), '/#/io.l5d.fs/a/b/web /x/.. 10.0.0.1:80 [::1]:81');
    for (const rest of ['/', '/a', '/a/b', '/a/none', '/none/web'])
      assert.equal(await first(rest), 'neg', rest);
  });

  test('nothing outside the root has a name', async () => {
    await mkdir(join(root, 'in'));
    await writeFile(join(root, 'secret'), '10.0.0.1 80\n');
    namer.close();
    const hosts = new Hosts({ clock: systemClock, resolver: new TestResolver() });
    namer = new FsNamer({ rootDir: join(root, 'in'), clock: systemClock, hosts });
    for (const rest of [
      '/../secret',
      '/\\x2e\\x2e/secret',
      '/..\\x2fsecret',
      '/.\\x00/secret',
      `/${'x'.repeat(300)}`,
    ])
      assert.equal(await first(rest), 'neg', rest);
  });

  test('appears, changes, is replaced by renaming, goes', async () => {
    const seen: string[] = [];
    const dispose = namer.lookup(parsePath('/dir/web')).observe(answer => seen.push(show(answer)));
    const id = '/#/io.l5d.fs/dir/web /';
    await answers('/dir/web', 'neg');
    await mkdir(join(root, 'dir'));
    await writeFile(join(root, 'dir/web'), '10.0.0.1 80');
    await answers('/dir/web', `${id} 10.0.0.1:80`);
    await writeFile(join(root, 'next'), '10.0.0.2 80');
    await rename(join(root, 'next'), join(root, 'dir/web'));
    await answers('/dir/web', `${id} 10.0.0.2:80`);
    await rm(join(root, 'dir'), { recursive: true });
    await answers('/dir/web', 'neg');
    assert.deepEqual([...new Set(seen)], ['pending', 'neg', `${id} 10.0.0.1:80`, `${id} 10.0.0.2:80`]);
    dispose();
  });

  test('a file with mistakes fails with all of them, or keeps its last good content', async () => {
    await writeFile(join(root, 'bad'), 'a\nb c\n');
    assert.equal(
      await first('/bad'),
      "failed /bad can't be used: /bad:1: 'host port' or 'host port * weight' is expected but 'a' is there\n/bad:2: 'c' is no port: 1 to 65535",
    );
    await writeFile(join(root, 'web'), '10.0.0.1 80');
    const id = '/#/io.l5d.fs/web /';
    const seen: string[] = [];
    const dispose = namer.lookup(parsePath('/web')).observe(answer => seen.push(show(answer)));
    await answers('/web', `${id} 10.0.0.1:80`);
    await writeFile(join(root, 'web'), 'oops');
    await writeFile(join(root, 'bad'), '10.0.0.9 80');
    await answers('/bad', '/#/io.l5d.fs/bad / 10.0.0.9:80');
    await writeFile(join(root, 'web'), '10.0.0.2 80');
    await answers('/web', `${id} 10.0.0.2:80`);
    assert.deepEqual(seen, ['pending', `${id} 10.0.0.1:80`, `${id} 10.0.0.2:80`]);
    dispose();
  });

  test('a pipe is not read, which might never end: its name fails', async () => {
    execFileSync('mkfifo', [join(root, 'pipe')]);
    await answers('/pipe', "failed /pipe can't be used: not a regular file");
    await answers('/pipe/rest', "failed /pipe can't be used: not a regular file");
  });
});
