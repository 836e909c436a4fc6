// Durations from seconds to days. Without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";

import { clock, durationWords, spanWords } from "../../imperal/src/gateway/page/format.js";

const [S, H] = [1000, 3_600_000];

test("a duration is read in the unit that fits it", () => {
  const times = [400, 12 * S, 185 * S, 3723 * S, 23 * H, 24 * H, 72 * H + 9 * S];
  assert.deepEqual(times.map(spanWords), ["0.4 s", "12 s", "3:05", "1:02:03", "23:00:00", "1 day 0 h", "3 days 0 h"]);
  assert.equal(clock(30 * H), "1 day 6 h");
  const limits = [30 * S, 3 * 60 * S, 5 * H, 48 * H, 720 * H];
  assert.deepEqual(limits.map(durationWords), ["30 seconds", "3 minutes", "5 hours", "2 days", "30 days"]);
});
