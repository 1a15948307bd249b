/**
 * The two messages of the gRPC calculator, encoded as protocol buffers by hand:
 *
 *   message Numbers { int32 op1 = 1; int32 op2 = 2; }
 *   message Result { int32 value = 1; }
 *
 * Source: protobuf.dev, "Encoding": fields of wire type 0 (varint); negative int32 as ten bytes.
 */

export interface Numbers {
  op1: number;
  op2: number;
}

export function encodeNumbers({ op1, op2 }: Numbers): Buffer {
  return Buffer.from([...field(1, op1), ...field(2, op2)]);
}

export function decodeNumbers(bytes: Buffer): Numbers {
  const fields = decode(bytes);
  return { op1: fields.get(1) ?? 0, op2: fields.get(2) ?? 0 };
}

export function encodeResult(value: number): Buffer {
  return Buffer.from(field(1, value));
}

export function decodeResult(bytes: Buffer): number {
  return decode(bytes).get(1) ?? 0;
}

/** Nothing for 0, the default. */
function field(number: number, value: number): number[] {
  if (value === 0) return [];
  const bytes = [number << 3];
  let rest = BigInt.asUintN(64, BigInt(Math.trunc(value)));
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}

/** @throws RangeError for anything but varint fields with small numbers. */
function decode(bytes: Buffer): Map<number, number> {
  const fields = new Map<number, number>();
  for (let at = 0; at < bytes.length; ) {
    const key = bytes[at++] ?? 0;
    if ((key & 0x07) !== 0 || key > 0x7f) throw new RangeError(`an unexpected field: key ${key}`);
    let value = 0n;
    let byte = 0x80;
    for (let shift = 0n; byte & 0x80; shift += 7n) {
      if (at >= bytes.length || shift > 63n) throw new RangeError('a varint without an end');
      byte = bytes[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
    }
    fields.set(key >> 3, Number(BigInt.asIntN(64, value)));
  }
  return fields;
}
