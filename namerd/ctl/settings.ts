/** Where namerd is: the flag, the environment, or a `.namerctl` file in this directory or one above. */

import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseYaml } from '#base/config.ts';
import { codeOf } from '#base/errors.ts';
import { type Terminal, UsageError } from './terminal.ts';

export const DEFAULT_BASE_URL = 'http://127.0.0.1:4180';
const CONFIG_NAMES = ['.namerctl.yaml', '.namerctl.yml', '.namerctl.json'];

export interface SettingFlags {
  baseUrl?: string;
  /** Path of the configuration file. */
  config?: string;
}

/** @throws ConfigError, UsageError */
export function baseUrl(flags: SettingFlags, { env, cwd }: Pick<Terminal, 'env' | 'cwd'>): string {
  const text = flags.baseUrl ?? (env['NAMERCTL_BASE_URL'] || undefined) ?? configured(flags.config, cwd);
  const url = URL.parse(text ?? DEFAULT_BASE_URL);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new UsageError(`'${text}' is no base URL such as '${DEFAULT_BASE_URL}'`);
  return url.href.replace(/\/+$/, '');
}

function configured(given: string | undefined, cwd: string): string | undefined {
  if (given !== undefined) {
    const path = resolve(cwd, given);
    const text = textOf(path);
    if (text === undefined) throw new UsageError(`there is no configuration file ${path}`);
    return readBaseUrl(text, path);
  }
  for (let dir = cwd; ; dir = dirname(dir)) {
    for (const name of CONFIG_NAMES) {
      const text = textOf(join(dir, name));
      if (text !== undefined) return readBaseUrl(text, join(dir, name));
    }
    if (dir === dirname(dir)) return undefined;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function readBaseUrl(text: string, file: string): string | undefined {
  const { documents, problems } = parseYaml(text, file);
  const fields = documents[0]?.fields();
  const url = fields?.get('base-url')?.string();
  fields?.finish();
  problems.throwIfAny();
  return url;
}
