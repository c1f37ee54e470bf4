// The module that is shipped says what the program says: the same files, and the same
// JSON, byte by byte.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { allow, explain, kinds, lint, load, mask, render, rules, version } from "../../target/wasm/package/index.js";

/** @typedef {{ name: string, files: { path: string, text: string }[] }} Case */

const root = fileURLToPath(new URL("../../", import.meta.url));
const program = process.env.BACKSTOP_BIN ?? join(root, "target/debug/backstop");
/** @type {string} */
let folder;

before(async () => {
  assert.ok(existsSync(program), `no '${program}': build it with cargo build, or set BACKSTOP_BIN`);
  folder = await mkdtemp(join(tmpdir(), "backstop-web-"));
  await load();
});
after(() => rm(folder, { recursive: true, force: true }));

/** What the program prints of files. @param {Case} one @param {string} format @returns {Promise<string>} */
async function printed({ name, files }, format) {
  const here = join(folder, name);
  for (const { path, text } of files) {
    await mkdir(dirname(join(here, path)), { recursive: true });
    await writeFile(join(here, path), text);
  }
  const env = { PATH: process.env.PATH, HOME: folder };
  return new Promise((resolve, reject) => {
    execFile(program, ["lint", "--format", format], { cwd: here, env, maxBuffer: 1 << 26 }, (cause, out, said) => {
      if (cause && cause.code !== 1) reject(new Error(`${name}: ${said}`));
      else resolve(out.trimEnd());
    });
  });
}

/** The examples of every rule, those of the page, and what fuzzing keeps. @returns {Promise<Case[]>} */
async function cases() {
  /** @type {Case[]} */
  const all = [];
  for (const { id } of rules()) {
    const rule = explain(id);
    for (const [kind, groups] of [["bad", rule?.bad ?? []], ["good", rule?.good ?? []]]) {
      for (const [index, files] of /** @type {Case["files"][]} */ (groups).entries()) all.push({ name: `${id}-${kind}-${index}`, files });
    }
  }
  const examples = join(root, "wasm/web/src/examples");
  for (const { folder, files } of JSON.parse(await readFile(join(examples, "list.json"), "utf8"))) {
    const read = async (/** @type {string} */ path) => ({ path, text: await readFile(join(examples, folder, path), "utf8") });
    all.push({ name: `example-${folder}`, files: await Promise.all(files.map(read)) });
  }
  const endings = { shell: "sh", yaml: "yml", markdown: "md", sql: "sql", env: "env", crontab: "cron", systemd: "service", secrets: "txt" };
  for (const [target, ending] of Object.entries(endings)) {
    const corpus = join(root, "fuzz/corpus", target);
    const files = [];
    for (const name of (await readdir(corpus)).sort()) {
      const text = await readFile(join(corpus, name), "utf8");
      // What is no text, or not UTF-8, is no string of JavaScript either.
      if (!text.includes("\0") && !text.includes("\ufffd") && !text.startsWith("\ufeff")) files.push({ path: `${name.replace(/\W/g, "-")}.${ending}`, text });
    }
    all.push({ name: `corpus-${target}`, files });
  }
  return all;
}

/** Calls `run` for each, four at a time. @template T @param {T[]} all @param {(one: T) => Promise<void>} run */
async function each(all, run) {
  const rest = [...all];
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (let one = rest.pop(); one !== undefined; one = rest.pop()) await run(one);
  }));
}

test("the JSON is the program's, on every fixture", async () => {
  const all = await cases();
  assert.ok(all.length > 200, `${all.length} fixtures`);
  let findings = 0;
  await each(all, async (one) => {
    const expected = await printed(one, "json");
    assert.equal(render(one.files, "json").trimEnd(), expected, one.name);
    findings += lint(one.files).findings.length;
    assert.equal(lint(one.files).findings.length, JSON.parse(expected).findings.length, one.name);
  });
  assert.ok(findings > 500, `${findings} findings`);
});

test("every format is the program's", async () => {
  const all = (await cases()).filter(({ name }) => name.startsWith("example-"));
  await each(all, async (one) => {
    for (const format of /** @type {const} */ (["sarif", "markdown", "text"])) {
      const expected = await printed(one, format);
      assert.equal(render(one.files, format).trimEnd(), expected, `${one.name} as ${format}`);
    }
  });
});

test("places are those of JavaScript's strings", async () => {
  const text = "#!/bin/bash\n# Größe \u{1f512}\npg_dump shop | gzip > a.gz\n";
  const finding = lint([{ path: "b.sh", text }]).findings.find(({ rule }) => rule === "pipefail-missing");
  assert.ok(finding);
  assert.equal(text.slice(finding.from, finding.to), "pg_dump");
  const [edit] = finding.quick_fix?.edits ?? [];
  const mended = text.slice(0, edit.from) + edit.insert + text.slice(edit.to);
  assert.ok(!lint([{ path: "b.sh", text: mended }]).findings.some(({ rule }) => rule === "pipefail-missing"));
});

