import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { policyWorkerOf } from '../../../../node-proxy/workers/policy-workers.ts';

const pods = Array.from({ length: 300 }, (_, i) => ({
  id: `4:${4026531840 + i}`,
  namespace: `ns-${i % 7}`,
}));

describe('the policy worker of a pod', () => {
  it('is the shared one where there is one', () => {
    for (const pod of pods) assert.equal(policyWorkerOf(pod, { shared: 1, isolated: [] }), 'policy-0');
  });

  it('is one of several, always the same, and each has a fair part', () => {
    const counts = new Map<string, number>();
    for (const pod of pods) {
      const worker = policyWorkerOf(pod, { shared: 3, isolated: [] });
      assert.equal(policyWorkerOf({ ...pod }, { shared: 3, isolated: ['other'] }), worker);
      counts.set(worker, (counts.get(worker) ?? 0) + 1);
    }
    assert.deepEqual([...counts.keys()].sort(), ['policy-0', 'policy-1', 'policy-2']);
    for (const count of counts.values()) assert.ok(count > 60, `${count} of 300`);
  });

  it('is its namespace’s own for every pod of an isolated namespace and for no other', () => {
    const workers = { shared: 2, isolated: ['ns-3', '0'] };
    for (const pod of pods) {
      const own = policyWorkerOf(pod, workers) === 'policy/ns-3';
      assert.equal(own, pod.namespace === 'ns-3');
    }
    // A namespace may be called as a shared worker is numbered.
    assert.equal(policyWorkerOf({ id: '1:1', namespace: '0' }, workers), 'policy/0');
  });
});
