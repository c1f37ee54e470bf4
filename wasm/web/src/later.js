// What comes behind the page: a part is loaded when it is needed.

/** @template Part @param {() => Promise<Part>} load @returns {Promise<Part>} */
export async function later(load) {
  try {
    return await load();
  } catch {
    // No network, or a version so old that its files are gone.
    throw new Error("a part of this page cannot be loaded; reload it");
  }
}
