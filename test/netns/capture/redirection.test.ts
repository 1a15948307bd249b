import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { Capture, captureRules, iptablesOf, PROXY_MARK } from '#capture';
import { netnsUnavailable, type TestNetns } from '../../lib/netns.ts';
import {
  APP_PORT,
  answerOf,
  type CapturedPod,
  capturedPod,
  echo,
  FOREIGN,
  NODE,
  POD,
} from './captured-pod.ts';

const DIRECT_PORT = 9000;

for (const flavour of ['nft', 'legacy'] as const)
  describe(`capture by ${flavour} iptables`, { skip: netnsUnavailable() }, () => {
    const capture = new Capture(iptablesOf(flavour));
    const rules = captureRules({
      probeSources: [NODE[4], NODE[6]],
      excludedInboundPorts: [{ from: DIRECT_PORT, to: DIRECT_PORT + 10 }],
      excludedOutboundPorts: [{ from: DIRECT_PORT, to: DIRECT_PORT }],
      excludedOutboundCidrs: [`${NODE[4]}/32`, `${NODE[6]}/128`],
    });
    let net: CapturedPod;
    before(async () => {
      net = await capturedPod();
      for (const ns of [net.pod, net.foreign])
        for (const ip of ['0.0.0.0', '::'])
          await ns.listen(ip, DIRECT_PORT, socket => socket.end(`direct ${socket.remoteAddress}`));
      const start = performance.now();
      const applied = await capture.apply(net.pod.path, rules);
      assert.deepEqual(applied, { changed: true, ipv6: 'on' });
      console.log(`# apply to a new pod: ${(performance.now() - start).toFixed(1)} ms`);
    });
    after(() => net[Symbol.asyncDispose]());

    for (const family of [4, 6] as const) {
      test(`IPv${family}: what the pod calls comes to the proxy, the destination is known`, async () => {
        const wanted = { ip: FOREIGN[family], port: APP_PORT };
        net.arrivals.length = 0;
        assert.equal(await answerOf(net.pod.connect(wanted.ip, wanted.port)), 'outbound');
        assert.deepEqual(net.arrivals, [{ at: 'outbound', from: POD[family], wanted }]);
      });

      test(`IPv${family}: an address where nobody is comes to the proxy as well`, async () => {
        const wanted = { ip: family === 4 ? '192.0.2.1' : '2001:db8::1', port: 80 };
        net.arrivals.length = 0;
        assert.equal(await answerOf(net.pod.connect(wanted.ip, wanted.port)), 'outbound');
        assert.deepEqual(net.arrivals[0]?.wanted, wanted);
      });

      test(`IPv${family}: who calls the pod comes to the proxy`, async () => {
        net.arrivals.length = 0;
        assert.equal(await answerOf(net.foreign.connect(POD[family], APP_PORT)), 'inbound');
        const wanted = { ip: POD[family], port: APP_PORT };
        assert.deepEqual(net.arrivals, [{ at: 'inbound', from: FOREIGN[family], wanted }]);
      });

      test(`IPv${family}: the proxy's own ports are reached as what they are`, async () => {
        net.arrivals.length = 0;
        assert.equal(await answerOf(net.foreign.connect(POD[family], 15008)), 'tunnel');
        // From outside there is no way to 15001 or 15006 but through 15006, which sees the wanted port.
        for (const port of [15001, 15006]) {
          assert.equal(await answerOf(net.foreign.connect(POD[family], port)), 'inbound');
          assert.deepEqual(net.arrivals.at(-1)?.wanted, { ip: POD[family], port });
        }
      });

      test(`IPv${family}: the proxy's sockets pass outwards`, async () => {
        const answer = await answerOf(net.pod.connect(FOREIGN[family], APP_PORT, { mark: PROXY_MARK }));
        assert.equal(answer, `foreign ${POD[family]}`);
      });

      test(`IPv${family}: the application sees the caller's address, and its answers come back`, async () => {
        const source = { ip: FOREIGN[family], transparent: true };
        const socket = await net.pod.connect(POD[family], APP_PORT, { mark: PROXY_MARK, source });
        const [greeting] = await once(socket, 'data');
        assert.equal(String(greeting), `pod ${FOREIGN[family]}`);
        for (const text of ['one', 'two']) assert.equal(await echo(socket, text), text);
        socket.end();
        await once(socket, 'end');
      });

      test(`IPv${family}: probes from the node reach the application itself`, async () => {
        assert.equal(await answerOf(net.node.connect(POD[family], APP_PORT)), `pod ${NODE[family]}`);
      });

      test(`IPv${family}: a pod that calls itself is left alone`, async () => {
        assert.match(await answerOf(net.pod.connect(POD[family], APP_PORT)), /^pod /);
        assert.match(await answerOf(net.pod.connect(family === 4 ? '127.0.0.1' : '::1', APP_PORT)), /^pod /);
      });

      test(`IPv${family}: excluded ports and blocks are left alone`, async () => {
        assert.equal(
          await answerOf(net.foreign.connect(POD[family], DIRECT_PORT)),
          `direct ${FOREIGN[family]}`,
        );
        assert.equal(await answerOf(net.pod.connect(FOREIGN[family], DIRECT_PORT)), `direct ${POD[family]}`);
        assert.equal(await answerOf(net.pod.connect(NODE[family], APP_PORT)), `node ${POD[family]}`);
      });
    }

    test('UDP is left alone', async () => {
      const node = (ns: TestNetns, script: string, ip: string) =>
        ns.spawn(process.execPath, ['-e', script, ip], { stdio: ['ignore', 'pipe', 'inherit'] });
      const server = node(net.foreign, ECHO_SERVER, FOREIGN[4]);
      await once(server.stdout!, 'data');
      const client = node(net.pod, ECHO_CLIENT, FOREIGN[4]);
      const [answer] = await once(client.stdout!, 'data');
      assert.equal(String(answer).trim(), `ping from ${POD[4]}`);
    });
  });

const ECHO_SERVER = `
  const socket = require('dgram').createSocket('udp4');
  socket.on('message', (text, { port, address }) => socket.send(text + ' from ' + address, port, address));
  socket.bind(5353, process.argv[1], () => console.log('ready'));`;

const ECHO_CLIENT = `
  const socket = require('dgram').createSocket('udp4');
  socket.on('message', text => { console.log(String(text)); socket.close(); });
  socket.send('ping', 5353, process.argv[1]);`;
