/** Mistakes in the configuration: all of them at once, each with its place, exit code 78 (sysexits.h EX_CONFIG). */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readConfig } from '../../../node-proxy/config.ts';
import { DEFAULT_HTTP_LIMITS } from '../../../node-proxy/policy/limits.ts';
import { nodeProxy } from '../../netns/node-proxy/processes.ts';

const GOOD = `node: node-1
trustDomain: mesh.test
namerd:
  address: 127.0.0.1:4321
  rootsFile: roots.pem
  joinTokenFile: token
`;
const BAD = `node: Node_1
trustDomain: "bad domain"
namerd:
  address: nowhere
  rootsFile: r.pem
tunnelWorkers: 0
limits:
  connectionsPerPod: many
  unknownLimit: 3
colour: red
`;

describe('a configuration', { concurrency: 2 }, () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'nmt-'));
  });

  after(() => rmSync(folder, { recursive: true }));

  const file = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };

  test('that is good is called so', async () => {
    const path = file('good.yaml', GOOD);
    assert.deepEqual(await nodeProxy('validate', '--config', path), {
      code: 0,
      out: `${path}: ok\n`,
      err: '',
    });
  });

  test('is told all its mistakes, with line and column', async () => {
    const path = file('bad.yaml', BAD);
    const { code, out, err } = await nodeProxy('validate', '--config', path);
    assert.deepEqual([code, out], [78, '']);
    const places = [...err.matchAll(/^(.*?):(\d+):(\d+): ([\w.]+): (.*)$/gm)];
    assert.deepEqual(
      places.map(([, where, line, column, field]) => [where, Number(line), Number(column), field]),
      [
        [path, 1, 7, 'node'],
        [path, 2, 14, 'trustDomain'],
        [path, 4, 12, 'namerd.address'],
        [path, 4, 3, 'namerd'],
        [path, 6, 16, 'tunnelWorkers'],
        [path, 8, 22, 'limits.connectionsPerPod'],
        [path, 9, 17, 'limits.unknownLimit'],
        [path, 10, 9, 'colour'],
      ],
    );
    assert.match(err, /known here: attempts/);
  });

  test('has one small policy worker unless more are asked for', () => {
    const plain = readConfig(file('plain.yaml', GOOD));
    assert.deepEqual([plain.policyWorkers, plain.policyWorkerHeapMb, plain.isolatedNamespaces], [1, 256, []]);
    const text = `${GOOD}policyWorkers: 2\nisolatedNamespaces: [shop, calc]\nhttpLimits: {names: 5}\n`;
    const more = readConfig(file('more.yaml', text));
    assert.deepEqual([more.policyWorkers, more.isolatedNamespaces], [2, ['shop', 'calc']]);
    assert.deepEqual(more.httpLimits, { ...DEFAULT_HTTP_LIMITS, names: 5 });
  });

  test('is told what is wrong about policy workers', () => {
    const many = Array.from({ length: 65 }, (_, i) => `n${i}`).join(', ');
    for (const [text, problem] of [
      ['policyWorkers: 0', /policyWorkers/],
      ['policyWorkerHeapMb: 1', /policyWorkerHeapMb/],
      ['isolatedNamespaces: [shop, Shop]', /'Shop' is no namespace/],
      ['isolatedNamespaces: [shop, shop]', /'shop' is named twice/],
      [`isolatedNamespaces: [${many}]`, /65 namespaces; at most 64/],
      ['httpLimits: {name: 5}', /httpLimits\.name/],
    ] as const)
      assert.throws(() => readConfig(file('wrong.yaml', `${GOOD}${text}\n`)), { message: problem });
  });

  test('has a request log that is off by default', () => {
    assert.deepEqual(readConfig(file('plain.yaml', GOOD)).requestLog, {
      file: 'off',
      sample: 1,
      errorsAlways: true,
    });
    const text =
      'requestLog: {file: log/requests, fields: [status, path, query], sample: 0.1, errorsAlways: false}\n';
    assert.deepEqual(readConfig(file('logs.yaml', GOOD + text)).requestLog, {
      file: join(folder, 'log/requests'),
      fields: ['status', 'path', 'query'],
      sample: 0.1,
      errorsAlways: false,
    });
  });

  test('names no field of the request log that there is not, and no share above one', () => {
    const path = file('log.yaml', `${GOOD}requestLog:\n  fields: [status, cookie]\n  sample: 2\n`);
    assert.throws(
      () => readConfig(path),
      /:8:20: requestLog\.fields\[1\]: .*[\s\S]*:9:11: requestLog\.sample: /,
    );
  });

  test('that is no YAML is refused at the place where it stops making sense', async () => {
    const path = file('broken.yaml', 'node: [\n');
    const { code, err } = await nodeProxy('run', '--config', path);
    assert.equal(code, 78);
    assert.ok(err.startsWith(`${path}:2:1: `), err);
  });

  test('that is not there, or names files that are not there, is refused without a stack', async () => {
    const missing = join(folder, 'missing.yaml');
    const none = await nodeProxy('run', '--config', missing);
    assert.equal(none.code, 78);
    assert.match(none.err, /missing\.yaml can't be read: ENOENT.*\n.*--config/);
    const rootless = await nodeProxy('run', '--config', file('rootless.yaml', GOOD));
    assert.equal(rootless.code, 78);
    assert.match(rootless.err, /roots\.pem can't be read\n.*roots\.pem/);
    for (const { err } of [none, rootless]) assert.doesNotMatch(err, /^\s+at /m);
  });
});
