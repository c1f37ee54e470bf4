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
    session text NOT NULL,
    address inet NOT NULL,
    path text NOT NULL,
    referrer text,
    agent text NOT NULL,
    note text NOT NULL,
    tags text[] NOT NULL,
    payload jsonb NOT NULL
);
INSERT INTO events
SELECT
    n,
    timestamptz '2026-01-01 00:00+00' + n * interval '1.7 seconds',
    (ARRAY['view', 'click', 'order', 'refund', 'login'])[1 + abs(hashint4(n)) % 5],
    md5((n / 20)::text) || md5(n::text),
    concat_ws('.', n % 223, hashint4(n) & 255, hashint4(n + 8) & 255, hashint4(n + 9) & 255)::inet,
    '/products/' || abs(hashint4(n + 2)) % 5000,
    CASE WHEN n % 3 > 0 THEN 'https://shop.example/search?q=' || abs(hashint4(n + 3)) % 1000 END,
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/'
        || 90 + n % 40 || '.0.' || abs(hashint4(n / 30)) % 6000 || '.' || n % 200 || ' Safari/537.36',
    (SELECT coalesce(string_agg(word, ' '), '')
        FROM (SELECT (ARRAY['please', 'deliver', 'before', 'noon', 'the', 'second', 'door', 'on', 'left', 'ring',
            'twice', 'fragile', 'gift', 'wrapped', 'in', 'blue', 'paper', 'and', 'leave', 'a', 'message', 'for',
            'neighbour', 'invoice', 'attached', 'thank', 'you', 'very', 'much', 'kind', 'regards', 'again'])
            [1 + (hashint4(n * 40 + k) & 31)] AS word
            FROM generate_series(1, abs(hashint4(n)) % 60) AS k) AS words),
    ARRAY['web', (ARRAY['de', 'en', 'fr', 'tr'])[1 + abs(hashint4(n + 1)) % 4], 'v' || n % 40],
    jsonb_build_object(
        'user', abs(hashint4(n / 7)) % 100000,
        'amount', abs(hashint4(n + 4)) % 100000 / 100.0,
        'items', jsonb_build_array(
            jsonb_build_object('sku', abs(hashint4(n + 5)) % 5000, 'quantity', n % 9),
            jsonb_build_object('sku', abs(hashint4(n + 6)) % 5000, 'quantity', n % 7)))
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
