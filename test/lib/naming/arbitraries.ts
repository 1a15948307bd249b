/** Random values of the naming language for property tests. */

import fc from 'fast-check';
import {
  ANY,
  alt,
  type Dentry,
  Dtab,
  EMPTY,
  FAIL,
  leaf,
  type NameTree,
  NEG,
  Path,
  Prefix,
  union,
} from '#names';

const bytes = fc
  .uint8Array({ minLength: 1, maxLength: 6 })
  .map(array => Buffer.from(array).toString('latin1'));

/** Few and short, so that paths and prefixes often meet. */
const common = fc.constantFrom(
  'a',
  'b',
  'c',
  'svc',
  '*',
  '$',
  '#',
  '[::1]',
  '[2001:db8::2]:80',
  'io.l5d.x-y_1%',
);

export const anyElem = fc.oneof({ weight: 4, arbitrary: common }, { weight: 1, arbitrary: bytes });

export const anyPath = fc.array(anyElem, { maxLength: 5 }).map(elems => new Path(elems));

export const anyPrefix = fc
  .array(fc.oneof({ weight: 4, arbitrary: anyElem }, { weight: 1, arbitrary: fc.constant(ANY) }), {
    maxLength: 4,
  })
  .map(elems => new Prefix(elems));

/** Weights as they can be written: finite, not negative, of any magnitude. */
export const anyWeight = fc.oneof(
  fc.constantFrom(1, 0, 0.001, 0.999, 1e-7, 5e-324, 1e21, 1.5e300, 100, 0.1),
  fc.double({ min: 0, max: 1e9, noNaN: true }).map(Math.abs),
);

export const anyTree: fc.Arbitrary<NameTree<Path>> = fc.letrec<{ tree: NameTree<Path> }>(tie => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 4, arbitrary: anyPath.map(leaf) },
    { weight: 2, arbitrary: fc.constantFrom<NameTree<Path>>(NEG, FAIL, EMPTY) },
    { weight: 2, arbitrary: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }).map(alt) },
    {
      weight: 2,
      arbitrary: fc
        .array(fc.record({ weight: anyWeight, tree: tie('tree') }), { minLength: 1, maxLength: 3 })
        .map(union),
    },
  ),
})).tree;

export const anyDentry: fc.Arbitrary<Dentry> = fc.record({ prefix: anyPrefix, dst: anyTree });

export const anyDtab = fc.array(anyDentry, { maxLength: 20 }).map(Dtab.of);
