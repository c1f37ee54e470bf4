// A module in streams and back: the one that is shipped, and each kind of operand.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { join, part } from "../web/src/streams.js";

const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const END = 0x0b;

/** A section with fewer than 128 bytes. @param {number} id @param {number[]} content */
const section = (id, content) => [id, content.length, ...content];
/** A module with these bodies, behind and before other sections. @param {number[][]} bodies */
const module = (...bodies) => Uint8Array.from([
  ...PREAMBLE,
  ...section(1, [1, 0x60, 0, 0]),
  ...section(10, [bodies.length, ...bodies.flatMap((body) => [body.length, ...body])]),
  ...section(11, [1, 1, 3, END, END, END]),
]);

/** @param {Uint8Array} whole @param {string} what */
function returns(whole, what) {
  assert.deepEqual(Buffer.from(join(part(whole))), Buffer.from(whole), what);
}

test("the module that is shipped comes back byte by byte; how soon is printed", async (t) => {
  const whole = await readFile(new URL("../../target/wasm/package/backstop_bg.wasm", import.meta.url));
  const parted = part(whole);
  assert.ok(parted.length < whole.length + 100);
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now();
    assert.ok(whole.equals(join(parted)));
    return performance.now() - start;
  });
  t.diagnostic(`joined: ${times.map((time) => time.toFixed(0)).join(", ")} ms`);
});

test("every kind of operand comes back, and what stands behind it", () => {
  const kinds = {
    "nothing": [0x01, 0x6a, 0xa7],
    "blocks": [0x02, 0x40, 0x03, 0x7f, 0x04, 0x81, 0x00, 0x05, END, END, END],
    "branches": [0x0c, 0x00, 0x0d, 0x80, 0x01],
    "a table of branches": [0x0e, 0x02, 0x00, 0x81, 0x01, 0x02],
    "a table of the one branch": [0x0e, 0x00, 0x03],
    "calls": [0x10, 0xe5, 0x8e, 0x26, 0x11, 0x05, 0x00],
    "locals": [0x20, 0x00, 0x21, 0x80, 0x01, 0x22, 0x02],
    "globals": [0x23, 0x00, 0x24, 0x01],
    "tables": [0x25, 0x00, 0x26, 0x01],
    "memory": [0x28, 0x02, 0x90, 0x80, 0x40, 0x3e, 0x00, 0x00, 0x3f, 0x00, 0x40, 0x00],
    "i32": [0x41, 0x7f, 0x41, 0x80, 0x80, 0x80, 0x80, 0x78],
    "i64": [0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f],
    "f32": [0x43, 0x0b, 0x80, 0xff, 0x0b],
    "f64": [0x44, 0x0b, 0x80, 0xff, 0x0b, 0x0b, 0x80, 0xff, 0x0b],
    "references": [0xd0, 0x70, 0xd1, 0xd2, 0x85, 0x01],
    "conversions": [0xfc, 0x00, 0xfc, 0x07],
    "bulks of memory": [0xfc, 0x08, 0x01, 0x00, 0xfc, 0x09, 0x01, 0xfc, 0x0a, 0x00, 0x00, 0xfc, 0x0b, 0x00],
    "bulks of tables": [0xfc, 0x0c, 0x01, 0x00, 0xfc, 0x0d, 0x01, 0xfc, 0x0e, 0x00, 0x01, 0xfc, 0x0f, 0x00, 0xfc, 0x10, 0x00, 0xfc, 0x11, 0x00],
    "numbers with more bytes than they need": [0x10, 0x85, 0x80, 0x80, 0x80, 0x00, 0xfc, 0x8b, 0x00, 0x00],
  };
  for (const [what, code] of Object.entries(kinds)) returns(module([0, ...code, 0x01, END]), what);
  returns(module(...Object.values(kinds).slice(0, 10).map((code) => [0, ...code, END])), "several functions");
  returns(module([2, 0x81, 0x00, 0x7f, 3, 0x7e, 0x20, 0x00, END]), "declarations of locals");
  returns(module(), "no function");
  returns(Uint8Array.from(PREAMBLE), "no section");
});

test("a function may be longer than its size says in one byte", () => {
  const body = [0, ...Array.from({ length: 300 }, () => 0x01), END];
  const code = [1, 0xae, 0x02, ...body];
  returns(Uint8Array.from([...PREAMBLE, 10, 0xb1, 0x02, ...code]), "a long one");
});

test("what the table does not know is refused by its name", () => {
  const refused = (/** @type {number[]} */ ...code) => () => part(module([0, ...code, END]));
  assert.throws(refused(0x06), new Error("what follows opcode 0x06 is not known"));
  assert.throws(refused(0xfd, 0x0c), new Error("what follows opcode 0xfd is not known"));
  assert.throws(refused(0xfc, 0x12), new Error("what follows opcode 0xfc 18 is not known"));
  assert.throws(refused(END), /^Error: the function before byte \d+ ends at \d+$/);
});
