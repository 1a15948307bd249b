import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import type { Replica } from '#api';
import { Cell } from '#base/watch.ts';
import { Dtab, Path } from '#names';
import { Interpreter, NamerTable } from '../../../namerd/bind/index.ts';
import {
  Hosts,
  type Namer,
  type NamerAnswer,
  plainReplica,
  SystemNamers,
  systemResolver,
} from '../../../namerd/namers/index.ts';
import { bound, failed, NamerError, NO_ANSWER, ok, PENDING } from '../../../namerd/namers/namer.ts';
import { nameRoutes } from '../../../namerd/serve/control/names.ts';
import { FakeClock } from '../../lib/fake-clock.ts';
import { sampleStorage, serve, streamed } from './control-server.ts';

/** `/#/io.l5d.namer/<name>`: what a test says about each name; nothing about others. */
class ToldNamer implements Namer {
  readonly kind = 'told';
  readonly prefix = Path.of('#', 'io.l5d.namer');
  readonly openElems = 0;
  readonly #answers = new Map<string, Cell<NamerAnswer>>();

  tell(name: string, answer: NamerAnswer): void {
    this.#of(name).set(answer);
  }

  bind(name: string, ...replicas: Replica[]): void {
    this.tell(name, ok(bound(this.prefix.concat(Path.of(name)), Path.empty, { state: 'bound', replicas })));
  }

  lookup(rest: Path): Cell<NamerAnswer> {
    return this.#of(rest.elems[0] ?? '');
  }

  names(): Path[] {
    return [...this.#answers.keys()].map(name => this.prefix.concat(Path.of(name)));
  }

  #of(name: string): Cell<NamerAnswer> {
    const cell = this.#answers.get(name) ?? new Cell<NamerAnswer>(NO_ANSWER);
    this.#answers.set(name, cell);
    return cell;
  }
}

async function start(t: TestContext) {
  const clock = new FakeClock();
  const namer = new ToldNamer();
  const hosts = new Hosts({ resolver: systemResolver(), clock });
  const interpreter = new Interpreter({ namers: new NamerTable([namer], new SystemNamers(hosts)), clock });
  const { dtabs } = sampleStorage();
  const known = new Map(
    [...dtabs.documents.current].map(([name, { value }]) => [name, new Cell(value.value)]),
  );
  const none = new Cell(Dtab.empty);
  const routes = nameRoutes({ interpreter, dtabOf: ns => known.get(ns) ?? none, clock });
  const { url, call, server } = await serve(t, routes, clock);
  return { url, call, server, namer, clock };
}

const escaped = (text: string) => text.replaceAll('#', '%23').replaceAll(' ', '%20');

interface Vector {
  request: string;
  status: number;
  body?: unknown;
}
const VECTORS = (
  JSON.parse(readFileSync(new URL('../../vectors/dtab-sample.json', import.meta.url), 'utf8')) as {
    namerd_http: Vector[];
  }
).namerd_http.filter(({ request }) => /\/api\/1\/(addr|delegate|bind|resolve)/.test(request ?? ''));

for (const { request, status, body } of VECTORS)
  test(`Linkerd: ${request}`, async t => {
    const { call, namer } = await start(t);
    namer.bind('foo', plainReplica('127.0.0.1', 1, 1));
    const answer = await call(request.replaceAll('#', '%23'));
    assert.equal(answer.status, status, answer.body);
    if (body !== undefined) assert.deepEqual(JSON.parse(answer.body), body);
  });

