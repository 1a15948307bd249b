/** The two roles of a worker in the test's own thread and namespace: what each follows, asks for and refuses. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { DEFAULT_SERVICE_SETTINGS, type WorkloadHttp } from '#api';
import { dupFd, listenIn, openNetns } from '../../../node-proxy/kernel/index.ts';
import { DEFAULT_LIMITS, type HandedConnection, sideOf } from '../../../node-proxy/tunnel/index.ts';
import type { FromWorker, PodSpec, WorkerStart } from '../../../node-proxy/workers/messages.ts';
import { PolicyWorker } from '../../../node-proxy/workers/policy-worker.ts';
import { TunnelWorker } from '../../../node-proxy/workers/tunnel-worker.ts';
import { FakeClock } from '../../lib/fake-clock.ts';

const netns = openNetns('/proc/self/ns/net');
const START: WorkerStart = {
  worker: 'w',
  node: 'n',
  limits: DEFAULT_LIMITS,
  whenUnresolved: 'refuse',
  accessLog: 'off',
  trust: { trustDomain: 'mesh.test', roots: [] },
  policyWorkers: { shared: 1, isolated: ['alone'] },
};
const ANY_HTTP: WorkloadHttp = { ports: {}, forwardClientIdentity: false, concurrentRequests: 0 };
const SERVICE = '10.96.0.1:80';

const podSpec = (name: string, more: Partial<PodSpec> = {}): PodSpec => ({
  who: {
    id: netns.id,
    workload: `shop/${name}`,
    namespace: 'shop',
    name,
    identity: `spiffe://mesh.test/ns/shop/sa/${name}`,
    ips: ['10.0.0.1'],
  },
  netnsFd: netns.fd,
  rules: undefined,
  ...more,
});

after(() => netns.close());

describe('a policy worker', () => {
  let server: Server;
  let worker: PolicyWorker;
  let clock: FakeClock;
  let sent: FromWorker[];
  /** What the main thread has said, and the worker's thread has not read yet. */
  let unread: (() => void)[];
  let names: { resolve(key: string): Promise<{ text: string } | undefined> };
  const clients: Socket[] = [];
  let accepted: (fd: number) => void = () => {};

  before(async () => {
    server = createServer({ pauseOnConnect: true }, socket => {
      const fd = dupFd((socket as unknown as { _handle: { fd: number } })._handle.fd);
      socket.destroy();
      accepted(fd);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  beforeEach(() => {
    clock = new FakeClock();
    clock.advance(1);
    [sent, unread] = [[], []];
    worker = new PolicyWorker({
      start: START,
      send: message => sent.push(message),
      clock,
      random: Math.random,
      catchUp: () => {
        for (const say of unread.splice(0)) say();
      },
      http: (_, open) => {
        names = open({ compile: ({ state }) => ({ text: state }), release: () => {}, limit: 1 });
        return {
          outbound: call => {
            const side = sideOf(call.open());
            const onData = (chunk: Buffer) => side.write(Buffer.from(`${call.pod.who.name} ${chunk}`));
            side.start({ onData, onEnd: () => {}, onDrain: () => {}, onClosed: () => {} });
          },
          inbound: () => {},
          sweep: () => sent.push({ type: 'problem', about: 'sweep', message: '' }),
          close: () => {},
        };
      },
    });
  });

  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy();
    worker.close();
  });

  after(() => server.close());

  const from = (pod: string): HandedConnection => ({
    door: 'outbound',
    pod,
    source: { ip: '10.0.0.1', port: 1 },
    original: { ip: '10.96.0.1', port: 80 },
  });

  /** A client whose connection the worker takes. */
  async function handed(pod = netns.id): Promise<Socket> {
    const taken = new Promise<void>(resolve => {
      accepted = fd => {
        worker.take(fd, from(pod));
        resolve();
      };
    });
    const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
    clients.push(socket);
    await taken;
    return socket;
  }

  function bindService(): void {
    worker.handle({
      type: 'binding',
      kind: 'address',
      key: SERVICE,
      state: {
        target: 'service',
        namespace: 'shop',
        service: 'web',
        port: 'http',
        name: '/svc/shop/web/http',
        appProtocol: '',
        bound: { state: 'bound', tree: { type: 'neg' } },
        http: { protocol: 'http', consumers: {}, settings: DEFAULT_SERVICE_SETTINGS },
      },
    });
  }

  async function ask(socket: Socket, text: string): Promise<string> {
    socket.write(text);
    return String((await once(socket, 'data'))[0]);
  }

  async function resets(socket: Socket): Promise<void> {
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNRESET');
  }

  it('says that it has started, and has doors for nobody yet', () => {
    assert.equal(sent[0]?.type, 'started');
    worker.handle({ type: 'pods', pods: [podSpec('a')] });
    assert.deepEqual(worker.core.report(true).pods, []);
  });

  it('takes connections, asking for bindings of its own', async () => {
    worker.handle({ type: 'pods', pods: [podSpec('a')] });
    const socket = await handed();
    assert.ok(sent.some(message => message.type === 'watch' && message.key === SERVICE));
    bindService();
    assert.equal(await ask(socket, 'hello'), 'a hello');
    assert.deepEqual(
      worker.core.report(false).pods.map(({ workload }) => workload),
      ['shop/a'],
    );
  });

  it('first hears what was said of the pod before its connection came', async () => {
    unread.push(() => worker.handle({ type: 'pods', pods: [podSpec('a')] }));
    const socket = await handed();
    bindService();
    assert.equal(await ask(socket, 'hello'), 'a hello');
  });

  it('resets connections of pods that nobody has heard of', async () => {
    await resets(await handed('1:1'));
  });

  it('ends what waits for a pod that is announced no more', async () => {
    worker.handle({ type: 'pods', pods: [podSpec('a')] });
    const waits = await handed();
    const end = resets(waits);
    worker.handle({ type: 'pods', pods: [] });
    bindService();
    await end;
    assert.deepEqual(worker.core.report(false).pods, []);
  });

  it('serves a pod under its new identity with doors of its own', async () => {
    worker.handle({ type: 'pods', pods: [podSpec('a')] });
    const before = await handed();
    bindService();
    assert.equal(await ask(before, 'hello'), 'a hello');
    worker.handle({ type: 'pods', pods: [podSpec('b')] });
    const socket = await handed();
    assert.equal(await ask(socket, 'hello'), 'b hello');
    assert.deepEqual(
      worker.core.report(false).pods.map(({ workload }) => workload),
      ['shop/b'],
    );
  });

  it('asks for names, keeps as many as their owner said, and lists them', async () => {
    const first = names.resolve('/svc/a');
    worker.handle({ type: 'binding', kind: 'name', key: '/svc/a', state: { state: 'failed', message: '' } });
    assert.deepEqual(await first, { text: 'failed' });
    const second = names.resolve('/svc/b');
    const tree = { type: 'neg' } as const;
    worker.handle({ type: 'binding', kind: 'name', key: '/svc/b', state: { state: 'bound', tree } });
    assert.deepEqual(await second, { text: 'bound' });
    assert.deepEqual(worker.core.report(true).names, ['/svc/b']);
    assert.deepEqual(
      sent.filter(({ type }) => type === 'watch' || type === 'unwatch'),
      [
        { type: 'watch', kind: 'name', key: '/svc/a' },
        { type: 'unwatch', kind: 'name', key: '/svc/a' },
        { type: 'watch', kind: 'name', key: '/svc/b' },
      ],
    );
  });

  it('has HTTP looked after every second, and says what it can not follow', () => {
    clock.advance(2_000);
    assert.equal(sent.filter(message => message.type === 'problem' && message.about === 'sweep').length, 2);
    worker.handle({ type: 'policy-gone', worker: 'policy-0' });
    assert.match(JSON.stringify(sent.at(-1)), /policy-gone/);
  });
});

