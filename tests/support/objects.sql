-- Every kind of object that a database may hold, for PostgreSQL 13 and newer.

CREATE ROLE objects_owner;
CREATE ROLE objects_reader;
CREATE ROLE objects_grantor;
CREATE SCHEMA app AUTHORIZATION objects_owner;
CREATE SCHEMA extra;
GRANT USAGE ON SCHEMA app TO objects_reader, objects_grantor WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE objects_owner IN SCHEMA app GRANT SELECT ON TABLES TO objects_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE objects_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- Extensions, one in a schema of its own, and what uses them.
CREATE EXTENSION pgcrypto WITH SCHEMA extra;
CREATE EXTENSION citext WITH SCHEMA app;
CREATE EXTENSION btree_gist;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION hstore;

-- Types.
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy');
ALTER TYPE app.mood ADD VALUE 'fine' BEFORE 'happy';
CREATE TYPE app.address AS (street text, zip varchar(10), geo point);
CREATE DOMAIN app.positive AS int DEFAULT 1 NOT NULL CONSTRAINT is_positive CHECK (VALUE > 0);
CREATE DOMAIN app.email AS app.citext CHECK (VALUE ~ '@');
CREATE TYPE app.span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE app.shell;

-- Functions of every sort.
CREATE FUNCTION app.add(a int, b int DEFAULT 2, VARIADIC c int[] DEFAULT '{}') RETURNS int
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 7 SET search_path = pg_catalog, app AS 'SELECT a + b';
CREATE FUNCTION app.add(a text) RETURNS SETOF text LANGUAGE plpgsql ROWS 3 SECURITY DEFINER AS
    $$ BEGIN RETURN NEXT a || '\'; RETURN NEXT 'x''y'; END $$;
CREATE FUNCTION app.moods(m app.mood, a app.address[]) RETURNS TABLE (x int, y app.mood)
    LANGUAGE sql AS 'SELECT 1, m';
