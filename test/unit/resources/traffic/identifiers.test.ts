import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Identifier } from '#api';
import { assertRefused, goodSpec } from '../../../lib/documents/read-spec.ts';

const spec = (identifiers: unknown) => ({ targetRef: { kind: 'Service', name: 'a' }, identifiers });
const read = (...identifiers: object[]) => goodSpec('TrafficPolicy', spec(identifiers));

test("Linkerd's identifiers have Linkerd's defaults", () => {
  const cases: [object, Identifier][] = [
    [{ kind: 'io.l5d.header.token' }, { kind: 'header', prefix: '/svc', header: 'host' }],
    [
      { kind: 'io.l5d.header.token', header: 'X-Name' },
      { kind: 'header', prefix: '/svc', header: 'x-name' },
    ],
    [{ kind: 'io.l5d.header' }, { kind: 'headerPath', prefix: '/svc', header: 'l5d-name' }],
    [{ kind: 'io.l5d.path' }, { kind: 'path', prefix: '/svc', segments: 1, consume: false }],
    [
      { kind: 'io.l5d.path', prefix: '/a/b', segments: 2, consume: true },
      { kind: 'path', prefix: '/a/b', segments: 2, consume: true },
    ],
    [{ kind: 'io.l5d.methodAndHost' }, { kind: 'methodAndHost', prefix: '/svc', uri: false }],
    [
      { kind: 'io.l5d.methodAndHost', httpUriInDst: true },
      { kind: 'methodAndHost', prefix: '/svc', uri: true },
    ],
    [
      { kind: 'io.l5d.static', path: '/a/b' },
      { kind: 'static', path: '/svc/a/b' },
    ],
    [
      { kind: 'io.l5d.static', path: 'a', prefix: '/host' },
      { kind: 'static', path: '/host/a' },
    ],
    [{ kind: 'io.nodemesh.host' }, { kind: 'header', prefix: '/host', header: 'host' }],
    [{ kind: 'io.nodemesh.service' }, { kind: 'service' }],
  ];
  for (const [written, meant] of cases) assert.deepEqual(read(written).service.identifiers, [meant]);
});

test('what cannot be a name is refused', () => {
  const cases: [unknown, RegExp][] = [
    [[], /an empty list/],
    [[{ kind: 'io.l5d.ingress' }], /'io\.l5d\.ingress' is not one of/],
    [[{ kind: 'io.l5d.path', segments: 0 }], /out of range/],
    [[{ kind: 'io.l5d.path', header: 'x' }], /unknown field 'header'/],
    [[{ kind: 'io.l5d.path', prefix: 'svc' }], /'\/' expected/],
    [[{ kind: 'io.l5d.path', prefix: '/' }], /at least one element/],
    [[{ kind: 'io.l5d.header', prefix: '/$/inet' }], /callers would name any address/],
    [[{ kind: 'io.l5d.header.token', prefix: '/#' }], /callers would name any address/],
    [[{ kind: 'io.l5d.static' }], /'path' is missing/],
    [[{ kind: 'io.l5d.static', path: 'a b' }], /found at/],
    [[{ kind: 'io.l5d.header.token', header: 'a:b' }], /no name of a header/],
    [[{ kind: 'io.nodemesh.service', prefix: '/svc' }], /unknown field 'prefix'/],
    [Array.from({ length: 17 }, () => ({ kind: 'io.l5d.header' })), /17 identifiers/],
  ];
  for (const [identifiers, message] of cases) assertRefused('TrafficPolicy', spec(identifiers), message);
});

test('identifiers that are never asked are told', () => {
  const { warnings } = read({ kind: 'io.nodemesh.service' }, { kind: 'io.l5d.header' });
  assert.deepEqual(warnings, [
    'spec.identifiers[1]: never asked: io.nodemesh.service before it applies to every request',
  ]);
});
