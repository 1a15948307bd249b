/**
 * One watched key and its newest state as text. The text is made once per change, however many nodes watch; all that
 * differs between them is the number in front.
 */

import { createHash } from 'node:crypto';
import { MAX_LINE_BYTES, type WatchKind } from '#api';
import type { Dispose } from '#base/watch.ts';
import { MeshRefusal } from './errors.ts';
import type { Watched } from './source.ts';

/** Everything of a line that follows `{"id":<number>`. */
export interface Line {
  version: string;
  /** With the state. */
  full: Buffer;
  /** For a client that has this version. */
  unchanged: Buffer;
}

/** Whoever is told that a topic has a new line. */
export interface Subscriber {
  changed(): void;
}

/** No state has this version: hashes are longer. */
const GONE = 'gone';
/** `{"id":` and a number. */
const HEAD_BYTES = 32;

export class Topic {
  readonly name: string;
  readonly subscribers = new Set<Subscriber>();
  /** Undefined while nothing is known. */
  line: Line | undefined;
  readonly #dispose: Dispose;
  #value: unknown;

  /** @param onChange called when there may be a new line; {@link encode} makes it, when that suits the caller. */
  constructor(kind: WatchKind, key: string, source: Watched<unknown>, onChange: (topic: Topic) => void) {
    this.name = topicName(kind, key);
    this.#dispose = source.observe(value => {
      this.#value = value;
      onChange(this);
    });
  }

  /** Makes the line of the newest value. False when it says the same as the last one, or nothing is known. */
  encode(): boolean {
    const value = this.#value;
    if (value === undefined) return false;
    const line = value === null ? GONE_LINE : stateLine(this.name, JSON.stringify(value));
    if (line.version === this.line?.version) return false;
    this.line = line;
    return true;
  }

  close(): void {
    this.#dispose();
  }
}

export function topicName(kind: WatchKind, key: string): string {
  return `${kind} ${key}`;
}

const GONE_LINE: Line = {
  version: GONE,
  full: Buffer.from(`,"version":"${GONE}","deleted":true}\n`),
  unchanged: unchangedTail(GONE),
};

function stateLine(name: string, state: string): Line {
  // 120 bits: enough that no two states ever meet, short enough for every line.
  const version = createHash('sha256').update(state).digest('base64url').slice(0, 20);
  const full = Buffer.from(`,"version":"${version}","state":${state}}\n`);
  if (full.length + HEAD_BYTES <= MAX_LINE_BYTES) return { version, full, unchanged: unchangedTail(version) };
  const { code, message } = new MeshRefusal(
    'NM_MESH_STATE_SIZE',
    500,
    `the state of '${name}' has ${full.length} bytes; a line has at most ${MAX_LINE_BYTES}`,
  );
  const refusal = Buffer.from(`,"error":${JSON.stringify({ code, message })}}\n`);
  return { version, full: refusal, unchanged: refusal };
}

function unchangedTail(version: string): Buffer {
  return Buffer.from(`,"version":"${version}"}\n`);
}
