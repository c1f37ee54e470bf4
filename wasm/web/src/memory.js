// What is kept on the device, only where that was asked for: the files and the theme.

import { read } from "./link.js";
import { toast } from "./toast.js";

const STORED = "backstop";

/** @param {import("@backstop-db/lint").File[]} files */
export function keep(files) {
  try {
    localStorage.setItem(STORED, JSON.stringify({ files, theme: document.documentElement.dataset.theme }));
  } catch {
    toast("This browser does not let the page remember anything.");
  }
}

export function forget() {
  localStorage.removeItem(STORED);
}

/** The files that were kept, if any; their theme is set. */
export function recall() {
  try {
    const stored = JSON.parse(localStorage.getItem(STORED) ?? "null");
    if (!stored) return undefined;
    if (["light", "dark"].includes(stored.theme)) document.documentElement.dataset.theme = stored.theme;
    return read(stored).files;
  } catch {
    return undefined;
  }
}
