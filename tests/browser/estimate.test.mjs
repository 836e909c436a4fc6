// The estimate of the time that a task still takes. Without a browser; time-left.test.mjs tests what is shown.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Estimate, roughly } from "../../imperal/src/gateway/page/estimate.js";

const S = 1000;

/** The seconds that are left at `now` seconds, after reports of [seconds, percent]. */
function left(reports, now) {
  const estimate = new Estimate(0);
  for (const [at, percent] of reports) estimate.report(percent, at * S);
  const ms = estimate.left(now * S);
  return ms === null ? null : Math.round(ms / S);
}

test("an even task is estimated from its rate, and time since the last report counts", () => {
  assert.equal(left([[20, 20]], 20), 80);
  assert.equal(left([[20, 20]], 25), 75);
  assert.equal(
    left(
      [
        [10, 10],
        [20, 20],
        [30, 30],
      ],
      30,
    ),
    70,
  );
});

test("there is none before 5 percent, before 10 seconds, and at 100 percent", () => {
  assert.equal(left([], 60), null);
  assert.equal(left([[20, 4]], 20), null);
  assert.equal(left([[5, 50]], 5), null);
  assert.equal(left([[5, 50]], 10), 0, "from ten seconds on");
  assert.equal(left([[20, 100]], 20), null);
});

test("only the latest reports count, so that a task that slows down is noticed", () => {
  const fast = Array.from({ length: 50 }, (_, n) => [n + 1, n + 1]);
  const slow = Array.from({ length: 10 }, (_, n) => [60 + n * 10, 51 + n]);
  assert.ok(left([...fast, ...slow], 150) > 300);
});

test("there is none when reports stopped, and a task that begins anew is estimated anew", () => {
  assert.equal(
    left(
      [
        [10, 10],
        [20, 20],
      ],
      85,
    ),
    null,
  );
  assert.equal(
    left(
      [
        [10, 90],
        [20, 10],
        [30, 20],
      ],
      30,
    ),
    80,
  );
});

test("what is shown is rounded", () => {
  assert.deepEqual(
    [2, 43, 84, 1234].map((s) => roughly(s * S) / S),
    [5, 45, 90, 1260],
  );
});
