// Fixes that are applied together.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fitting } from "../web/src/fixes.js";

/** @param {...[number, number, string]} edits @returns {any} */
const fix = (...edits) => ({ quick_fix: { edits: edits.map(([from, to, insert]) => ({ from, to, insert })) } });

test("fixes that touch each other are not mixed, and the same edit is made once", () => {
  const two = fitting([fix([0, 3, "x"], [4, 4, "y"]), fix([2, 4, "z"]), fix([4, 4, "y"])]);
  assert.deepEqual(two, { edits: [{ from: 0, to: 3, insert: "x" }, { from: 4, to: 4, insert: "y" }], count: 2 });
  assert.deepEqual(fitting([fix([1, 1, "a"]), fix([1, 1, "b"])]).count, 1);
});
