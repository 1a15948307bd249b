import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Replica } from '#api';
import { Endpoint } from '../../../../../../node-proxy/balance/index.ts';
import { Ways, wayTo } from '../../../../../../node-proxy/policy/outbound/upstream/ways.ts';
import type { Wire } from '../../../../../../node-proxy/policy/wire/wire.ts';
import type { LocalPod } from '../../../../../../node-proxy/tunnel/index.ts';

const REPLICA: Replica = {
  address: '10.0.0.1:80',
  workload: 'shop/w',
  node: 'n',
  identity: 'spiffe://mesh.test/ns/shop/sa/w',
  hbone: false,
  zone: '',
  weight: 1,
  terminating: false,
};

describe('ways to an endpoint', () => {
  const endpoint = new Endpoint(REPLICA, 0);
  const pod = (http: LocalPod['http']) => ({ http }) as LocalPod;
  const HTTP = { ports: {}, forwardClientIdentity: true, concurrentRequests: 0 };

  it('differ by what a peer is told, and to whom it is', () => {
    const ways = [wayTo(endpoint, undefined), wayTo(endpoint, pod(undefined)), wayTo(endpoint, pod(HTTP))];
    endpoint.update({ ...REPLICA, hbone: true });
    ways.push(wayTo(endpoint, undefined));
    endpoint.update({ ...REPLICA, hbone: true, identity: 'spiffe://mesh.test/ns/shop/sa/other' });
    ways.push(wayTo(endpoint, undefined));
    assert.equal(new Set(ways).size, 5);
    endpoint.update({ ...REPLICA, weight: 7, terminating: true });
    assert.equal(wayTo(endpoint, undefined), ways[0]);
  });

  it('retire what was made another way, until it is gone', () => {
    const ways = new Ways();
    const [plain, tunnelled, gone] = [{}, {}, {}] as [Wire, Wire, Wire];
    ways.made(plain, 'plaintext');
    ways.made(tunnelled, 'tunnel');
    ways.made(gone, 'plaintext');
    ways.gone(gone);
    ways.check('tunnel');
    assert.deepEqual([plain.retired, tunnelled.retired, gone.retired], [true, undefined, undefined]);
  });
});
