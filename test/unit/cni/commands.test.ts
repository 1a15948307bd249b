import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CniError } from '../../../cni-plugin/cni-error.ts';
import { execute } from '../../../cni-plugin/commands.ts';
import type { Command, Environment } from '../../../cni-plugin/environment.ts';
import { type Answering, NodeSocket } from './node-socket.ts';

const prevResult = {
  cniVersion: '1.1.0',
  interfaces: [{ name: 'eth0', sandbox: '/run/netns/x' }],
  ips: [{ address: '10.0.0.2/24', interface: 0 }],
  dns: { extra: ['kept'] },
};

function environment(command: Command, podNamespace = 'shop'): Environment {
  return {
    command,
    containerId: 'c1',
    netns: '/run/netns/x',
    ifName: 'eth0',
    podName: 'web-0',
    podNamespace,
  };
}

function run(command: Command, config: Record<string, unknown>, podNamespace?: string, notes: string[] = []) {
  const text = JSON.stringify({ cniVersion: '1.1.0', name: 'pods', type: 'nodemesh', prevResult, ...config });
  return execute(environment(command, podNamespace), text, note => notes.push(note));
}

function cniError(code: number, message: RegExp, details = /./) {
  return (error: CniError) => {
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.match(error.details, details);
    return true;
  };
}

const refusal = {
  code: 'NM_NO_IDENTITY',
  message: 'no certificate for shop/web',
  by: 'mesh',
  next: 'Ask namerd.',
};

describe('ADD', () => {
  test('tells the proxy all it knows, and passes the result on unchanged', async () => {
    await using node = await NodeSocket.open();
    assert.deepEqual(
      await run('ADD', { socket: node.path, args: { cni: { labels: [{ key: 'a', value: 'b' }] } } }),
      prevResult,
    );
    assert.deepEqual(node.asked, [
      {
        method: 'POST',
        path: '/v1/pods/add',
        body: {
          containerId: 'c1',
          ifName: 'eth0',
          netns: '/run/netns/x',
          podName: 'web-0',
          podNamespace: 'shop',
          ips: ['10.0.0.2'],
          labels: { a: 'b' },
        },
      },
    ]);
  });

  test('a pod that is none of ours is fine', async () => {
    await using node = await NodeSocket.open();
    node.answers['/v1/pods/add'] = () => ({ body: { enrolled: false, reason: 'not labelled' } });
    assert.deepEqual(await run('ADD', { socket: node.path }), prevResult);
  });

  test('excluded namespaces pass without asking, even if nobody is there to ask', async () => {
    const config = { socket: '/nonexistent/node.sock', excludedNamespaces: ['infra'] };
    assert.deepEqual(await run('ADD', config, 'infra'), prevResult);
    assert.deepEqual(await run('ADD', { socket: '/nonexistent/node.sock' }, 'kube-system'), prevResult);
    await assert.rejects(run('ADD', config, 'kube-system'), cniError(11, /ENOENT/));
  });

  for (const [what, answer, code, message, details] of [
    [
      'a refusal',
      { status: 409, body: refusal },
      100,
      /^no certificate for shop\/web$/,
      /^NM_NO_IDENTITY: Ask namerd\.$/,
    ],
    ['not yet', { status: 503, body: refusal }, 11, /no certificate/, /Ask namerd/],
    ['a pod that is gone', { status: 409, body: { ...refusal, code: 'NM_CAPTURE_NETNS' } }, 3, /./, /./],
    [
      'a refusal without reason',
      { status: 500, body: '' },
      100,
      /status 500 without a reason/,
      /log of node-proxy/,
    ],
    ['an answer that says nothing', { body: {} }, 100, /does not say whether/, /log of node-proxy/],
    ['an answer that is no JSON', { body: 'hello' }, 11, /no JSON object/, /socket of node-proxy\?/],
    ['an endless answer', { body: 'x'.repeat(2 << 20) }, 11, /too long/, /socket of node-proxy\?/],
    ['a broken connection', 'reset', 11, /socket hang up/, /restarting/],
    ['silence', 'hang', 11, /no answer within 50 ms/, /what it is waiting for/],
  ] as const)
    test(`${what} is an error with code ${code}`, async () => {
      await using node = await NodeSocket.open();
      node.answers['/v1/pods/add'] = (() => answer) as Answering;
      const timeoutSeconds = answer === 'hang' ? 0.05 : 10;
      await assert.rejects(
        run('ADD', { socket: node.path, timeoutSeconds }),
        cniError(code, message, details),
      );
    });

  test('first in the list it refuses', async () => {
    await assert.rejects(
      run('ADD', { prevResult: undefined }),
      cniError(7, /prevResult/, /last in the list/),
    );
  });
});

