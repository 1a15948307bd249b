/**
 * Finagle's grammar of paths, trees and dtabs, by recursive descent over the text:
 *
 *   path     = ws '/' [label *('/' label)]          no trailing slash, no empty label
 *   label    = 1*(showable / '\x' hex hex)          or one bracketed IPv6 host, see label.ts
 *   prefix   = as path, where an element may be '*'
 *   tree     = tree1 *('|' tree1)
 *   tree1    = weighted *('&' weighted)             so '&' binds tighter than '|'
 *   weighted = ws [number ws '*' ws] simple         number: digits with at most one '.'
 *   simple   = '(' tree ')' / path / '!' / '~' / '$'
 *   dentry   = prefix ws '=>' tree
 *   dtab     = [dentry] *(';' [dentry])             only the last may be missing after a ';'
 *   ws       = *(whitespace / '#' … end of line)
 *
 * Invariants: nothing but {@link NameSyntaxError} leaves here; text size and nesting are bounded, so neither
 * the stack nor time can be exhausted by what a request carries.
 */

import { type Dentry, Dtab } from './dtab.ts';
import { bracketedHost, isShowable } from './label.ts';
import { Path } from './path.ts';
import { ANY, Prefix, type PrefixElem } from './prefix.ts';
import { NameSyntaxError } from './syntax-error.ts';
import { alt, EMPTY, FAIL, leaf, type NameTree, NEG, union, type Weighted } from './tree.ts';

/** Longer texts are refused unread, in UTF-16 units. */
export const MAX_NAME_TEXT = 1024 * 1024;
/** The deepest nesting of parentheses. */
export const MAX_NESTING = 100;

export function parsePath(text: string): Path {
  return new Parser(text).whole(parser => parser.path());
}

export function parsePrefix(text: string): Prefix {
  return new Parser(text).whole(parser => parser.prefix());
}

export function parseNameTree(text: string): NameTree<Path> {
  return new Parser(text).whole(parser => parser.tree());
}

export function parseDentry(text: string): Dentry {
  return new Parser(text).whole(parser => parser.dentry());
}

export function parseDtab(text: string): Dtab {
  return new Parser(text).whole(parser => parser.dtab());
}

class Parser {
  readonly #text: string;
  #at = 0;
  #nesting = 0;

  constructor(text: string) {
    this.#text = text;
    if (text.length > MAX_NAME_TEXT)
      throw new NameSyntaxError(
        text,
        MAX_NAME_TEXT,
        `a text of at most ${MAX_NAME_TEXT} characters`,
        `${text.length}`,
      );
  }

