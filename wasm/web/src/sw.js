// Keeps the page for when there is no network. Names with a digest never change, so
// they come from the cache; pages come from the network first, so that a new version
// is seen at once. A page that is open goes on with the files that it came with, so the
// version before is kept too. Only this page's own files are ever asked for or kept.

const CACHE = "backstop-%DIGEST%";
const FILES = "%FILES%";

self.addEventListener("install", (event) => {
  // Not what the browser has kept of the version before.
  const files = FILES.map((path) => new Request(path, { cache: "reload" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(files)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  // In the order in which they were made: the last of the others is that of open pages.
  const old = (names) => names.filter((name) => name.startsWith("backstop-") && name !== CACHE).slice(0, -1);
  event.waitUntil(caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))).then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  event.respondWith(url.pathname.includes("/assets/") ? kept(request) : fresh(request));
});

async function kept(request) {
  return (await caches.match(request)) ?? fetch(request);
}

async function fresh(request) {
  try {
    const answer = await fetch(request);
    if (answer.ok) (await caches.open(CACHE)).put(request, answer.clone());
    return answer;
  } catch (cause) {
    const known = await (await caches.open(CACHE)).match(request, { ignoreSearch: true });
    if (known) return known;
    throw cause;
  }
}
