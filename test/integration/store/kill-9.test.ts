import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fileStorage } from '../../../namerd/store/index.ts';

const WRITER = fileURLToPath(new URL('../../lib/storage-writer.ts', import.meta.url));
const ROUNDS = 8;

/** Lets a writer acknowledge some writes, kills it at an arbitrary moment of the next ones. */
async function writeAndKill(dir: string, from: number, round: number): Promise<number> {
  const writer = spawn(process.execPath, [...process.execArgv, WRITER, dir, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(writer, 'exit');
  let last = from;
  try {
    for await (const line of createInterface({ input: writer.stdout })) {
      last = Number(line);
      if (last >= from + 3 && !writer.killed) {
        // Not for synchronisation: the kill is spread over the phases of a write.
        for (const end = performance.now() + round; performance.now() < end; );
        writer.kill('SIGKILL');
      }
    }
  } finally {
    writer.kill('SIGKILL');
    await exited;
  }
  return last;
}

test('a writer that is killed with -9 at any moment leaves the old document or the new one', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'nodemesh-kill-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  let from = 0;
  let versions = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const acknowledged = await writeAndKill(dir, from, round);
    const storage = await fileStorage({ dir });
    const document = storage.dtabs.documents.current.get('default');
    const [last] = document?.value.value.dentries.slice(-1) ?? [];
    const stored = Number(last?.dst.type === 'leaf' && last.dst.value.show.slice(1));
    assert.ok(stored === acknowledged || stored === acknowledged + 1, `${stored} after ${acknowledged}`);
    assert.equal(document?.value.value.size, 2_001);
    assert.deepEqual(storage.problems.current, []);
    const counter = Number(Buffer.from(document?.version ?? '', 'base64').readBigUInt64BE());
    assert.equal(counter, stored);
    assert.ok(counter > versions);
    versions = counter;
    await storage.close();
    assert.deepEqual(await readdir(join(dir, 'dtabs')), ['.last-good', 'default.yaml']);
    from = stored;
  }
});
