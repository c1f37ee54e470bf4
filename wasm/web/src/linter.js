// The linter as promises: starts the worker, and a new one after a crash.

import { later } from "./later.js";

/** A call that takes longer hangs. */
const LIMIT = 20_000;
/** Workers in a row that break before they say anything: another would too. */
const STARTS = 3;

/** @typedef {import("./worker.js").Calls} Calls */
/** @typedef {{ id: number, name: string, args: unknown[], documentation: string | null, resolve: (value: any) => void, reject: (cause: Error) => void, timer?: ReturnType<typeof setTimeout> }} Call */

/** The checker broke on what it was given; it is ready for something else. */
export class Crash extends Error {}

// Compiled once, whatever happens to the workers.
const module = compiled();
const script = blob(WORKER);

/** @type {Worker} */
let worker;
/** The one that runs comes first: a worker answers in order. @type {Call[]} */
let queue = [];
let last = 0;
/** Whether the worker has its module. */
let ready = false;
/** Workers that broke before they said anything. */
let failures = 0;
/** Why there will never be one. @type {Error | undefined} */
let broken;

/** How long the latest call took, without the way there and back, in milliseconds. */
export let duration = 0;

/** The module, unpacked in a thread of its own while it comes. @returns {Promise<WebAssembly.Module>} */
function compiled() {
  const unpacker = new Worker(blob(UNPACK), { name: "unpack" });
  const answer = new Promise((resolve, reject) => {
    unpacker.addEventListener("message", ({ data }) => {
      if (data.module) resolve(data.module);
      else reject(new Error(data.error));
    });
    unpacker.addEventListener("error", (event) => {
      event.preventDefault();
      reject(new Error(reason(event)));
    });
    deliver(unpacker).catch(reject);
  });
  return answer.finally(() => unpacker.terminate());
}

/**
 * The packed module in pieces. It is fetched here and not over there: a blob has no
 * address that a relative one could count from, and it is loaded ahead for this document.
 *
 * @param {Worker} unpacker
 */
async function deliver(unpacker) {
  const answer = await fetch(new URL(WASM, import.meta.url));
  if (!answer.ok || !answer.body) throw new Error(`its file is answered by ${answer.status}`);
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    unpacker.postMessage(value, [value.buffer]);
  }
  unpacker.postMessage(null);
}

/** @param {string} script */
function blob(script) {
  return URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
}

/** @param {ErrorEvent} event */
function reason(event) {
  return event.message || "no reason is known";
}

function start() {
  worker = new Worker(script, { name: "lint" });
  let isWorking = false;
  worker.addEventListener("message", ({ data }) => {
    isWorking = true;
    failures = 0;
    answered(data);
  });
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    const why = reason(event);
    if (isWorking) crashed(why);
    else if (++failures < STARTS) restart();
    else unusable(why);
  });
  ready = false;
  const own = worker;
  module.then(
    (module) => {
      if (own !== worker) return;
      own.postMessage({ module });
      ready = true;
      next();
    },
    (cause) => unusable(cause.message),
  );
}

/** @param {string} why */
function unusable(why) {
  broken = new Error(`the checker cannot be loaded: ${why}`);
  worker.terminate();
  for (const call of queue.splice(0)) {
    clearTimeout(call.timer);
    call.reject(broken);
  }
}

/** @param {{ id: number, value?: unknown, time?: number, error?: string, crashed?: boolean }} answer */
function answered({ id, value, time, error, crashed: trapped }) {
  if (queue[0]?.id !== id) return;
  if (trapped) {
    crashed(error ?? "");
    return;
  }
  const call = /** @type {Call} */ (queue.shift());
  clearTimeout(call.timer);
  duration = time ?? 0;
  if (error === undefined) call.resolve(value);
  else call.reject(new Error(error));
  next();
}

/** @param {string} why */
function crashed(why) {
  const call = queue[0];
  restart();
  queue.shift();
  call?.reject(new Crash(why));
}

function restart() {
  clearTimeout(queue[0]?.timer);
  worker.terminate();
  start();
}

/** @param {Call} call */
function send(call) {
  call.timer = setTimeout(() => crashed("it took too long"), LIMIT);
  worker.postMessage({ id: call.id, name: call.name, args: call.args, documentation: call.documentation });
}

function next() {
  if (queue[0]) send(queue[0]);
}

/**
 * @template {keyof Calls} Name
 * @param {Name} name
 * @param {Parameters<Calls[Name]>} args
 * @returns {Promise<ReturnType<Calls[Name]>>}
 */
export async function ask(name, ...args) {
  const documentation = needsDocumentation(name, args) ? await documented() : null;
  return new Promise((resolve, reject) => {
    const call = { id: ++last, name, args, documentation, resolve, reject };
    if (broken) {
      reject(broken);
      return;
    }
    queue.push(call);
    if (ready && queue.length === 1) send(call);
  });
}

/** @param {string} name @param {unknown[]} args */
function needsDocumentation(name, args) {
  return name === "explain" || (name === "render" && args[1] === "sarif");
}

/** What the rules say of themselves: it comes behind the first finding. */
function documented() {
  return later(async () => (await import("virtual:documentation")).default);
}

start();
