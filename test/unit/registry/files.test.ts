import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { firstWhere } from '#base/watch.ts';
import { DirectorySource, fileEnrolment } from '../../../namerd/registry/index.ts';
import { FakeClock } from '../../lib/fake-clock.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'nodemesh-registry-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

function workload(name: string, ip = '10.0.0.1'): string {
  return `apiVersion: nodemesh.io/v1alpha1
kind: Workload
metadata: {name: ${name}}
spec: {node: n, addresses: [${ip}]}
`;
}

const names = (source: DirectorySource) => source.snapshot.current.workloads.map(({ value }) => value.name);

suite('registry directory', () => {
  test('all yaml files, by file name; other files are none of ours', async () => {
    await writeFile(join(dir, 'b.yaml'), workload('b'));
    await writeFile(join(dir, 'a.yml'), `${workload('a1')}---\n${workload('a2', '10.0.0.2')}`);
    await writeFile(join(dir, 'notes.txt'), 'no yaml: [');
    await writeFile(join(dir, '.hidden.yaml'), 'no yaml: [');
    const source = await DirectorySource.open({ dir, clock: new FakeClock() });
    assert.deepEqual(names(source), ['a1', 'a2', 'b']);
    assert.deepEqual(source.status.current, []);
    assert.equal(source.snapshot.current.workloads[2]?.source, join(dir, 'b.yaml'));
    source.close();
  });

  test('a bad file: every error with its place, and its last good content stays in force', async () => {
    const file = join(dir, 'a.yaml');
    await writeFile(file, workload('a'));
    const source = await DirectorySource.open({ dir, clock: new FakeClock() });
    const before = source.snapshot.current;
    await writeFile(file, workload('a', '10.0.0.300').replace('node: n,', 'nod: n,'));
    await source.refresh();
    assert.equal(source.snapshot.current.workloads[0]?.value, before.workloads[0]?.value);
    assert.deepEqual(source.status.current, [
      {
        kind: '',
        key: '',
        source: file,
        state: 'error',
        messages: [
          `${file}:4:7: spec: the field 'node' is missing`,
          `${file}:4:28: spec.addresses[0]: '10.0.0.300' is no IP address such as '10.0.0.1' or '2001:db8::1'`,
          `${file}:4:13: spec.nod: unknown field 'nod' (known here: addresses, node, ports, ready, serviceAccount, terminating, weight, zone)`,
        ],
      },
    ]);
    await writeFile(file, workload('a', '10.0.0.3'));
    await source.refresh();
    assert.deepEqual(source.status.current, []);
    assert.equal(source.snapshot.current.workloads[0]?.value.addresses[0], '10.0.0.3');
    await unlink(file);
    await source.refresh();
    assert.deepEqual(names(source), []);
    source.close();
  });

  test('routes and traffic policies are refused at their places, with a hint', async () => {
    const examples = join(import.meta.dirname, '../../../deploy/examples');
    const texts = ['route-http.yaml', 'route-grpc.yaml', 'traffic-percentage.yaml'].map(name =>
      readFileSync(join(examples, name), 'utf8'),
    );
    await writeFile(join(dir, 'a.yaml'), [workload('a'), ...texts].join('---\n'));
    const source = await DirectorySource.open({ dir, clock: new FakeClock() });
    const told = source.status.current[0]?.messages.join('\n') ?? '';
    for (const kind of ['an HTTPRoute', 'a GRPCRoute', 'a TrafficPolicy'])
      assert.match(told, new RegExp(`a\\.yaml:\\d+:7: kind: ${kind} does not belong .*namerctl apply`));
    source.close();
  });

  test('a dtab or policy is refused at its place, with a hint', async () => {
    const file = join(dir, 'a.yaml');
    const dtab =
      'apiVersion: nodemesh.io/v1alpha1\nkind: Dtab\nmetadata: {name: default}\nspec: {dtab: ""}\n';
    await writeFile(file, `${workload('a')}---\n${dtab}`);
    const source = await DirectorySource.open({ dir, clock: new FakeClock() });
    assert.match(
      source.status.current[0]?.messages[0] ?? '',
      /a\.yaml:7:7: kind: a Dtab does not belong .*namerctl apply/,
    );
    assert.deepEqual(names(source), ['a'], 'at the first reading the good documents count');
    source.close();
  });

  test('unchanged documents stay the same objects when their file is written again', async () => {
    const file = join(dir, 'a.yaml');
    await writeFile(file, `${workload('a')}---\n${workload('b', '10.0.0.2')}`);
    const source = await DirectorySource.open({ dir, clock: new FakeClock() });
    const [a] = source.snapshot.current.workloads;
    await writeFile(file, `# moved\n${workload('a')}---\n${workload('b', '10.0.0.9')}`);
    await source.refresh();
    assert.equal(source.snapshot.current.workloads[0]?.value, a?.value);
    assert.equal(source.snapshot.current.workloads[1]?.value.addresses[0], '10.0.0.9');
    source.close();
  });

  test('changes are noticed without being asked', async () => {
    const source = await DirectorySource.open({ dir, settleMs: 1 });
    const seen = firstWhere(
      source.snapshot,
      ({ workloads }) => workloads.length === 1,
      AbortSignal.timeout(8_000),
    );
    await writeFile(join(dir, 'a.yaml'), workload('a'));
    await seen;
    source.close();
  });

  test('a directory that is not there is an error in the status, until it is', async () => {
    const missing = join(dir, 'later');
    const source = await DirectorySource.open({ dir: missing, clock: new FakeClock() });
    assert.match(
      source.status.current[0]?.messages[0] ?? '',
      /later: the registry directory can't be read: ENOENT/,
    );
    source.close();
  });
});

suite('enrolment files', () => {
  test('what was saved is loaded, one file per node whatever its name', async () => {
    const store = fileEnrolment(join(dir, 'enrolment'));
    assert.equal((await store.load()).size, 0);
    await store.save('node-1', ['a/b', 'a/c']);
    await store.save('../evil node', ['x/y']);
    await store.save('node-1', ['a/b']);
    const again = await fileEnrolment(join(dir, 'enrolment')).load();
    assert.deepEqual(Object.fromEntries(again), { 'node-1': ['a/b'], '../evil node': ['x/y'] });
    assert.deepEqual(await readdir(dir), ['enrolment']);
  });

  test('a damaged file stops the start: guessing could mean plaintext', async () => {
    const store = fileEnrolment(dir);
    await writeFile(join(dir, 'node-1.json'), '{"workloads": [1]}');
    await assert.rejects(store.load(), { code: 'NM_ENROLMENT_STORE' });
  });
});
