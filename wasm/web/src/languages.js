// What colours a kind of document. Each is a file of its own, loaded when it is needed.

import { LanguageSupport, StreamLanguage } from "@codemirror/language";

export const languages = {
  yaml: async () => (await import("@codemirror/lang-yaml")).yaml(),
  json: async () => (await import("@codemirror/lang-json")).json(),
  sql: async () => {
    const { sql, PostgreSQL } = await import("@codemirror/lang-sql");
    return sql({ dialect: PostgreSQL });
  },
  shell: async () => legacy((await import("@codemirror/legacy-modes/mode/shell")).shell),
  properties: async () => legacy((await import("@codemirror/legacy-modes/mode/properties")).properties),
  javascript: async () => legacy((await import("@codemirror/legacy-modes/mode/javascript")).typescript),
  markdown: async () => {
    const [{ markdown }, yaml, shell, json, sql] = await Promise.all([
      import("@codemirror/lang-markdown"), languages.yaml(), languages.shell(), languages.json(), languages.sql(),
    ]);
    const fences = { yaml, yml: yaml, bash: shell, sh: shell, shell, json, sql };
    return markdown({ codeLanguages: (info) => fences[/** @type {keyof typeof fences} */ (info)]?.language ?? null });
  },
};

/** @param {import("@codemirror/language").StreamParser<any>} parser */
function legacy(parser) {
  return new LanguageSupport(StreamLanguage.define(parser));
}