test('a bound tree in JSON', async t => {
  const { call, namer } = await start(t);
  namer.bind('a', {
    ...plainReplica('10.0.0.1', 80, 2),
    node: 'n1',
    identity: 'spiffe://td/ns/x/sa/y',
    hbone: true,
  });
  namer.bind('b');
  const get = async (path: string, dtab: string) => {
    const query = `path=${escaped(path)}&dtab=${escaped(dtab).replaceAll('&', '%26')}`;
    return JSON.parse((await call(`GET /api/1/bind/none?${query}`)).body);
  };
  const a = {
    type: 'leaf',
    bound: {
      addr: {
        type: 'bound',
        addrs: [
          {
            ip: '10.0.0.1',
            port: 80,
            meta: { nodeName: 'n1', identity: 'spiffe://td/ns/x/sa/y', endpoint_addr_weight: 2, hbone: true },
          },
        ],
        meta: {},
      },
      id: '/#/io.l5d.namer/a',
      path: '/',
    },
  };
  assert.deepEqual(await get('/x', '/x=>/#/io.l5d.namer/a'), a);
  const b = {
    type: 'leaf',
    bound: { addr: { type: 'bound', addrs: [], meta: {} }, id: '/#/io.l5d.namer/b', path: '/' },
  };
  assert.deepEqual(await get('/x', '/x=>3*/#/io.l5d.namer/a & /#/io.l5d.namer/b'), {
    type: 'union',
    union: [
      { weight: 3, tree: a },
      { weight: 1, tree: b },
    ],
  });
  assert.deepEqual(await get('/x', ''), { type: 'neg' });
  assert.deepEqual(await get('/x', '/x=>!'), { type: 'fail' });
  assert.deepEqual(await get('/x', '/x=>$'), { type: 'empty' });
});

test('resolving gives every address of a union with its share, the same each time', async t => {
  const { call, namer } = await start(t);
  namer.bind('a', plainReplica('10.0.0.1', 80, 1), plainReplica('10.0.0.2', 80, 3));
  namer.bind('b', plainReplica('10.0.0.3', 80, 5));
  const dtab = escaped('/x=>9*/#/io.l5d.namer/a & 1*/#/io.l5d.namer/b').replaceAll('&', '%26');
  const { body } = await call(`GET /api/1/resolve/none?path=/x&dtab=${dtab}`);
  const { addrs } = JSON.parse(body) as { addrs: { ip: string; meta: { endpoint_addr_weight: number } }[] };
  assert.deepEqual(
    addrs.map(({ ip, meta }) => [ip, Math.round(meta.endpoint_addr_weight * 1000)]),
    [
      ['10.0.0.1', 225],
      ['10.0.0.2', 675],
      ['10.0.0.3', 100],
    ],
  );
  const resolve = async (dtab: string) =>
    JSON.parse((await call(`GET /api/1/resolve/none?path=/x&dtab=${dtab}`)).body);
  assert.deepEqual(await resolve('/x=>$'), { type: 'bound', addrs: [], meta: {} });
  assert.deepEqual(await resolve('/x=>!'), { type: 'neg' });
  assert.deepEqual(await resolve(''), { type: 'neg' });
});

test('an id behind transformers is found, one that leads further is gone', async t => {
  const { call, namer } = await start(t);
  namer.bind('foo', plainReplica('10.0.0.1', 80, 1));
  const addr = async (path: string) =>
    JSON.parse((await call(`GET /api/1/addr/x?path=${escaped(path)}`)).body).type;
  assert.equal(await addr('/%25/io.l5d.port/4141/#/io.l5d.namer/foo'), 'bound');
  assert.equal(await addr('/#/io.l5d.namer/other'), 'neg');
  assert.equal(await addr('/$/inet/127.0.0.1/80/rest'), 'neg');
});

test('bad questions are answered with 400 and a reason', async t => {
  const { call } = await start(t);
  const cases: [string, RegExp | string][] = [
    ['GET /api/1/bind/x', "the parameter 'path' is missing\n"],
    ['GET /api/1/bind/x?path=foo', "Invalid path: foo / '/' expected but 'f' found at '[f]oo'\n"],
    ['GET /api/1/resolve/x?path=/a%20b', /^Invalid path: \/a b \/ /],
    ['GET /api/1/addr/x', /missing/],
    [
      'GET /api/1/delegate/x?path=invalid-param',
      "Invalid path: '/' expected but 'i' found at '[i]nvalid-param'\n",
    ],
    ['GET /api/1/delegate?path=/x&dtab=/a', /^Invalid dtab: /],
    ['GET /api/1/bind/x?path=/a&watch=maybe', /watch=maybe/],
  ];
  for (const [request, message] of cases) {
    const { status, body } = await call(request);
    assert.equal(status, 400, request);
    if (typeof message === 'string') assert.equal(body, message);
    else assert.match(body, message);
  }
});

