/** A name server on loopback (RFC 1035 §4) that knows a few records, for testing real resolvers. */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

export interface DnsRecord {
  type: 'A' | 'SRV';
  ttl: number;
  /** For A: the address. For SRV: `priority weight port target`. */
  data: string;
}

const TYPES = { A: 1, SRV: 33 };
const NXDOMAIN = 3;

export class DnsServer {
  readonly #socket: Socket;
  readonly #records: ReadonlyMap<string, readonly DnsRecord[]>;

  private constructor(socket: Socket, records: Readonly<Record<string, readonly DnsRecord[]>>) {
    this.#socket = socket;
    this.#records = new Map(Object.entries(records));
    socket.on('message', (query, { port, address }) => socket.send(this.#answer(query), port, address));
  }

  static async start(records: Readonly<Record<string, readonly DnsRecord[]>>): Promise<DnsServer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new DnsServer(socket, records);
  }

  /** `ip:port` */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  async close(): Promise<void> {
    this.#socket.close();
    await once(this.#socket, 'close');
  }

  #answer(query: Buffer): Buffer {
    const { name, end } = readName(query, 12);
    const type = query.readUInt16BE(end);
    const known = this.#records.get(name.toLowerCase());
    const found = known?.filter(record => TYPES[record.type] === type) ?? [];
    const header = Buffer.alloc(12);
    header.writeUInt16BE(query.readUInt16BE(0), 0);
    header.writeUInt16BE(0x8580 | (known === undefined ? NXDOMAIN : 0), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(found.length, 6);
    return Buffer.concat([header, query.subarray(12, end + 4), ...found.map(record => encode(record))]);
  }
}

function readName(packet: Buffer, at: number): { name: string; end: number } {
  const labels: string[] = [];
  let end = at;
  for (let length = packet[end] ?? 0; length > 0; length = packet[end] ?? 0) {
    labels.push(packet.toString('latin1', end + 1, end + 1 + length));
    end += 1 + length;
  }
  return { name: labels.join('.'), end: end + 1 };
}

function encode({ type, ttl, data }: DnsRecord): Buffer {
  const body = type === 'A' ? Buffer.from(data.split('.').map(Number)) : encodeSrv(data);
  const head = Buffer.alloc(12);
  // The name is the one of the question.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(TYPES[type], 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttl, 6);
  head.writeUInt16BE(body.length, 10);
  return Buffer.concat([head, body]);
}

function encodeSrv(data: string): Buffer {
  const [priority = '', weight = '', port = '', target = ''] = data.split(' ');
  const numbers = Buffer.alloc(6);
  numbers.writeUInt16BE(Number(priority), 0);
  numbers.writeUInt16BE(Number(weight), 2);
  numbers.writeUInt16BE(Number(port), 4);
  const labels = target.split('.').map(label => Buffer.from(`${String.fromCharCode(label.length)}${label}`));
  return Buffer.concat([numbers, ...labels, Buffer.from([0])]);
}
