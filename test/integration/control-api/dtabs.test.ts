import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { dtabRoutes } from '../../../namerd/serve/control/dtabs.ts';
import { sampleStorage, serve, streamed } from './control-server.ts';

interface Vector {
  request?: string;
  if_match?: string;
  body_in?: string;
  content_type_in?: string;
  status: number;
  body?: string;
  content_type?: string;
  etag?: string;
  stored?: string;
  stream?: string[];
}

const VECTORS = (
  JSON.parse(readFileSync(new URL('../../vectors/dtab-sample.json', import.meta.url), 'utf8')) as {
    namerd_http: Vector[];
  }
).namerd_http.filter(({ request, stream }) => request?.includes(' /api/1/dtabs') && stream === undefined);

for (const vector of VECTORS)
  test(`Linkerd: ${vector.request} ${vector.content_type_in ?? ''} ${vector.if_match ?? ''}`, async t => {
    const storage = sampleStorage();
    const { call } = await serve(t, dtabRoutes(storage.dtabs));
    const headers: Record<string, string> = {};
    if (vector.content_type_in !== undefined) headers['content-type'] = vector.content_type_in;
    if (vector.if_match !== undefined) headers['if-match'] = vector.if_match;
    const options = vector.body_in === undefined ? { headers } : { headers, body: vector.body_in };
    const answer = await call(vector.request ?? '', options);
    assert.equal(answer.status, vector.status, answer.body);
    if (vector.body !== undefined) assert.equal(answer.body, vector.body);
    if (vector.etag !== undefined) assert.equal(answer.headers.get('etag'), vector.etag);
    if (vector.content_type !== undefined)
      assert.equal(answer.headers.get('content-type'), vector.content_type);
    const name = vector.request?.split('/').at(-1) ?? '';
    if (vector.stored !== undefined)
      assert.equal(
        storage.dtabs.documents.current.get(name)?.value.value.show,
        vector.stored.replaceAll(' ', ''),
      );
  });

test('a read, a change and a write need no second read', async t => {
  const { call } = await serve(t, dtabRoutes(sampleStorage().dtabs));
  const dtab = { 'content-type': 'application/dtab' };
  const read = await call('GET /api/1/dtabs/yeezus');
  const etag = read.headers.get('etag') ?? '';
  const written = await call('PUT /api/1/dtabs/yeezus', {
    headers: { ...dtab, 'if-match': `"${etag}"` },
    body: '/a=>/b',
  });
  assert.equal(written.status, 204);
  const next = written.headers.get('etag') ?? '';
  assert.notEqual(next, etag);
  const stale = await call('PUT /api/1/dtabs/yeezus', {
    headers: { ...dtab, 'if-match': etag },
    body: '/a=>/c',
  });
  assert.equal(stale.status, 412);
  assert.match(stale.body, /changed by somebody else/);
  const list = await call('PUT /api/1/dtabs/yeezus', {
    headers: { ...dtab, 'if-match': `"x", ${next}` },
    body: '/a=>/d',
  });
  assert.equal(list.status, 204);
  assert.equal((await call('GET /api/1/dtabs/yeezus')).headers.get('etag'), list.headers.get('etag'));
});

test('conditions: *, weak tags, create only, conditional delete, not modified', async t => {
  const { call } = await serve(t, dtabRoutes(sampleStorage().dtabs));
  const put = (name: string, headers: Record<string, string>) =>
    call(`PUT /api/1/dtabs/${name}`, {
      headers: { 'content-type': 'text/plain', ...headers },
      body: '/a=>/b',
    });
  const status = async (answer: Promise<{ status: number }>) => (await answer).status;
  const first = 'AAAAAAAAAAE=';
  assert.equal(await status(put('yeezus', { 'if-match': `W/"${first}"` })), 412);
  assert.equal(await status(put('none', { 'if-match': '*' })), 404);
  assert.equal(await status(put('yeezus', { 'if-match': '*' })), 204);
  assert.equal(await status(put('yeezus', { 'if-none-match': '*' })), 412);
  assert.equal(await status(put('fresh', { 'if-none-match': '*' })), 204);
  assert.equal(await status(put('fresh', { 'if-none-match': 'x' })), 400);
  assert.equal(await status(put('upsert', {})), 204);
  const notModified = await call('GET /api/1/dtabs/tlop', { headers: { 'if-none-match': `W/"${first}"` } });
  assert.deepEqual([notModified.status, notModified.body, notModified.headers.get('etag')], [304, '', first]);
  const remove = (name: string, tag: string) =>
    status(call(`DELETE /api/1/dtabs/${name}`, { headers: { 'if-match': tag } }));
  assert.equal(await remove('tlop', 'x'), 412);
  assert.equal(await remove('tlop', first), 204);
  assert.equal(await remove('tlop', first), 404);
  assert.equal(await status(call('DELETE /api/1/dtabs/fresh')), 204);
});

