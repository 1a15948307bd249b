/** Everything that goes over a node's cable, recorded and read back as TCP segments. */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from './child.ts';

export interface Segment {
  from: { ip: string; port: number };
  to: { ip: string; port: number };
  payload: Buffer;
}

const QUIET_MS = 100;
const QUIET_ROUNDS = 5;
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
    const child = new Child({ name: 'capture', command: recorder(device, file), logFile: `${file}.log` });
    await child.until('listening', async () => child.tail().includes('listening on'));
    return new Capture(child, file);
  }

  /** Ends the recording once the cable is quiet, or after half a second. */
  async stop(): Promise<Segment[]> {
    // What is still under way from the kernel is lost when tcpdump ends: wait until nothing more comes.
    let size = -1;
    for (let round = 0; round < QUIET_ROUNDS && size !== statSync(this.#file).size; round++) {
      size = statSync(this.#file).size;
      await sleep(QUIET_MS);
    }
    await this.#child.stop('SIGINT');
    return readSegments(readFileSync(this.#file));
  }
}

/** tcpdump, where it can run: in a user namespace it fails to give up root, and has no way not to. */
function recorder(device: string, file: string): string[] {
  if (readFileSync('/proc/self/setgroups', 'utf8').trim() === 'deny')
    return ['python3', join(import.meta.dirname, 'record.py'), device, file];
  return ['tcpdump', '-Z', 'root', '-i', device, '-s', '0', '--immediate-mode', '-U', '-w', file, 'tcp'];
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
