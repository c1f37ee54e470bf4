// A thread that makes the module of its file: pieces of the file in as they come and
// null behind the last, the compiled module out. It is started from a blob, so that the
// page's policy binds it as well.

import { XzReadableStream } from "xz-decompress";

import { join } from "./streams.js";

const file = new ReadableStream({
  start(controller) {
    addEventListener("message", ({ data }) => {
      if (data === null) controller.close();
      else controller.enqueue(data);
    });
  },
});

async function unpacked() {
  try {
    return join(new Uint8Array(await new Response(new XzReadableStream(file)).arrayBuffer()));
  } catch {
    // What the decoder says of it is a number.
    throw new Error("its file is damaged");
  }
}

unpacked().then((module) => WebAssembly.compile(module)).then(
  (module) => postMessage({ module }),
  (cause) => postMessage({ error: cause.message }),
);
