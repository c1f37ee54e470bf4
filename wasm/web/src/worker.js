// The linter's own thread: requests in, answers out, one at a time. It is started from
// a blob, so that the page's policy binds it as well.

import * as linter from "@backstop-db/lint";

/** What may be asked. */
const calls = {
  lint: linter.lint,
  render: linter.render,
  allow: linter.allow,
  mask: linter.mask,
  explain: linter.explain,
};

/** @typedef {typeof calls} Calls */

/** @type {WebAssembly.Module} */
let module;

addEventListener("message", async ({ data }) => {
  if (data.module) {
    module = data.module;
    return;
  }
  const { id, name, args, documentation } = data;
  try {
    await linter.load(module, documentation);
    const start = performance.now();
    const call = /** @type {(...args: unknown[]) => unknown} */ (
      calls[/** @type {keyof Calls} */ (name)]
    );
    const value = call(...args);
    postMessage({ id, value, time: performance.now() - start });
  } catch (cause) {
    // A trap leaves the module's memory in any state: it is not used again.
    const crashed = !(cause instanceof Error) || cause instanceof WebAssembly.RuntimeError || cause instanceof RangeError;
    postMessage({ id, crashed, error: String(cause instanceof Error ? cause.message : cause) });
  }
});
