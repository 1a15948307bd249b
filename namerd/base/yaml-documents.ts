/**
 * YAML texts as documents, by the yaml library, but in time that grows with the text alone whatever is in it: its
 * own check for double keys compares every pair of them, and a million opening brackets take it half a minute.
 *
 * Invariant: a document with double keys, too deep nesting or any other syntax error is told about and left out.
 */

import {
  Composer,
  type Document,
  isNode,
  isScalar,
  Lexer,
  type LineCounter,
  type ParsedNode,
  Parser,
  visit,
} from 'yaml';

/** Brackets within one another, and list items that begin on one line. */
const MAX_NESTING = 100;
/** Documents in one text, empty ones included. */
const MAX_DOCUMENTS = 20_000;
/** Syntax errors of one document: the first ones say what is wrong, the rest follow from them. */
const MAX_ERRORS = 20;

/** Told of each problem at its offset in the text. */
type Complain = (offset: number, message: string) => void;

/** The contents of all documents that are good and not empty. @param lines learns where lines begin */
export function* yamlDocuments(text: string, lines: LineCounter, complain: Complain): Generator<ParsedNode> {
  let count = 0;
  for (const document of new Composer({ uniqueKeys: false, strict: true }).compose(
    tokensOf(text, lines, complain),
  )) {
    count += 1;
    if (count > MAX_DOCUMENTS)
      return complain(document.range[0], `more than ${MAX_DOCUMENTS} documents in one text`);
    for (const { pos, message } of document.errors.slice(0, MAX_ERRORS))
      complain(pos[0], message.split('\n', 1)[0] ?? message);
    const { contents } = document;
    if (document.errors.length > 0 || contents === null) continue;
    if (keysAreUnique(document, complain)) yield contents;
  }
}

/** The parser's tokens, until one nests too deep: what it and the composer do with depth costs its square. */
function* tokensOf(text: string, lines: LineCounter, complain: Complain) {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let brackets = 0;
  let items = 0;
  let inScalar = false;
  for (const lexeme of new Lexer().lex(text)) {
    if (inScalar) inScalar = false;
    else if (lexeme === SCALAR) inScalar = true;
    else if (lexeme === '[' || lexeme === '{') brackets += 1;
    else if (lexeme === ']' || lexeme === '}') brackets -= 1;
    else if (lexeme === '-' || lexeme === '?') items += 1;
    else if (lexeme.endsWith('\n')) items = 0;
    if (brackets > MAX_NESTING || items > MAX_NESTING) {
      complain(parser.offset, `more than ${MAX_NESTING} lists or mappings within one another`);
      return;
    }
    yield* parser.next(lexeme);
  }
  yield* parser.end();
}

/** What the lexer says before a plain or block scalar, whose text may look like anything. */
const SCALAR = '\x1f';

function keysAreUnique(document: Document.Parsed, complain: Complain): boolean {
  let unique = true;
  visit(document, {
    Map: (_, { items }) => {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        const name = isScalar(key) ? key.value : key;
        if (seen.has(name)) {
          unique = false;
          complain(isNode(key) ? (key.range?.[0] ?? 0) : 0, `the key '${name}' stands here twice`);
        }
        seen.add(name);
      }
    },
  });
  return unique;
}