  whole<T>(part: (parser: Parser) => T): T {
    const value = part(this);
    this.#space();
    if (this.#at < this.#text.length) this.#refuse('end of input');
    return value;
  }

  dtab(): Dtab {
    const dentries: Dentry[] = [];
    do {
      this.#space();
      if (this.#at < this.#text.length) {
        dentries.push(this.dentry());
        this.#space();
      }
    } while (this.#maybe(';'));
    return Dtab.of(dentries);
  }

  dentry(): Dentry {
    const prefix = this.prefix();
    this.#space();
    this.#eat('=');
    this.#eat('>');
    return { prefix, dst: this.tree() };
  }

  prefix(): Prefix {
    this.#space();
    this.#eat('/');
    if (!this.#labelStarts() && this.#text[this.#at] !== '*') return Prefix.empty;
    const elems: PrefixElem[] = [];
    do {
      elems.push(this.#maybe('*') ? ANY : this.#label());
    } while (this.#maybe('/'));
    return new Prefix(elems);
  }

  path(): Path {
    this.#space();
    this.#eat('/');
    if (!this.#labelStarts()) return Path.empty;
    const elems: string[] = [];
    do {
      elems.push(this.#label());
    } while (this.#maybe('/'));
    return new Path(elems);
  }

  tree(): NameTree<Path> {
    const trees: NameTree<Path>[] = [];
    do {
      trees.push(this.#union());
      this.#space();
    } while (this.#maybe('|'));
    return alt(trees);
  }

  #union(): NameTree<Path> {
    const branches: Weighted<Path>[] = [];
    do {
      branches.push(this.#weighted());
      this.#space();
    } while (this.#maybe('&'));
    return union(branches);
  }

  #weighted(): Weighted<Path> {
    this.#space();
    if (!isNumberChar(this.#text[this.#at])) return { weight: 1, tree: this.#simple() };
    const weight = this.#number();
    this.#space();
    this.#eat('*');
    return { weight, tree: this.#simple() };
  }

  #simple(): NameTree<Path> {
    this.#space();
    switch (this.#text[this.#at]) {
      case '/':
        return leaf(this.path());
      case '(':
        return this.#nested();
      case '!':
        this.#at += 1;
        return FAIL;
      case '~':
        this.#at += 1;
        return NEG;
      case '$':
        this.#at += 1;
        return EMPTY;
      default:
        return this.#refuse('simple');
    }
  }

  #nested(): NameTree<Path> {
    if (this.#nesting === MAX_NESTING) this.#refuse(`at most ${MAX_NESTING} nested parentheses`);
    this.#nesting += 1;
    this.#at += 1;
    const tree = this.tree();
    this.#space();
    this.#eat(')');
    this.#nesting -= 1;
    return tree;
  }

  #number(): number {
    const start = this.#at;
    let dots = 0;
    for (; isNumberChar(this.#text[this.#at]); this.#at++) {
      if (this.#text[this.#at] === '.' && ++dots > 1) this.#refuse('number char');
    }
    const digits = this.#text.slice(start, this.#at);
    const weight = Number(digits);
    // A lone dot, or more digits than a number can hold.
    if (!Number.isFinite(weight))
      throw new NameSyntaxError(this.#text, start, 'weight', `'${digits.slice(0, 20)}'`);
    return weight;
  }

  #labelStarts(): boolean {
    const code = this.#text.charCodeAt(this.#at);
    return isShowable(code) || code === BACKSLASH || (code === BRACKET && this.#host() > 0);
  }

  #host(): number {
    return bracketedHost(this.#text, this.#at);
  }

  #label(): string {
    const text = this.#text;
    const host = text.charCodeAt(this.#at) === BRACKET ? this.#host() : 0;
    if (host > 0) {
      this.#at += host;
      return text.slice(this.#at - host, this.#at);
    }
    let label = '';
    for (;;) {
      const start = this.#at;
      while (isShowable(text.charCodeAt(this.#at))) this.#at += 1;
      label += text.slice(start, this.#at);
      if (text.charCodeAt(this.#at) !== BACKSLASH) break;
      this.#at += 1;
      this.#eat('x');
      label += String.fromCharCode(this.#hex() * 16 + this.#hex());
    }
    return label === '' ? this.#refuse('label char') : label;
  }

  #hex(): number {
    const digit = this.#text[this.#at] ?? '';
    if (!/^[0-9a-fA-F]$/.test(digit)) this.#refuse('hex char');
    this.#at += 1;
    return Number.parseInt(digit, 16);
  }

  #space(): void {
    const text = this.#text;
    while (this.#at < text.length) {
      const code = text.charCodeAt(this.#at);
      if (code === HASH) {
        const end = text.indexOf('\n', this.#at);
        this.#at = end < 0 ? text.length : end + 1;
      } else if (code === 0x20 || (code >= 9 && code <= 13) || (code > 13 && isRareSpace(code))) {
        this.#at += 1;
      } else return;
    }
  }

  #maybe(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #eat(character: string): void {
    if (!this.#maybe(character)) this.#refuse(`'${character}'`);
  }

  #refuse(expected: string): never {
    const found =
      this.#at < this.#text.length
        ? `'${String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0)}'`
        : 'end of input';
    throw new NameSyntaxError(this.#text, this.#at, expected, found);
  }
}

const HASH = 0x23;
const BACKSLASH = 0x5c;
const BRACKET = 0x5b;

function isNumberChar(character: string | undefined): boolean {
  return character !== undefined && ((character >= '0' && character <= '9') || character === '.');
}

/** Java's notion of whitespace, which the language inherits: the non-breaking spaces are none. */
function isRareSpace(code: number): boolean {
  if (code < 0x80) return code >= 0x1c && code <= 0x1f;
  if (code === 0x2007) return false;
  return (
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x1680 ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x205f ||
    code === 0x3000
  );
}