CREATE PROCEDURE app.proc(INOUT a int) LANGUAGE plpgsql AS 'BEGIN a := a + 1; COMMIT; END';
CREATE AGGREGATE app.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE AGGREGATE app.middle(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal,
    FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE FUNCTION app.lower_mood(m app.mood) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(m::text)';
CREATE FUNCTION app.equal(a app.address, b app.address) RETURNS bool LANGUAGE sql IMMUTABLE
    AS 'SELECT a.street = b.street';
CREATE OPERATOR app.=== (LEFTARG = app.address, RIGHTARG = app.address, FUNCTION = app.equal, COMMUTATOR = OPERATOR(app.===));
CREATE FUNCTION app.to_text(a app.address) RETURNS text LANGUAGE sql AS 'SELECT a.street';
CREATE CAST (app.address AS text) WITH FUNCTION app.to_text(app.address) AS ASSIGNMENT;
CREATE OPERATOR FAMILY app.backwards USING btree;
CREATE OPERATOR CLASS app.backwards FOR TYPE int USING btree FAMILY app.backwards AS
    OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 btint4cmp(int, int);

-- Text search and collations.
CREATE TEXT SEARCH DICTIONARY app.plain (TEMPLATE = simple, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION app.search (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION app.search ALTER MAPPING FOR asciiword WITH app.plain, simple;
CREATE COLLATION app.byte (LOCALE = 'C');

-- Tables: every constraint, every default.
CREATE TABLE app.customers (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 1000 INCREMENT BY 10) PRIMARY KEY,
    email app.email UNIQUE NOT NULL,
    name text COLLATE app.byte DEFAULT 'nobody',
    mood app.mood DEFAULT 'ok',
    home app.address,
    rank app.positive,
    born date CHECK (born > '1900-01-01'),
    seen timestamptz DEFAULT '2026-01-02 03:04:05+06',
    secret bytea DEFAULT extra.digest('x', 'sha256'),
    tags text[] DEFAULT '{"a b","c\"d"}' NOT NULL,
    data jsonb DEFAULT '{"a": [1, "\u00e9"]}',
    attributes hstore DEFAULT 'a=>1',
    price money DEFAULT 12.5,
    wait interval DEFAULT '1 mon 2 days 03:04',
    bits bit(3) DEFAULT B'101',
    twice int GENERATED ALWAYS AS (app.add(1, 2) * 2) STORED,
    search tsvector GENERATED ALWAYS AS (to_tsvector('english', coalesce('x', ''))) STORED,
    dropped int,
    "unique" int,
    CONSTRAINT name_and_mood CHECK (name <> '' AND mood IS NOT NULL) NO INHERIT
) WITH (fillfactor = 70, autovacuum_enabled = false);
ALTER TABLE app.customers DROP COLUMN dropped;
ALTER TABLE app.customers ALTER name SET STORAGE external, ALTER name SET STATISTICS 500;
INSERT INTO app.customers (email, name, home, rank, tags)
    SELECT 'u' || n || '@example.org', 'name ' || n, ('(street,12345,"(1,2)")')::app.address, n, ARRAY ['x', NULL]
    FROM generate_series(1, 50) n;
UPDATE app.customers SET seen = NULL, data = NULL, name = E'tab\t newline\n backslash\\ \\N \\.' WHERE id % 3 = 0;
CREATE INDEX ON app.customers (lower(name), mood DESC NULLS LAST) INCLUDE (born) WHERE mood = 'ok';
CREATE INDEX customers_name_trgm ON app.customers USING gin (name gin_trgm_ops) WITH (fastupdate = off);
CREATE UNIQUE INDEX customers_rank ON app.customers (rank app.backwards);
CREATE INDEX customers_mood ON app.customers (app.lower_mood(mood));
CREATE INDEX customers_brin ON app.customers USING brin (seen);
CREATE INDEX customers_hash ON app.customers USING hash (name);
ALTER TABLE app.customers CLUSTER ON customers_rank;
ALTER TABLE app.customers REPLICA IDENTITY USING INDEX customers_email_key;
CREATE STATISTICS app.correlated (dependencies, mcv) ON mood, born FROM app.customers;

CREATE TABLE app.bookings (
    room int, during tsrange,
    EXCLUDE USING gist (room WITH =, during WITH &&) WHERE (room > 0) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO app.bookings VALUES (1, '[2026-01-01, 2026-01-02)'), (1, '[2026-02-01, infinity)'), (2, 'empty');

-- Foreign keys in a circle, to itself, deferred, not valid, with actions.
CREATE TABLE app.a (id int PRIMARY KEY, b int);
CREATE TABLE app.b (id int PRIMARY KEY, a int REFERENCES app.a ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    parent int REFERENCES app.b ON UPDATE SET NULL);
ALTER TABLE app.a ADD CONSTRAINT to_b FOREIGN KEY (b) REFERENCES app.b MATCH FULL DEFERRABLE;
INSERT INTO app.a VALUES (1, NULL); INSERT INTO app.b VALUES (1, 1, 1), (2, 1, 1); UPDATE app.a SET b = 2;
INSERT INTO app.a VALUES (99, NULL);
ALTER TABLE app.b ADD CONSTRAINT unproven FOREIGN KEY (parent) REFERENCES app.a NOT VALID;
ALTER TABLE app.b ADD CONSTRAINT unproven_check CHECK (id > 100) NOT VALID;

-- Sequences: downwards, round and round, fully used, never used, set, of smallint.
CREATE SEQUENCE app.down INCREMENT -5 MINVALUE -100 MAXVALUE 10 START 10;
CREATE SEQUENCE app.round AS smallint MAXVALUE 3 CYCLE CACHE 2;
CREATE SEQUENCE app.unused;
CREATE SEQUENCE app.big MAXVALUE 9223372036854775807;
SELECT nextval('app.down'), nextval('app.down'), nextval('app.round'), setval('app.big', 9223372036854775807, true);
CREATE TABLE app.with_serial (id serial, small smallserial, by_default int GENERATED BY DEFAULT AS IDENTITY);
INSERT INTO app.with_serial DEFAULT VALUES;
SELECT setval('app.with_serial_by_default_seq', 7, false);

-- Partitions: by range in levels, by list, by hash on an enum, one without any,
-- with indexes and keys of the parent's and of a partition's own.
CREATE TABLE app.events (id int, at timestamptz NOT NULL, kind text, PRIMARY KEY (id, at, kind)) PARTITION BY RANGE (at);
CREATE TABLE app.events_2026 PARTITION OF app.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
    PARTITION BY LIST (kind);
CREATE TABLE app.events_2026_x PARTITION OF app.events_2026 FOR VALUES IN ('x', 'y');
CREATE TABLE app.events_rest (kind text NOT NULL, id int NOT NULL, at timestamptz NOT NULL);
ALTER TABLE app.events ATTACH PARTITION app.events_rest DEFAULT;
CREATE INDEX events_kind ON app.events (kind);
CREATE INDEX events_rest_own ON app.events_rest (kind, id);
INSERT INTO app.events SELECT n, '2025-12-31 12:00+00'::timestamptz + n * interval '1 hour', 'x' FROM generate_series(1, 40) n;
CREATE TABLE app.by_mood (mood app.mood, n int) PARTITION BY HASH (mood);
CREATE TABLE app.by_mood_0 PARTITION OF app.by_mood FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.by_mood_1 PARTITION OF app.by_mood FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO app.by_mood SELECT (enum_range(NULL::app.mood))[n % 4 + 1], n FROM generate_series(1, 40) n;
CREATE TABLE app.no_partitions (id int) PARTITION BY RANGE (id);
CREATE TABLE app.refers (event int, at timestamptz, kind text, FOREIGN KEY (event, at, kind) REFERENCES app.events);
INSERT INTO app.refers SELECT id, at, kind FROM app.events LIMIT 3;

-- Inheritance, unlogged, of a type, without columns, without rows.
CREATE TABLE app.base (id int, note text DEFAULT 'base', CHECK (id > 0));
CREATE TABLE app.child (more text, note text DEFAULT 'child') INHERITS (app.base);
INSERT INTO app.base VALUES (1); INSERT INTO app.child VALUES (2, 'x', 'y'), (3, 'x', 'y');
CREATE UNLOGGED TABLE app.scratch AS SELECT 1 AS id;
CREATE TABLE app.typed OF app.address (PRIMARY KEY (zip));
CREATE TABLE app.nothing ();
INSERT INTO app.nothing DEFAULT VALUES;
CREATE TABLE app.empty (id int);

-- Views: of views, with rules, with options, in a circle with a function, materialized.
CREATE VIEW app.happy WITH (security_barrier = true) AS SELECT * FROM app.customers WHERE mood = 'happy' WITH LOCAL CHECK OPTION;
CREATE VIEW app.of_view AS SELECT count(*), max(name) AS last FROM app.happy GROUP BY mood HAVING count(*) > 0;
CREATE VIEW app.numbers AS WITH RECURSIVE r (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 5) TABLE r;
CREATE MATERIALIZED VIEW app.totals AS SELECT mood, count(*) AS n FROM app.customers GROUP BY mood;
CREATE UNIQUE INDEX ON app.totals (mood);
CREATE MATERIALIZED VIEW app.of_totals AS SELECT sum(n) FROM app.totals;
CREATE MATERIALIZED VIEW app.not_yet AS SELECT 1 AS one WITH NO DATA;
CREATE RULE no_delete AS ON DELETE TO app.empty WHERE (OLD.id > 5) DO INSTEAD NOTHING;
CREATE VIEW app.writable AS SELECT id FROM app.empty;
CREATE RULE writable_insert AS ON INSERT TO app.writable DO INSTEAD INSERT INTO app.empty VALUES (NEW.id);

-- Triggers that raise, that are off, of constraints, on views, on partitions.
CREATE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'never'; END $$;
CREATE TRIGGER refuse_insert BEFORE INSERT OR UPDATE OF name ON app.customers
    FOR EACH ROW WHEN (NEW.name = 'never') EXECUTE FUNCTION app.refuse('an argument');
CREATE TRIGGER refuse_all BEFORE INSERT ON app.with_serial FOR EACH ROW EXECUTE FUNCTION app.refuse();
ALTER TABLE app.with_serial ENABLE ALWAYS TRIGGER refuse_all;
CREATE TRIGGER refuse_off AFTER TRUNCATE ON app.a FOR EACH STATEMENT EXECUTE FUNCTION app.refuse();
ALTER TABLE app.a DISABLE TRIGGER refuse_off;
CREATE CONSTRAINT TRIGGER refuse_later AFTER INSERT ON app.b DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION app.refuse();
CREATE TRIGGER refuse_view INSTEAD OF INSERT ON app.happy FOR EACH ROW EXECUTE FUNCTION app.refuse();
CREATE TRIGGER refuse_partition AFTER INSERT ON app.events FOR EACH ROW EXECUTE FUNCTION app.refuse();
ALTER TABLE app.events_rest DISABLE TRIGGER refuse_partition;
CREATE TRIGGER refuse_transition AFTER UPDATE ON app.empty REFERENCING OLD TABLE AS o NEW TABLE AS n
    FOR EACH STATEMENT EXECUTE FUNCTION app.refuse();

-- Row-level security.
ALTER TABLE app.customers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY readers ON app.customers AS RESTRICTIVE FOR SELECT TO objects_reader, CURRENT_USER USING (mood <> 'sad');
CREATE POLICY writers ON app.customers FOR INSERT WITH CHECK (rank > (SELECT count(*) FROM app.a));
ALTER TABLE app.events ENABLE ROW LEVEL SECURITY;

-- Foreign servers, whose rows are elsewhere, and a partition there.
CREATE EXTENSION postgres_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
CREATE ROLE objects_mapped;
CREATE USER MAPPING FOR objects_mapped SERVER elsewhere OPTIONS (user 'x', password 'foreign-secret');
CREATE FOREIGN TABLE app.far (id int OPTIONS (column_name 'ID')) SERVER elsewhere OPTIONS (table_name 'far');
CREATE TABLE app.half_far (id int) PARTITION BY RANGE (id);
CREATE TABLE app.near PARTITION OF app.half_far FOR VALUES FROM (0) TO (10);
CREATE FOREIGN TABLE app.farther PARTITION OF app.half_far FOR VALUES FROM (10) TO (20) SERVER elsewhere;
INSERT INTO app.near VALUES (1), (2);
CREATE FOREIGN DATA WRAPPER bare;

-- Publications, large objects, comments.
CREATE PUBLICATION two_tables FOR TABLE app.a, app.events WITH (publish = 'insert, update');
CREATE PUBLICATION everything FOR ALL TABLES;
SELECT lo_from_bytea(424242, 'a large object'), lo_from_bytea(424243, ''), lo_from_bytea(424244, decode(repeat('00ff', 50000), 'hex'));
COMMENT ON LARGE OBJECT 424242 IS 'it''s large';
GRANT SELECT ON LARGE OBJECT 424242 TO objects_reader;
ALTER LARGE OBJECT 424243 OWNER TO objects_owner;
COMMENT ON COLUMN app.customers.name IS E'two\nlines';
COMMENT ON SCHEMA app IS 'the application';
COMMENT ON DATABASE objects IS 'of a database';

-- Owners and privileges, given on by somebody else too.
ALTER TABLE app.customers OWNER TO objects_owner;
ALTER FUNCTION app.add(text) OWNER TO objects_owner;
ALTER TYPE app.mood OWNER TO objects_owner;
ALTER VIEW app.of_view OWNER TO objects_owner;
GRANT SELECT (id, email), UPDATE (name) ON app.customers TO objects_reader;
GRANT SELECT ON app.customers TO objects_grantor WITH GRANT OPTION;
SET ROLE objects_grantor; GRANT SELECT ON app.customers TO objects_reader; RESET ROLE;
REVOKE ALL ON FUNCTION app.add(int, int, int[]) FROM PUBLIC;
GRANT USAGE ON SEQUENCE app.down TO objects_reader;
GRANT USAGE ON TYPE app.mood TO objects_reader;
REVOKE USAGE ON TYPE app.address FROM PUBLIC;
GRANT USAGE ON FOREIGN SERVER elsewhere TO objects_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT ALL ON app.a TO PUBLIC;

-- Last, so that they do not see what is above.
CREATE FUNCTION app.on_event() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no change is allowed'; END $$;
CREATE EVENT TRIGGER no_drop ON sql_drop WHEN TAG IN ('DROP TABLE', 'DROP VIEW') EXECUTE FUNCTION app.on_event();
CREATE EVENT TRIGGER off ON ddl_command_start EXECUTE FUNCTION app.on_event();
ALTER EVENT TRIGGER off DISABLE;

-- What only a superuser may own, owned by one who is not the trial's.
CREATE ROLE objects_boss SUPERUSER;
ALTER EVENT TRIGGER no_drop OWNER TO objects_boss;
ALTER FOREIGN DATA WRAPPER bare OWNER TO objects_boss;
ALTER PUBLICATION everything OWNER TO objects_boss;
ALTER TEXT SEARCH DICTIONARY app.plain OWNER TO objects_boss;
ALTER SERVER elsewhere OWNER TO objects_boss;
CREATE SUBSCRIPTION from_elsewhere CONNECTION 'host=127.0.0.1 port=1 password=subscription-secret'
    PUBLICATION p WITH (connect = false, slot_name = NONE);
ALTER SUBSCRIPTION from_elsewhere OWNER TO objects_boss;