describe('a tunnel worker', () => {
  let worker: TunnelWorker;
  let sent: FromWorker[];

  beforeEach(() => {
    sent = [];
    worker = new TunnelWorker({
      start: START,
      send: message => sent.push(message),
      clock: new FakeClock(),
      random: Math.random,
    });
  });

  afterEach(() => worker.close());

  const needs = () => sent.flatMap(message => (message.type === 'need-policy' ? [message.worker] : []));
  const listener = () => listenIn(undefined, { ip: '127.0.0.1', port: 0 }).fd;
  const serve = () =>
    worker.handle({
      type: 'serve',
      pod: netns.id,
      fds: { outbound: listener(), plain: listener(), hbone: listener() },
    });

  it('needs no policy worker for pods that ask for nothing', () => {
    worker.handle({ type: 'pods', pods: [podSpec('a')] });
    serve();
    assert.deepEqual(needs(), []);
    assert.ok(sent.some(({ type }) => type === 'serving'));
  });

  it('has one started as soon as a pod that it serves asks for HTTP', () => {
    worker.handle({ type: 'pods', pods: [podSpec('a')] });
    serve();
    worker.handle({ type: 'pods', pods: [podSpec('a', { http: ANY_HTTP })] });
    worker.handle({ type: 'pods', pods: [podSpec('a', { http: ANY_HTTP })] });
    assert.deepEqual(needs(), ['policy-0']);
  });

  it('has none started for pods that others serve', () => {
    worker.handle({ type: 'pods', pods: [podSpec('a', { http: ANY_HTTP })] });
    assert.deepEqual(needs(), []);
  });

  it('asks for the worker of the pod’s own namespace', () => {
    const { who, ...spec } = podSpec('a', { http: ANY_HTTP });
    worker.handle({ type: 'pods', pods: [{ ...spec, who: { ...who, namespace: 'alone' } }] });
    serve();
    assert.deepEqual(needs(), ['policy/alone']);
  });

  it('takes a port to a policy worker, and gives it up with the worker', async () => {
    const { port1, port2 } = new MessageChannel();
    worker.handle({ type: 'policy-port', worker: 'policy-0', port: port1 });
    const closed = once(port2, 'close');
    worker.handle({ type: 'policy-gone', worker: 'policy-0' });
    await closed;
  });
});