test('representations are negotiated', async t => {
  const { call } = await serve(t, dtabRoutes(sampleStorage().dtabs));
  const get = async (accept: string) => {
    const { status, headers, body } = await call('GET /api/1/dtabs/yeezus', { headers: { accept } });
    return [status, headers.get('content-type'), body];
  };
  const json = [200, 'application/json', '[{"prefix":"/yeezy","dst":"/yeezus"}]\n'];
  assert.deepEqual(await get('*/*'), json);
  assert.deepEqual(await get('text/html, */*;q=0.1'), json);
  assert.deepEqual(await get('application/dtab;q=0.2, application/json;q=0.9'), json);
  assert.deepEqual(await get('application/dtab, application/json'), [
    200,
    'application/dtab',
    '/yeezy=>/yeezus\n',
  ]);
  assert.deepEqual(await get('text/*'), [200, 'text/plain', '/yeezy=>/yeezus\n']);
  assert.equal((await get('text/html'))[0], 406);
});

test('bad requests say what is wrong', async t => {
  const storage = sampleStorage();
  const { call } = await serve(t, dtabRoutes(storage.dtabs));
  const before = storage.dtabs.documents.current;
  const put = (body: string, type?: string, name = 'x') =>
    call(`PUT /api/1/dtabs/${name}`, { headers: type === undefined ? {} : { 'content-type': type }, body });
  const cases: [Promise<{ status: number; body: string }>, number, RegExp][] = [
    [put('/a=>/b', 'application/yaml'), 400, /Content-Type must be one of application\/json, /],
    [put('/a=>', 'application/dtab'), 400, /expected but end of input found at '\/a=>\[\]'/],
    [put('[', 'application/json'), 400, /not JSON/],
    [put('{}', 'application/json'), 400, /JSON array/],
    [put('[{"prefix":"/a"}]', 'application/json'), 400, /dentry 0: exactly the fields/],
    [put('[{"prefix":"/a","dst":"b"}]', 'application/json'), 400, /dentry 0: .*found at '\[b\]'/],
    [put('[null]', 'application/json'), 400, /dentry 0/],
    [put('/a=>/b', 'text/plain', 'a.b'), 400, /no dtab namespace/],
    [put('/a=>/b', 'text/plain', '%2e%2e%2fx'), 400, /no dtab namespace/],
    [put('/a=>/b', 'text/plain', '%ff'), 400, /percent-encoded/],
    [call('GET /api/1/dtabs/none'), 404, /'none' does not exist/],
    [call('GET /api/1/dtabs?watch=perhaps'), 400, /watch=perhaps/],
    [call('POST /api/1/dtabs'), 405, /GET, HEAD/],
    [call('PATCH /api/1/dtabs/tlop'), 405, /DELETE, GET, HEAD, POST, PUT/],
    [
      call('POST /api/1/dtabs/tlop', { headers: { 'content-type': 'text/plain' }, body: '' }),
      409,
      /exists already/,
    ],
  ];
  for (const [answer, status, message] of cases) {
    const { status: got, body } = await answer;
    assert.equal(got, status, body);
    assert.match(body, message);
    assert.ok(body.endsWith('\n'));
  }
  const json = await call('GET /api/1/dtabs/none', { headers: { accept: 'application/json' } });
  assert.equal(JSON.parse(json.body).code, 'NM_STORE_NOT_FOUND');
  assert.equal((await call('POST /api/1/dtabs')).headers.get('allow'), 'GET, HEAD');
  assert.equal(storage.dtabs.documents.current, before);
});

test('the streamed list is sorted and tells of every change', async t => {
  const storage = sampleStorage();
  const { url, call } = await serve(t, dtabRoutes(storage.dtabs));
  const lines = streamed(`${url}/api/1/dtabs?watch=true`);
  assert.equal((await lines.next()).value, '["tlop","yeezus"]');
  await call('PUT /api/1/dtabs/graduation', { headers: { 'content-type': 'text/plain' }, body: '/a=>/b' });
  assert.equal((await lines.next()).value, '["graduation","tlop","yeezus"]');
  await call('PUT /api/1/dtabs/graduation', { headers: { 'content-type': 'text/plain' }, body: '/a=>/c' });
  await call('DELETE /api/1/dtabs/tlop');
  assert.equal((await lines.next()).value, '["graduation","yeezus"]');
  await lines.return(undefined);
});

test('a watched dtab is waited for, tells of changes only, and its deletion is a line', async t => {
  const { url, call } = await serve(t, dtabRoutes(sampleStorage().dtabs));
  const lines = streamed(`${url}/api/1/dtabs/x?watch=1`);
  const text = streamed(`${url}/api/1/dtabs/x?watch=1`, { accept: 'text/plain' });
  const put = (body: string) =>
    call('PUT /api/1/dtabs/x', { headers: { 'content-type': 'text/plain' }, body });
  const first = lines.next();
  const firstText = text.next();
  await put('/a=>/b');
  assert.equal((await first).value, '[{"prefix":"/a","dst":"/b"}]');
  assert.equal((await firstText).value, '/a=>/b');
  await put('/a => /b # the same');
  await put('/a=>/c');
  assert.equal((await lines.next()).value, '[{"prefix":"/a","dst":"/c"}]');
  await call('DELETE /api/1/dtabs/x');
  assert.equal((await lines.next()).value, 'null');
  assert.equal((await text.next()).value, '/a=>/c');
  assert.equal((await text.next()).value, '# deleted');
  await lines.return(undefined);
  await text.return(undefined);
});
