/** Everything that goes over a node's cable, recorded by tcpdump and read back as TCP segments. */

import { readFileSync } from 'node:fs';
import { Child } from './child.ts';

export interface Segment {
  from: { ip: string; port: number };
  to: { ip: string; port: number };
  payload: Buffer;
}

const ETHERNET_BYTES = 14;
const IPV4 = 0x0800;
const TCP = 6;

export class Capture {
  readonly #child: Child;
  readonly #file: string;

  private constructor(child: Child, file: string) {
    this.#child = child;
    this.#file = file;
  }

  /** @param file ends in `.pcap`. Returns once packets are being recorded. */
  static async start(device: string, file: string): Promise<Capture> {
    const child = new Child({
      name: 'tcpdump',
      // As root, because the demo's corner may know no other user; `-U` writes every packet at once.
      command: ['tcpdump', '-Z', 'root', '-i', device, '-s', '0', '-U', '-w', file, 'tcp'],
      logFile: `${file}.log`,
    });
    await child.until('listening', async () => child.tail().includes('listening on'));
    return new Capture(child, file);
  }

  async stop(): Promise<Segment[]> {
    await this.#child.stop('SIGINT');
    return readSegments(readFileSync(this.#file));
  }
}

/** IPv4 TCP segments that carry data, of a little-endian pcap file with Ethernet frames. */
export function readSegments(file: Buffer): Segment[] {
  const segments: Segment[] = [];
  let at = 24;
  while (at + 16 <= file.length) {
    const length = file.readUInt32LE(at + 8);
    const frame = file.subarray(at + 16, at + 16 + length);
    at += 16 + length;
    const segment = readSegment(frame);
    if (segment !== undefined && segment.payload.length > 0) segments.push(segment);
  }
  return segments;
}

function readSegment(frame: Buffer): Segment | undefined {
  if (frame.length < ETHERNET_BYTES + 40 || frame.readUInt16BE(12) !== IPV4) return undefined;
  const packet = frame.subarray(ETHERNET_BYTES);
  if (packet[9] !== TCP) return undefined;
  // The frame may be padded; the IP header knows the true length.
  const tcp = packet.subarray(((packet[0] ?? 0) & 0x0f) * 4, packet.readUInt16BE(2));
  const payload = tcp.subarray(((tcp[12] ?? 0) >> 4) * 4);
  const ip = (offset: number) => packet.subarray(offset, offset + 4).join('.');
  return {
    from: { ip: ip(12), port: tcp.readUInt16BE(0) },
    to: { ip: ip(16), port: tcp.readUInt16BE(2) },
    payload,
  };
}
