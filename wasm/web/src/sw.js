// Keeps the page for when there is no network. Names with a digest never change, so
// they come from the cache; pages come from the network first, so that a new version
// is seen at once. Only this page's own files are ever asked for or kept.

const CACHE = "backstop-%DIGEST%";
const FILES = "%FILES%";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith("backstop-") && name !== CACHE);
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
    const known = await caches.match(request, { ignoreSearch: true });
    if (known) return known;
    throw cause;
  }
}
