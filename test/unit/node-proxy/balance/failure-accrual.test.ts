import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FailureAccrual, PeakEwma } from '../../../../node-proxy/balance/index.ts';

describe('failure accrual', () => {
  const ejected = () => {
    const accrual = new FailureAccrual(() => 0.5);
    for (let i = 0; i < 5; i++) accrual.failed(0);
    return accrual;
  };

  it('counts only consecutive failures', () => {
    const accrual = new FailureAccrual();
    for (let i = 0; i < 4; i++) accrual.failed(0);
    accrual.succeeded();
    for (let i = 0; i < 4; i++) accrual.failed(0);
    assert.equal(accrual.state, 'healthy');
    assert.equal(accrual.failed(0), true);
    assert.equal(accrual.state, 'ejected');
  });

  it('lets one probe through when the back-off is over, and nothing else meanwhile', () => {
    const accrual = ejected();
    assert.equal(accrual.available(3_749), false);
    assert.equal(accrual.available(3_750), true);
    accrual.trying(3_750);
    assert.equal(accrual.state, 'probing');
    assert.equal(accrual.available(3_750), false);
  });

  it('waits longer after a failed probe', () => {
    const accrual = ejected();
    accrual.trying(3_750);
    accrual.failed(3_750);
    assert.equal(accrual.available(3_750 + 7_499), false);
    assert.equal(accrual.available(3_750 + 7_500), true);
  });

  it('is healthy after a good probe', () => {
    const accrual = ejected();
    accrual.trying(3_750);
    accrual.succeeded();
    assert.equal(accrual.state, 'healthy');
  });

  it('probes again when a probe was given up', () => {
    const accrual = ejected();
    accrual.trying(3_750);
    accrual.abandoned(4_000);
    assert.equal(accrual.available(4_000), true);
  });
});

describe('peak EWMA', () => {
  it('rises at once and falls slowly', () => {
    const ewma = new PeakEwma(0, 10_000);
    ewma.observe(5, 0);
    ewma.observe(100, 1);
    assert.equal(ewma.at(1), 100);
    ewma.observe(5, 1_001);
    assert.ok(ewma.at(1_001) > 85 && ewma.at(1_001) < 100);
    assert.ok(ewma.at(60_000) < 1);
  });
});
