// What build.mjs fills in.

declare const WORKER: string;
declare const UNPACK: string;
declare const WASM: string;
declare const VERSION: string;
declare const RULES: number;
/** Ids of rules and names of groups. */
declare const NAMES: string[];

declare module "virtual:documentation" {
  const documentation: string;
  export default documentation;
}

declare module "virtual:examples" {
  const examples: { title: string, about: string, files: { path: string, text: string }[] }[];
  export default examples;
}