test("an allowance is an edit that allows", () => {
  const files = [{ path: "b.sh", text: "pg_dump shop | gzip > a.gz\n" }];
  const finding = lint(files).findings[0];
  const edit = allow(files, finding, "it is only a test");
  assert.ok(edit);
  const text = files[0].text.slice(0, edit.from) + edit.insert + files[0].text.slice(edit.to);
  assert.match(text, /backstop: allow \S+ -- it is only a test/);
  assert.equal(lint([{ path: "b.sh", text }]).suppressed, 1);
});

test("options, kinds and the configuration are heeded", () => {
  const text = "pg_dump shop | gzip > a.gz\n";
  const ids = (/** @type {import("../../target/wasm/package/index.js").File[]} */ files, /** @type {object} */ options = {}) =>
    new Set(lint(files, options).findings.map(({ rule }) => rule));
  assert.ok(ids([{ path: "b.sh", text }]).has("pipefail-missing"));
  assert.deepEqual([...ids([{ path: "b.sh", text }], { select: ["pipefail-missing"] })], ["pipefail-missing"]);
  assert.ok(!ids([{ path: "b.sh", text }], { ignore: ["dump"] }).has("pipefail-missing"));
  assert.ok(!ids([{ path: "b.sh", text }, { path: "backstop.yml", text: "lint: { ignore: [dump] }\n" }]).has("pipefail-missing"));
  assert.equal(lint([{ path: "notes", text, kind: "shell" }]).documents[0].kind, "shell");
  assert.ok(lint([{ path: "b.sh", text }], { minSeverity: "error" }).findings.every(({ severity }) => severity === "error"));
  assert.ok(kinds().includes("workflow"));
  assert.match(version(), /^\d+\.\d+\.\d+/);
});

test("what cannot be is an Error with a reason", () => {
  assert.throws(() => lint([{ path: "a", text: "" }, { path: "a", text: "" }]), new Error("two files are called 'a'"));
  assert.throws(() => lint([], { select: ["no-such-rule"] }), new Error("no rule and no group is called 'no-such-rule'"));
  assert.equal(explain("no-such-rule"), null);
  assert.equal(lint([]).findings.length, 0);
});

test("masked texts hold no secret", () => {
  const secret = ["Vq8s2m", "Kx71"].join("");
  for (const file of [
    { path: "a.env", text: `DATABASE_URL=postgresql://shop:${secret}@db.shop-internal.net/shop\n` },
    { path: "untitled", text: `db.shop-internal.net:5433:shop:app:${secret}\n`, kind: "pgpass" },
  ]) {
    const { text, lines } = mask(file);
    assert.equal(lines, 1);
    assert.ok(!text.includes(secret));
  }
});

test("what the rules say of themselves may come later", async () => {
  const folder = new URL("../../target/wasm/package/", import.meta.url);
  // A query makes it a package of its own.
  const other = await import(`${folder}index.js?other`);
  await other.load(undefined, null);
  const files = [{ path: "b.sh", text: "pg_dump a | gzip > b\n" }];
  assert.deepEqual(other.lint(files), lint(files));
  for (const call of [() => other.rules(), () => other.explain("pipefail-missing"), () => other.render(files, "sarif")]) {
    assert.throws(call, /^Error: the documentation of the rules is not loaded$/);
  }
  await other.load(undefined, await readFile(new URL("documentation.json", folder), "utf8"));
  assert.deepEqual(other.rules(), rules());
  assert.equal(other.render(files, "sarif"), render(files, "sarif"));
});

test("large files are checked, always with the same result; how long it takes is printed", (t) => {
  const step = "  backup-%:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: |\n          pg_dump \"$DATABASE_URL\" | gzip > backup.sql.gz\n";
  const script = "pg_dump shop | gzip > \"shop-$(date +%F).gz\"\naws s3 cp shop.gz s3://shop-backups/daily/\n# a line of prose between the commands of this script\n";
  const upTo = (/** @type {number} */ size, /** @type {string} */ head, /** @type {string} */ part) => {
    let text = head;
    for (let number = 0; text.length < size; number++) text += part.replace("%", String(number));
    return text.slice(0, size);
  };
  const texts = [
    { path: ".github/workflows/a.yml", text: upTo(5000, "name: a\non: push\njobs:\n", step) },
    { path: "a.sh", text: upTo(5000, "#!/bin/bash\n", script) },
    { path: ".github/workflows/a.yml", text: upTo(200_000, "name: a\non: push\njobs:\n", step) },
    { path: "a.sh", text: upTo(200_000, "#!/bin/bash\n", script) },
    { path: "a.md", text: upTo(200_000, "# Backup\n\n", `We keep backups for 30 days.\n\n\`\`\`bash\n${script}\`\`\`\n\n`) },
  ];
  for (const file of texts) {
    const counts = new Set();
    const times = Array.from({ length: 7 }, () => {
      const start = performance.now();
      counts.add(lint([file]).findings.length);
      return performance.now() - start;
    });
    assert.ok(counts.size === 1 && !counts.has(0), `${file.path}: ${[...counts].join(", ")} findings`);
    t.diagnostic(`${file.path}, ${file.text.length} characters: first ${times[0].toFixed(1)} ms, best ${Math.min(...times).toFixed(1)} ms`);
  }
});
