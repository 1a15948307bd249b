/** Writes to a storage directory for ever and says what it has written: made to be killed at any moment. */

import { writeSync } from 'node:fs';
import { parseDtab } from '#names';
import { dtabResource } from '../../namerd/resources/index.ts';
import { fileStorage } from '../../namerd/store/index.ts';

const [dir = '', from = '0'] = process.argv.slice(2);
const { dtabs } = await fileStorage({ dir });
// Long enough that a file is not written in one piece.
const filler = '/filler/for/a/long/dtab=>/nowhere;'.repeat(2_000);
for (let n = Number(from) + 1; ; n++) {
  const text = `${filler}/n=>/${n}`;
  const stored = dtabs.documents.current.get('default');
  const dtab = dtabResource('default', parseDtab(text), text);
  if (stored === undefined) await dtabs.create('default', dtab);
  else await dtabs.update('default', dtab, stored.version);
  writeSync(1, `${n}\n`);
}