test('a delegation can be asked for with a body', async t => {
  const { call } = await start(t);
  const post = (body: string, type = 'application/json') =>
    call('POST /api/1/delegate?path=/query', { headers: { 'content-type': type }, body });
  const expected = { type: 'neg', path: '/pablo', dentry: { prefix: '/yeezy', dst: '/pablo' } };
  const named = await post('{"namespace":"tlop","path":"/yeezy"}');
  assert.deepEqual(JSON.parse(named.body), { type: 'delegate', path: '/yeezy', delegate: expected });
  assert.equal(JSON.parse((await post('{}')).body).path, '/query');
  assert.equal((await post('{"path":3}')).status, 400);
  assert.equal((await post('[')).status, 400);
  assert.equal((await post('path=/x', 'application/x-www-form-urlencoded')).status, 415);
});

test('a name that stays pending is answered with 503, and what fails says why', async t => {
  const { call, namer, clock } = await start(t);
  namer.tell('slow', PENDING);
  const timers = clock.timers;
  const asked = call('GET /api/1/bind/x?path=/%23/io.l5d.namer/slow');
  // The request has arrived when it has set its timer.
  while (clock.timers === timers) await new Promise(resolve => setImmediate(resolve));
  clock.advance(10_000);
  const late = await asked;
  assert.equal(late.status, 503);
  assert.match(late.body, /no answer within 10 s/);
  namer.tell('slow', failed(new NamerError('it broke', 'mend it')));
  const broken = await call('GET /api/1/bind/x?path=/%23/io.l5d.namer/slow');
  assert.deepEqual([broken.status, broken.body], [500, 'it broke\n']);
});

test('a watched name tells of changes, and a failure is its last line', async t => {
  const { url, namer } = await start(t);
  const lines = streamed(`${url}/api/1/addr/x?path=/%23/io.l5d.namer/foo&watch=true`);
  const type = async () =>
    JSON.parse((await lines.next()).value as string) as { type: string; addrs?: unknown[] };
  assert.deepEqual(await type(), { type: 'neg' });
  namer.bind('foo', plainReplica('10.0.0.1', 80, 1));
  assert.equal((await type()).addrs?.length, 1);
  namer.bind('foo');
  assert.equal((await type()).addrs?.length, 0);
  namer.tell('foo', failed(new NamerError('it broke', 'mend it')));
  assert.equal((await lines.next()).value, 'it broke');
  assert.equal((await lines.next()).done, true);
});

test('bound names are listed, an empty list is empty', async t => {
  const { call, namer } = await start(t);
  assert.equal((await call('GET /api/1/bound-names')).body, '[]\n');
  namer.bind('foo');
  assert.equal((await call('GET /api/1/bound-names')).body, '["/#/io.l5d.namer/foo"]\n');
});

test('bindings with dentries of their own are not kept: as many as clients like to ask for', async t => {
  const { call, namer, clock } = await start(t);
  namer.bind('a', plainReplica('10.0.0.1', 80, 1));
  const before = clock.timers;
  for (const kind of ['bind', 'resolve', 'delegate'])
    for (let i = 0; i < 5; i++) {
      const dtab = escaped(`/x${i} => /#/io.l5d.namer/a`);
      const { status, body } = await call(`GET /api/1/${kind}/tlop?path=/x${i}&dtab=${dtab}`);
      assert.equal(status, 200, body);
      assert.match(body, /10\.0\.0\.1|namer/);
    }
  assert.equal(clock.timers, before, 'nothing lingers');
  // Shared ones do, so this would show.
  await call('GET /api/1/bind/tlop?path=/%23/io.l5d.namer/a');
  assert.equal(clock.timers, before + 1);
});

test('a name that cannot be bound whatever happens is a mistake of the request', async t => {
  const { call } = await start(t);
  for (const kind of ['bind', 'resolve', 'addr']) {
    const unknown = await call(`GET /api/1/${kind}/tlop?path=/$/nope/x`);
    assert.deepEqual([unknown.status, unknown.body], [400, "unknown namer '/$/nope' for path: /$/nope/x\n"]);
    assert.equal((await call(`GET /api/1/${kind}/tlop?path=${'/a'.repeat(1200)}`)).status, 400);
  }
  const round = await call(`GET /api/1/bind/tlop?path=/a&dtab=${escaped('/a => /a')}`);
  assert.equal(round.status, 400, round.body);
});
