// Files that are dropped anywhere on the page, and what is read of files.

import { by, count } from "./dom.js";
import { LIMIT } from "./link.js";

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

/**
 * The texts among some files, and why the others are none.
 *
 * @param {Iterable<File>} chosen
 * @param {() => number} room How many more may be open.
 */
export async function read(chosen, room) {
  /** @type {import("@backstop-db/lint").File[]} */
  const files = [];
  const refused = [];
  let more = 0;
  for (const file of chosen) {
    const path = (file.webkitRelativePath || file.name).replace(/^\/+/, "");
    if (files.length >= room()) {
      more++;
      continue;
    }
    if (file.size > LIMIT) {
      refused.push(`${path} is too large`);
      continue;
    }
    try {
      const text = await file.text();
      if (text.slice(0, 8000).includes("\0")) refused.push(`${path} is no text`);
      else files.push({ path, text });
    } catch {
      refused.push(`${path} is a folder, or cannot be read`);
    }
  }
  if (more > 0) refused.push(`${count(more, "file")}, for want of room`);
  return { files, refused };
}
