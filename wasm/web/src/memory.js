// What is kept on the device, only where that was asked for: the files and the theme.

import { read } from "./link.js";
import { toast } from "./toast.js";

const FILES = "backstop-files";
const THEME = "backstop-theme";

/** @param {import("@backstop-db/lint").File[]} files */
export function keep(files) {
  store(FILES, JSON.stringify({ files }));
}

export function keepTheme() {
  store(THEME, document.documentElement.dataset.theme ?? "");
}

/** @param {string} name @param {string} value */
function store(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    toast("This browser does not let the page remember anything.");
  }
}

export function forget() {
  localStorage.removeItem(FILES);
  localStorage.removeItem(THEME);
}

/** The files that were kept, if any; the theme is set. */
export function recall() {
  try {
    const theme = localStorage.getItem(THEME);
    if (theme) document.documentElement.dataset.theme = theme;
    const stored = JSON.parse(localStorage.getItem(FILES) ?? "null");
    return stored ? read(stored).files : undefined;
  } catch {
    // What cannot be read would stay for ever.
    forget();
    return undefined;
  }
}
