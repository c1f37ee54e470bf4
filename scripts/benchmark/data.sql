-- About :mb megabytes on disk: rows like pgbench's accounts, events in jsonb,
-- documents out of line, and many small tables. The same every time.
SET client_min_messages = warning;

CREATE TABLE accounts (
    aid integer PRIMARY KEY,
    bid integer NOT NULL,
    balance integer NOT NULL,
    filler character(84) NOT NULL
);
INSERT INTO accounts
SELECT n, n % 100, hashint4(n) % 100000, ''
FROM generate_series(1, :mb * 3500) AS n;

CREATE TABLE events (
    id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    tags text[] NOT NULL,
    payload jsonb NOT NULL
);
INSERT INTO events
SELECT
    n,
    timestamptz '2026-01-01 00:00+00' + n * interval '1.7 seconds',
    (ARRAY['view', 'click', 'order', 'refund', 'login'])[1 + abs(hashint4(n)) % 5],
    ARRAY['web', (ARRAY['de', 'en', 'fr', 'tr'])[1 + abs(hashint4(n + 1)) % 4], 'v' || n % 40],
    jsonb_build_object(
        'session', md5(n::text) || md5((n / 20)::text),
        'address', concat_ws('.', n % 223, hashint4(n) & 255, hashint4(n + 8) & 255, hashint4(n + 9) & 255),
        'user', abs(hashint4(n / 7)) % 100000,
        'path', '/products/' || abs(hashint4(n + 2)) % 5000,
        'referrer', 'https://shop.example/search?q=' || abs(hashint4(n + 3)) % 1000,
        'agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/'
            || 90 + n % 40 || '.0 Safari/537.36',
        'amount', abs(hashint4(n + 4)) % 100000 / 100.0,
        'items', jsonb_build_array(
            jsonb_build_object('sku', abs(hashint4(n + 5)) % 5000, 'quantity', n % 9),
            jsonb_build_object('sku', abs(hashint4(n + 6)) % 5000, 'quantity', n % 7)),
        'note', repeat('lorem ipsum dolor sit amet ', n % 6)
    )
FROM generate_series(1, :mb * 510) AS n;
CREATE INDEX events_at ON events (at);

CREATE TABLE documents (id integer PRIMARY KEY, title text NOT NULL, body text NOT NULL);
ALTER TABLE documents ALTER COLUMN body SET STORAGE EXTERNAL;
INSERT INTO documents
SELECT n, 'document ' || n, (SELECT string_agg(md5((n * 400 + k)::text), ' ') FROM generate_series(1, 300) AS k)
FROM generate_series(1, :mb * 4) AS n;

SELECT format('CREATE TABLE small_%s (id integer PRIMARY KEY, name text NOT NULL, value numeric)', n)
FROM generate_series(1, 300) AS n \gexec
SELECT format('INSERT INTO small_%s SELECT k, ''name '' || k, k * 1.5 FROM generate_series(1, %s) AS k', n, n)
FROM generate_series(1, 300) AS n \gexec

VACUUM (ANALYZE, FREEZE);
CHECKPOINT;
