import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DENY_ALL } from '../../../../node-proxy/authorize/index.ts';
import { LocalPod } from '../../../../node-proxy/tunnel/index.ts';

function podWith(...ips: string[]): LocalPod {
  const who = { id: '1:2', workload: 'shop/web', namespace: 'shop', name: 'web', identity: '', ips };
  return new LocalPod(who, { id: '1:2', fd: -1, close: () => {} } as never, DENY_ALL);
}

it('a pod shows an address of the other end’s family, and never anybody else’s', () => {
  const both = podWith('10.0.0.1', 'fd00::1');
  assert.equal(both.addressTowards('10.9.9.9'), '10.0.0.1');
  assert.equal(both.addressTowards('fd00::9'), 'fd00::1');
  assert.equal(podWith('10.0.0.1').addressTowards('fd00::9'), '10.0.0.1');
  assert.equal(podWith().addressTowards('fd00::9'), '');
});
