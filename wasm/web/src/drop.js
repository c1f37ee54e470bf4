// Files that are dropped anywhere on the page.

import { by } from "./dom.js";

/** @param {(files: Iterable<File>) => void} take */
export function dropped(take) {
  // Each element that is passed over says so: they are counted.
  let depth = 0;
  const draw = () => { by("drop").hidden = depth <= 0; };
  /** @param {string} type @param {(event: DragEvent) => void} run @param {boolean} [first] */
  const on = (type, run, first = false) => addEventListener(type, (event) => {
    const drag = /** @type {DragEvent} */ (event);
    if (drag.dataTransfer?.types.includes("Files")) run(drag);
  }, first);
  on("dragenter", () => { depth++; draw(); });
  on("dragleave", () => { depth--; draw(); });
  on("dragover", (event) => event.preventDefault());
  // Before the editor sees it, which would insert the text.
  on("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    depth = 0;
    draw();
    take(event.dataTransfer?.files ?? []);
  }, true);
}
