/** Far more bytes than anybody may keep, written as fast as they are taken. */

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';

const MB = 1024 * 1024;
const FLOOD = 60 * MB;

export class Flood {
  /** Bytes that were written, taken or not. */
  sent = 0;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#more();
  }

  #more(): void {
    const piece = Buffer.alloc(64 * 1024, 'x');
    while (this.sent < FLOOD) {
      this.sent += piece.length;
      if (!this.#socket.write(piece)) return void this.#socket.once('drain', () => this.#more());
    }
  }
}

/** Resolves when a count has stood still for a while. */
export async function stands(count: () => number): Promise<void> {
  let before = -1;
  for (let same = 0; same < 20; ) {
    same = count() === before ? same + 1 : 0;
    before = count();
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  assert.ok(before > 0, 'nothing has begun');
}
