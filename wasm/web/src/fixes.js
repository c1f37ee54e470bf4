// Fixes of one file as one change: findings in, the edits that go together out.

/** @typedef {import("@backstop-db/lint").Edit} Edit */

/**
 * Fixes that touch each other are not mixed: the first is taken, the other finds its
 * place afterwards. The same edit by two fixes is made once.
 *
 * @param {import("@backstop-db/lint").Finding[]} findings
 * @returns {{ edits: Edit[], count: number }}
 */
export function fitting(findings) {
  /** @type {Edit[]} */
  const edits = [];
  let count = 0;
  for (const { quick_fix } of findings) {
    const fresh = (quick_fix?.edits ?? []).filter((edit) => !edits.some((other) => isSame(edit, other)));
    if (fresh.some((edit) => edits.some((other) => touch(edit, other)))) continue;
    edits.push(...fresh);
    count++;
  }
  return { edits, count };
}

/** @param {Edit} a @param {Edit} b */
function isSame(a, b) {
  return a.from === b.from && a.to === b.to && a.insert === b.insert;
}

/** @param {Edit} a @param {Edit} b */
function touch(a, b) {
  return a.from === a.to && b.from === b.to ? a.from === b.from : a.from < b.to && b.from < a.to;
}