describe('DEL', () => {
  test('tells the proxy, prints nothing', async () => {
    await using node = await NodeSocket.open();
    assert.equal(await run('DEL', { socket: node.path, prevResult: undefined }), undefined);
    assert.deepEqual(node.asked[0]?.path, '/v1/pods/delete');
  });

  for (const answer of ['reset', 'hang', { status: 500, body: refusal }] as const)
    test(`succeeds with a note when the proxy's answer is ${JSON.stringify(answer)}`, async () => {
      await using node = await NodeSocket.open();
      node.answers['/v1/pods/delete'] = (() => answer) as Answering;
      const notes: string[] = [];
      await run('DEL', { socket: node.path, timeoutSeconds: answer === 'hang' ? 0.05 : 10 }, 'shop', notes);
      assert.equal(notes.length, 1);
    });

  test('succeeds when the proxy is gone', async () => {
    const notes: string[] = [];
    await run('DEL', { socket: '/nonexistent/node.sock' }, 'shop', notes);
    assert.match(notes.join(), /NM_NODE_UNREACHABLE/);
    await run('DEL', { socket: '/nonexistent/node.sock' }, 'kube-system', notes);
    assert.equal(notes.length, 1);
  });
});

describe('the other verbs', () => {
  test('CHECK asks about the same pod as ADD', async () => {
    await using node = await NodeSocket.open();
    await run('ADD', { socket: node.path });
    assert.equal(await run('CHECK', { socket: node.path }), undefined);
    assert.deepEqual(node.asked[1], { ...node.asked[0], path: '/v1/pods/check' });
    node.answers['/v1/pods/check'] = () => ({ status: 409, body: { ...refusal, message: 'chain missing' } });
    await assert.rejects(run('CHECK', { socket: node.path }), cniError(100, /chain missing/));
  });

  test('GC names what is alive', async () => {
    await using node = await NodeSocket.open();
    await run('GC', {
      socket: node.path,
      'cni.dev/valid-attachments': [{ containerID: 'a', ifname: 'eth0' }],
    });
    assert.deepEqual(node.asked[0]?.body, { valid: [{ containerId: 'a', ifName: 'eth0' }] });
  });

  test('STATUS tells ready, not ready and not there apart', async () => {
    await using node = await NodeSocket.open();
    assert.equal(await run('STATUS', { socket: node.path }), undefined);
    node.answers['/v1/status'] = () => ({
      body: { ready: false, blockers: ['no certificate', 'no snapshot'] },
    });
    await assert.rejects(
      run('STATUS', { socket: node.path }),
      cniError(50, /no certificate; no snapshot/, /^$/),
    );
    await assert.rejects(run('STATUS', { socket: '/nonexistent/x' }), cniError(51, /ENOENT/));
  });

  test('VERSION needs no configuration', async () => {
    const supportedVersions = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'];
    for (const [text, cniVersion] of [
      ['{"cniVersion":"0.4.0"}', '0.4.0'],
      ['{"cniVersion":"9.9.9"}', '1.1.0'],
      ['', '1.1.0'],
    ] as const)
      assert.deepEqual(await execute(environment('VERSION'), text, () => {}), {
        cniVersion,
        supportedVersions,
      });
  });

  test('verbs are refused in versions that do not have them', async () => {
    for (const [command, cniVersion] of [
      ['CHECK', '0.3.1'],
      ['GC', '1.0.0'],
      ['STATUS', '1.0.0'],
    ] as const)
      await assert.rejects(
        run(command, { cniVersion }),
        cniError(1, new RegExp(`${command} exists since`), /^$/),
      );
  });
});
