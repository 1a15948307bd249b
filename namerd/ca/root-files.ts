/**
 * The own authority on disk. Whatever moment a crash picks, the next start finds a usable state:
 *
 *   root.key       0600, the key that signs
 *   next.key       0600, the key of the incoming root, while a rotation overlaps; renamed to root.key at the switch
 *   roots.pem      every trusted root: the file to give to nodes
 *   rotation.json  when phases end; lost times only make a phase longer
 */

import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, messageOf } from '#base/errors.ts';
import { CaError } from './errors.ts';

export interface RotationTimes {
  /** When the incoming root starts to sign. */
  signsAt?: number;
  /** When retiring roots stop being trusted, by SHA-256 fingerprint. */
  retiresAt: Readonly<Record<string, number>>;
}

export interface StoredRoots {
  rootKey: string | undefined;
  nextKey: string | undefined;
  roots: string | undefined;
  times: RotationTimes;
}

export class RootFiles {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  /** Creates the directory when it is missing. @throws CaError NM_CA_STATE */
  async load(): Promise<StoredRoots> {
    await this.#guard('create', () => mkdir(this.dir, { recursive: true, mode: 0o700 }));
    return {
      rootKey: await this.#readSecret('root.key'),
      nextKey: await this.#readSecret('next.key'),
      roots: await this.#read('roots.pem'),
      times: readTimes(await this.#read('rotation.json')),
    };
  }

  async writeRootKey(pem: string): Promise<void> {
    await this.#replace('root.key', pem, 0o600);
  }

  async writeNextKey(pem: string): Promise<void> {
    await this.#replace('next.key', pem, 0o600);
  }

  async writeRoots(pem: string): Promise<void> {
    await this.#replace('roots.pem', pem, 0o644);
  }

  async writeTimes(times: RotationTimes): Promise<void> {
    await this.#replace('rotation.json', `${JSON.stringify(times, null, 2)}\n`, 0o644);
  }

  /** The one step of a rotation that can't be undone: the old key is gone afterwards. */
  async promoteNextKey(): Promise<void> {
    await this.#guard('replace root.key in', async () => {
      await rename(join(this.dir, 'next.key'), join(this.dir, 'root.key'));
      await this.#sync();
    });
  }

  async #read(name: string): Promise<string | undefined> {
    return this.#guard(`read ${name} in`, async () => {
      try {
        return await readFile(join(this.dir, name), 'utf8');
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw error;
      }
    });
  }

  async #readSecret(name: string): Promise<string | undefined> {
    const text = await this.#read(name);
    if (text === undefined) return undefined;
    const path = join(this.dir, name);
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0)
      throw new CaError(
        'NM_CA_STATE',
        `${path} is accessible to others (mode ${(mode & 0o777).toString(8)}): whoever has read it can be anyone in the mesh`,
        `If nobody else had access, run: chmod 600 ${path}`,
      );
    return text;
  }

  async #replace(name: string, text: string, mode: number): Promise<void> {
    const path = join(this.dir, name);
    const temporary = join(this.dir, `.${name}.tmp`);
    await this.#guard(`write ${name} in`, async () => {
      await rm(temporary, { force: true });
      const file = await open(temporary, 'wx', mode);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      // The process's umask may have taken bits away.
      await chmod(temporary, mode);
      await rename(temporary, path);
      await this.#sync();
    });
  }

  async #sync(): Promise<void> {
    const dir = await open(this.dir, 'r');
    try {
      await dir.sync();
    } finally {
      await dir.close();
    }
  }

  async #guard<T>(act: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (cause) {
      const message = `can not ${act} ${this.dir}: ${messageOf(cause)}`;
      throw new CaError('NM_CA_STATE', message, "Check the directory 'ca.dir' of the mesh interface.", {
        cause,
      });
    }
  }
}

function readTimes(text: string | undefined): RotationTimes {
  const retiresAt: Record<string, number> = {};
  let json: unknown;
  try {
    json = JSON.parse(text ?? '{}');
  } catch {
    // Written atomically, so only a hand can have broken it; without times every phase starts over.
    return { retiresAt };
  }
  const { signsAt, retiresAt: found } = (json ?? {}) as { signsAt?: unknown; retiresAt?: unknown };
  for (const [fingerprint, at] of Object.entries(found ?? {}))
    if (Number.isFinite(at)) retiresAt[fingerprint] = at;
  return typeof signsAt === 'number' && Number.isFinite(signsAt) ? { signsAt, retiresAt } : { retiresAt };
}
