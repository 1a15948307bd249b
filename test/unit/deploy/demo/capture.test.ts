import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSegments } from '../../../../deploy/demo/ground/capture.ts';

/** An Ethernet frame with an IPv4 TCP segment, padded as short frames are. */
function frame(payload: string, padding: number): Buffer {
  const ip = Buffer.alloc(20);
  ip[0] = 0x45;
  ip.writeUInt16BE(40 + payload.length, 2);
  ip[9] = 6;
  ip.set([10, 244, 1, 2], 12);
  ip.set([10, 244, 2, 3], 16);
  const tcp = Buffer.alloc(20);
  tcp.writeUInt16BE(40000, 0);
  tcp.writeUInt16BE(15008, 2);
  tcp[12] = 5 << 4;
  const ethernet = Buffer.alloc(14);
  ethernet.writeUInt16BE(0x0800, 12);
  return Buffer.concat([ethernet, ip, tcp, Buffer.from(payload), Buffer.alloc(padding, 0x41)]);
}

function pcap(...frames: Buffer[]): Buffer {
  const records = frames.map(data => {
    const header = Buffer.alloc(16);
    header.writeUInt32LE(data.length, 8);
    return Buffer.concat([header, data]);
  });
  return Buffer.concat([Buffer.alloc(24), ...records]);
}

test('segments with data are read, without the padding of their frames', () => {
  const segments = readSegments(pcap(frame('POST /', 8), frame('', 6)));
  assert.deepEqual(segments, [
    {
      from: { ip: '10.244.1.2', port: 40000 },
      to: { ip: '10.244.2.3', port: 15008 },
      payload: Buffer.from('POST /'),
    },
  ]);
});

test('a file that ends in the middle of a packet gives the packets before', () => {
  const file = pcap(frame('one', 20), frame('two', 20));
  assert.deepEqual(
    readSegments(file.subarray(0, file.length - 70)).map(({ payload }) => payload.toString()),
    ['one'],
  );
});
