// The Markdown of rules: text in, a tree out, which becomes elements in the page and
// text in the pages that are built. It knows what the documentation uses, no more.

/** @typedef {{ tag: string, attributes?: Record<string, string>, children: Tree[] } | string} Tree */

/** @param {string} text @returns {Tree[]} */
export function parse(text) {
  /** @type {Tree[]} */
  const blocks = [];
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; ) {
    const fence = /^(`{3,}|~{3,})\s*(\S*)\s*(\S*)/.exec(lines[at]);
    if (fence) {
      const end = lines.findIndex((line, index) => index > at && line.startsWith(fence[1]) && !line.slice(fence[1].length).trim());
      const last = end < 0 ? lines.length : end;
      const code = { tag: "code", children: [`${lines.slice(at + 1, last).join("\n")}\n`] };
      const pre = { tag: "pre", attributes: { tabindex: "0" }, children: [code] };
      const caption = { tag: "figcaption", children: [fence[3]] };
      blocks.push({ tag: "figure", children: fence[3] ? [caption, pre] : [pre] });
      at = last + 1;
    } else if (/^\s*$/.test(lines[at])) {
      at++;
    } else if (/^[-*] /.test(lines[at])) {
      /** @type {Tree[]} */
      const items = [];
      while (at < lines.length && /^([-*] | {2})/.test(lines[at])) {
        let item = lines[at++].slice(2);
        while (at < lines.length && /^ {2}/.test(lines[at])) item += ` ${lines[at++].trim()}`;
        items.push({ tag: "li", children: inline(item) });
      }
      blocks.push({ tag: "ul", children: items });
    } else if (lines[at].startsWith("|")) {
      /** @type {string[][]} */
      const rows = [];
      while (at < lines.length && lines[at].startsWith("|")) {
        rows.push(lines[at++].split("|").slice(1, -1).map((cell) => cell.trim()));
      }
      const row = (/** @type {string[]} */ cells, /** @type {string} */ tag) => ({ tag: "tr", children: cells.map((cell) => ({ tag, children: inline(cell) })) });
      blocks.push({ tag: "table", children: [
        { tag: "thead", children: [row(rows[0], "th")] },
        { tag: "tbody", children: rows.slice(2).map((cells) => row(cells, "td")) },
      ] });
    } else {
      let paragraph = lines[at++];
      while (at < lines.length && lines[at].trim() && !/^(```|~~~|[-*] |\|)/.test(lines[at])) paragraph += ` ${lines[at++]}`;
      blocks.push({ tag: "p", children: inline(paragraph) });
    }
  }
  return blocks;
}

const INLINE = /`([^`]+)`|<(https:\/\/[^>\s]+)>|\[([^\]]+)\]\((https:\/\/[^)\s]+)\)|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*/g;

/** @param {string} text @returns {Tree[]} */
export function inline(text) {
  /** @type {Tree[]} */
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    parts.push(text.slice(at, match.index));
    const [whole, code, address, label, href, bold, italic] = match;
    if (code) parts.push({ tag: "code", children: [code] });
    else if (bold) parts.push({ tag: "strong", children: inline(bold) });
    else if (italic) parts.push({ tag: "em", children: inline(italic) });
    else parts.push(link(address ?? href, label ?? address.replace("https://", "")));
    at = match.index + whole.length;
  }
  parts.push(text.slice(at));
  return parts.filter((part) => part !== "");
}

/** @param {string} href @param {string} label @returns {Tree} */
function link(href, label) {
  return { tag: "a", attributes: { href, rel: "noreferrer noopener", target: "_blank" }, children: [label] };
}

/** @param {Tree[]} trees @returns {string} */
export function toHtml(trees) {
  return trees
    .map((tree) => {
      if (typeof tree === "string") return escape(tree);
      const attributes = Object.entries(tree.attributes ?? {}).map(([name, value]) => ` ${name}="${escape(value)}"`);
      return `<${tree.tag}${attributes.join("")}>${toHtml(tree.children)}</${tree.tag}>`;
    })
    .join("");
}

/** @param {Tree[]} trees @returns {Node[]} */
export function toNodes(trees) {
  return trees.map((tree) => {
    if (typeof tree === "string") return document.createTextNode(tree);
    const element = document.createElement(tree.tag);
    for (const [name, value] of Object.entries(tree.attributes ?? {})) element.setAttribute(name, value);
    element.append(...toNodes(tree.children));
    return element;
  });
}

/** @param {string} text */
export function escape(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
