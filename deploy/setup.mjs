/**
 * Brings a machine to the point where the demo, the tests and the bench can run, and says in one line each
 * what it did. Plain JavaScript without dependencies, because it runs before anything is installed, under
 * whatever Node.js (20 or later) the machine has.
 *
 *   node deploy/setup.mjs demo|test|bench
 *
 * Invariant: run twice, the second run changes and prints nothing.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const PURPOSE = process.argv[2] ?? 'test';
const SERVICE_POLICY = '/usr/sbin/policy-rc.d';

/** Debian package → a file or command whose presence shows that it is installed. */
const PACKAGES = {
  iptables: 'iptables-restore',
  iproute2: 'ip',
  'util-linux': 'unshare',
  'containernetworking-plugins': '/usr/lib/cni/bridge',
  tcpdump: 'tcpdump',
  python3: 'python3',
  haproxy: 'haproxy',
  nginx: 'nginx',
};
// Without root the demo records packets by itself: tcpdump does not work in a user namespace.
const RECORDER = process.getuid() === 0 ? 'tcpdump' : 'python3';
const NEEDED = {
  demo: ['iptables', 'iproute2', 'util-linux', 'containernetworking-plugins', RECORDER],
  test: ['iptables', 'iproute2', 'util-linux', 'containernetworking-plugins', RECORDER],
  bench: ['iptables', 'iproute2', 'util-linux', 'containernetworking-plugins', 'haproxy', 'nginx'],
};

installNpmPackages();
checkNode();
installSystemPackages(NEEDED[PURPOSE] ?? fail(`unknown purpose '${PURPOSE}': demo, test or bench`));

function installNpmPackages() {
  const reason = npmProblem();
  if (reason === undefined) return;
  say(`npm packages: installing (${reason})`);
  const npm = process.env.npm_execpath;
  const arguments_ = [
    'ci',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const [command, ...rest] =
    npm === undefined ? ['npm', ...arguments_] : [process.execPath, npm, ...arguments_];
  const { status, error } = spawnSync(command, rest, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) fail(`npm ci failed (${error?.message ?? `exit ${status}`}); the lines above say why`);
}

/** Why `npm ci` has to run, or undefined. An interrupted install never wrote npm's hidden lock file. */
function npmProblem() {
  const wanted = readJson('package-lock.json').packages;
  if (!existsSync(join(ROOT, 'node_modules'))) return 'nothing is there yet';
  const hidden = 'node_modules/.package-lock.json';
  if (!existsSync(join(ROOT, hidden))) return 'an earlier install did not finish';
  const installed = readJson(hidden).packages ?? {};
  for (const [path, { version, os, cpu, libc, optional }] of Object.entries(wanted)) {
    if (path === '') continue;
    if (!allows(os, process.platform) || !allows(cpu, process.arch)) continue;
    if (libc !== undefined && installed[path] === undefined && optional) continue;
    if (installed[path]?.version !== version) return 'the lock file changed';
    if (!existsSync(join(ROOT, path, 'package.json'))) return `${path} is missing`;
  }
  return undefined;
}

function allows(list, value) {
  return list === undefined || [list].flat().includes(value);
}

/** The project pins its own Node.js; everything after this script runs under that one. */
function checkNode() {
  const pinned = readJson('package.json').optionalDependencies?.[`node-linux-${process.arch}`];
  const node = join(ROOT, 'node_modules/.bin/node');
  if (pinned === undefined) return fail(`nodemesh runs on Linux x64 and arm64, not on ${process.arch}`);
  const { stdout, error } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  if (stdout?.trim() !== `v${pinned}`)
    fail(
      `${node} should be Node.js ${pinned}, but says ${stdout?.trim() || error?.message}: remove node_modules`,
    );
}

function installSystemPackages(names) {
  const missing = names.filter(name => !present(PACKAGES[name]));
  if (missing.length === 0) return;
  const list = missing.join(' ');
  if (process.getuid() !== 0 || !present('apt-get')) {
    const how = present('apt-get') ? `sudo apt-get install ${list}` : 'your package manager';
    const text = `these Debian packages (or what contains the same programs) are missing: ${list}; install them with ${how}`;
    // Tests that do not touch the kernel can run without; the runner shows what it skipped.
    return PURPOSE === 'test' && process.env.CI !== 'true' ? say(text) : fail(text);
  }
  say(`system packages: installing ${list}`);
  if (!aptInstall(missing, 'ignore')) {
    apt(['update', '-qq'], 'inherit');
    if (!aptInstall(missing, 'inherit')) fail(`apt-get install ${list} failed; the lines above say why`);
  }
}

/** Without starting what comes with a service: only its programs are wanted (policy-rc.d: 101 forbids all). */
function aptInstall(names, errors) {
  const ours = !existsSync(SERVICE_POLICY);
  if (ours) writeFileSync(SERVICE_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return apt(['install', '-y', '-qq', '--no-install-recommends', ...names], errors);
  } finally {
    if (ours) rmSync(SERVICE_POLICY, { force: true });
  }
}

function apt(arguments_, errors) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync('apt-get', arguments_, { env, stdio: ['ignore', 'ignore', errors] }).status === 0;
}

function present(what) {
  if (what.startsWith('/')) return existsSync(what);
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin`;
  return path.split(':').some(folder => existsSync(join(folder, what)));
}

function readJson(path) {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
}

function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

function fail(line) {
  say(line);
  process.exit(1);
}
