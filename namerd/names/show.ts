/** Printing: the canonical text of trees and weights, which parses back to the same value. */

import type { Path } from './path.ts';
import type { NameTree } from './tree.ts';

/**
 * The shortest decimal that reads back as exactly this number, never with an exponent (the grammar has none).
 * Finagle rounds to two places and so loses a share of 0.1 %.
 * @param weight finite, ≥ 0
 */
export function showWeight(weight: number): string {
  const text = String(weight);
  const at = text.indexOf('e');
  if (at < 0) return text;
  const exponent = Number(text.slice(at + 1));
  const [whole = '', fraction = ''] = text.slice(0, at).split('.');
  const digits = whole + fraction;
  const point = whole.length + exponent;
  if (point <= 0) return `0.${'0'.repeat(-point)}${digits}`;
  return digits.padEnd(point, '0');
}

/** `a | b`, `2*a & b`, parentheses only where they are needed. */
export function showTree(tree: NameTree<Path>): string {
  switch (tree.type) {
    case 'alt':
      if (tree.trees.length === 0) return '~';
      return tree.trees.map(each => inside(each, isNestedAlt)).join(' | ');
    case 'union':
      if (tree.branches.length === 0) return '~';
      return tree.branches
        .map(({ weight, tree: each }) => {
          const text = inside(each, isComposite);
          return weight === 1 ? text : `${showWeight(weight)}*${text}`;
        })
        .join(' & ');
    case 'leaf':
      return tree.value.show;
    case 'neg':
      return '~';
    case 'fail':
      return '!';
    case 'empty':
      return '$';
  }
}

function inside(tree: NameTree<Path>, needsParentheses: (tree: NameTree<Path>) => boolean): string {
  return needsParentheses(tree) ? `(${showTree(tree)})` : showTree(tree);
}

function isNestedAlt(tree: NameTree<Path>): boolean {
  return tree.type === 'alt';
}

function isComposite(tree: NameTree<Path>): boolean {
  return tree.type === 'alt' || tree.type === 'union';
}
