import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { hashText, WeightedShares } from '../../../../../node-proxy/balance/index.ts';
import { assertShare } from '../../../../lib/balance/service-rig.ts';

const weights = fc.array(fc.oneof(fc.constant(0), fc.double({ min: 1e-6, max: 1e6, noNaN: true })), {
  minLength: 1,
  maxLength: 8,
});
const USERS = Array.from({ length: 20_000 }, (_, i) => hashText(`user-${i}`));

describe('shares by a number', () => {
  it('follow the cumulative weights exactly', () => {
    const shares = new WeightedShares([1, 0, 3]);
    assert.equal(shares.pick(0), 0);
    assert.equal(shares.pick(0.2499999), 0);
    assert.equal(shares.pick(0.25), 2);
    assert.equal(shares.pick(1 - 2 ** -53), 2);
  });

  it('never take a way of weight 0, and always some way that has one', () => {
    fc.assert(
      fc.property(weights, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (list, u) => {
        const way = new WeightedShares(list).pick(u);
        if (list.every(weight => weight === 0)) assert.equal(way, -1);
        else assert.ok((list[way] as number) > 0, `${list} at ${u} is ${way}`);
      }),
    );
  });

  it('know 0.0001', () => {
    const shares = new WeightedShares([0.0001, 0.9999]);
    assert.equal(shares.pick(0.000099999), 0);
    assert.equal(shares.pick(0.000100001), 1);
  });

  it('count what is no weight as 0', () => {
    const shares = new WeightedShares([Number.NaN, -1, Infinity, 2]);
    assert.equal(shares.pick(0), 3);
    assert.equal(shares.byHash(7), 3);
    assert.equal(new WeightedShares([0]).pick(0), -1);
    assert.equal(new WeightedShares([0, 0]).byHash(7), -1);
    assert.equal(new WeightedShares([]).next(), -1);
  });
});

describe('shares by a hash', () => {
  it('come near the weights', () => {
    const shares = new WeightedShares([70, 25, 5], ['a', 'b', 'c']);
    const counts = [0, 0, 0];
    for (const user of USERS) counts[shares.byHash(user)] = (counts[shares.byHash(user)] as number) + 1;
    assertShare(counts[0] as number, USERS.length, 0.7);
    assertShare(counts[1] as number, USERS.length, 0.25);
    assertShare(counts[2] as number, USERS.length, 0.05);
  });

  it('come near the weights for hashes that follow one another', () => {
    const shares = new WeightedShares([99, 1], ['v1', 'v2']);
    let second = 0;
    for (let hash = 0; hash < 100_000; hash++) second += shares.byHash(hash);
    assertShare(second, 100_000, 0.01);
  });

  it('keep everybody on a canary while it grows, and move no more than the weights move', () => {
    let before = new Set<number>();
    let share = 0;
    for (const percent of [1, 10, 50, 90, 100]) {
      const shares = new WeightedShares([100 - percent, percent], ['v1', 'v2']);
      const canary = new Set(USERS.filter(user => shares.byHash(user) === 1));
      for (const user of before) assert.ok(canary.has(user), `a user left at ${percent} %`);
      const moved = (percent - share) / 100;
      assertShare(canary.size - before.size, USERS.length, moved);
      before = canary;
      share = percent;
    }
    assert.equal(before.size, USERS.length);
  });

  it('move keys only to a way whose weight grows', () => {
    fc.assert(
      fc.property(weights, fc.nat(), fc.double({ min: 0.1, max: 1e3, noNaN: true }), (list, at, more) => {
        const grown = at % list.length;
        const before = new WeightedShares(list);
        const after = new WeightedShares(list.map((weight, i) => (i === grown ? weight + more : weight)));
        for (const user of USERS.slice(0, 200)) {
          const way = after.byHash(user);
          if (way !== before.byHash(user)) assert.equal(way, grown);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('follow names, not places', () => {
    const before = new WeightedShares([50, 30, 20], ['a', 'b', 'c']);
    const after = new WeightedShares([20, 50, 30], ['c', 'a', 'b']);
    for (const user of USERS.slice(0, 1_000)) {
      assert.equal('abc'[before.byHash(user)], 'cab'[after.byHash(user)]);
    }
  });

  it('tell two ways of the same name apart', () => {
    const shares = new WeightedShares([1, 1], ['a', 'a']);
    assertShare(USERS.filter(user => shares.byHash(user) === 0).length, USERS.length, 0.5);
  });

  it('do not decide what a second choice by the same hash decides', () => {
    const route = new WeightedShares([90, 10], ['/svc/ns/v1/80', '/svc/ns/v2/80']);
    const name = new WeightedShares([90, 10], ['/#/v1a', '/#/v1b']);
    const both = USERS.filter(user => route.byHash(user) === 1 && name.byHash(user) === 1).length;
    assertShare(both, USERS.length, 0.01);
  });
});

describe('the hash of a text', () => {
  it('is the published MurmurHash3 over the code units', () => {
    assert.equal(hashText(''), 0);
    assert.equal(hashText('ab'), murmur3(Buffer.from('ab', 'utf16le')));
    assert.equal(hashText('abc'), murmur3(Buffer.from('abc', 'utf16le')));
  });

  it('agrees with the definition for every text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        assert.equal(hashText(text), murmur3(Buffer.from(text, 'utf16le')));
      }),
    );
  });
});

/** MurmurHash3 x86_32 by its definition on bytes, seed 0. Vectors below show that it is. */
function murmur3(bytes: Uint8Array): number {
  const scramble = (k: number) => {
    const product = Math.imul(k, 0xcc9e2d51);
    return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
  };
  let h = 0;
  const whole = bytes.length - (bytes.length % 4);
  for (let i = 0; i < whole; i += 4) {
    h ^= scramble(new DataView(bytes.buffer, bytes.byteOffset + i, 4).getInt32(0, true));
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = bytes.length - 1; i >= whole; i--) tail = (tail << 8) | (bytes[i] as number);
  if (whole < bytes.length) h ^= scramble(tail);
  h ^= bytes.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

describe('the definition that the hash is compared with', () => {
  it('gives known values', () => {
    assert.equal(murmur3(Buffer.from('test')), 0xba6bd213);
    assert.equal(murmur3(Buffer.from('Hello, world!')), 0xc0363e43);
  });
});
