/** One H2Connection with a peer made by hand: frames in, frames out. */

import type { H2Options } from '../../node-proxy/http2/index.ts';
import { type Frame, hello, parseFrames, settings, settingsAck, TYPE } from './http2-frames.ts';
import { Side } from './http2-pair.ts';

export class RawPeer {
  readonly side: Side;

  /** @param role of the connection under test. The handshake is done. */
  constructor(role: 'client' | 'server', options: Partial<H2Options> = {}) {
    this.side = new Side(role, options);
    this.send(role === 'server' ? hello() : settings(), settingsAck());
    this.frames();
  }

  send(...frames: Buffer[]): this {
    this.side.connection.receive(Buffer.concat(frames));
    return this;
  }

  /** What the connection has written since last asked. */
  frames(): Frame[] {
    return parseFrames(this.side.wire.take());
  }

  /** … of one type, as `stream:number`: the code of a reset, the increment of a window. */
  numbers(type: number): string[] {
    return this.frames()
      .filter(frame => frame.type === type)
      .map(({ streamId, payload }) => `${streamId}:${payload.readUInt32BE(type === TYPE.GOAWAY ? 4 : 0)}`);
  }

  /** Code of the GOAWAY that ended the connection, if one did. */
  get endedWith(): number | undefined {
    const last = this.frames().at(-1);
    if (this.side.connection.state !== 'closed' || last?.type !== TYPE.GOAWAY) return undefined;
    return last.payload.readUInt32BE(4);
  }
}
