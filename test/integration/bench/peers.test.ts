/** The configurations that the bench writes for its peers, judged by the peers themselves. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeCertificates } from '../../../bench/contenders/certificates.ts';
import { haproxyConfig } from '../../../bench/contenders/haproxy.ts';
import { DOORS } from '../../../bench/contenders/http/doors.ts';
import {
  HAPROXY_GLOBAL,
  httpClientHalf,
  httpHop,
  httpServerHalf,
} from '../../../bench/contenders/http/haproxy-http.ts';
import {
  nginxClientHalf,
  nginxConfig,
  nginxHop,
  nginxServerHalf,
} from '../../../bench/contenders/http/nginx.ts';
import { systemPath } from '../../../deploy/isolate.ts';

const env = { ...process.env, PATH: systemPath() };
const SERVERS = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'];
const has = (program: string) => spawnSync(program, ['-v'], { env }).status === 0;

async function inFolder(
  check: (folder: string, files: Awaited<ReturnType<typeof writeCertificates>>) => void,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'nodemesh-peers-'));
  try {
    check(folder, await writeCertificates(folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('haproxy takes every half', { skip: !has('haproxy') }, () =>
  inFolder((folder, files) => {
    const { haproxy, haproxyPair, haproxyFar } = DOORS;
    const global = HAPROXY_GLOBAL;
    const options = { folder, threads: 2, maxConnections: 100, pin: [], mode: 'http', global } as const;
    for (const sections of [
      httpHop(haproxy, SERVERS),
      httpClientHalf(haproxyPair, '10.0.0.1', haproxyFar, files),
      httpServerHalf(haproxyFar, SERVERS, files),
    ]) {
      const file = join(folder, 'haproxy.cfg');
      writeFileSync(file, haproxyConfig(sections, options));
      const { status, stderr } = spawnSync('haproxy', ['-c', '-f', file], { env, encoding: 'utf8' });
      assert.equal(status, 0, `${stderr}\n${sections}`);
    }
  }),
);

test('nginx takes every half, with one thread and with more', { skip: !has('nginx') }, () =>
  inFolder((folder, files) => {
    const { nginx, nginxPair, nginxFar } = DOORS;
    for (const threads of [1, 2])
      for (const http of [
        nginxHop(nginx, SERVERS),
        nginxClientHalf(nginxPair, '10.0.0.1', nginxFar, files),
        nginxServerHalf(nginxFar, SERVERS, files),
      ]) {
        const file = join(folder, 'nginx.conf');
        writeFileSync(file, nginxConfig(http, folder, { folder, threads, maxConnections: 100, pin: [] }));
        const { status, stderr } = spawnSync('nginx', ['-t', '-c', file], { env, encoding: 'utf8' });
        assert.equal(status, 0, `${stderr}\n${http}`);
      }
  }),
);
