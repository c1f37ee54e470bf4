//! Random schemas: whatever a database may hold, put together by a seed, with
//! rows in it. The same seed makes the same statements.

use std::fmt::Write as _;

use backstop_policy::identifier::quote;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

/// Types with a value for row `n`; those in the first part can be ordered.
const TYPES: [(&str, &str); 24] = [
    ("integer", "n"),
    ("bigint", "n * 4294967296"),
    ("smallint", "n % 300"),
    ("text", "md5(n::text) || E'\\t\\\\.\\n'"),
    ("character varying(40)", "'v' || n"),
    ("character(5)", "'c' || n % 100"),
    ("numeric(12,3)", "n / 7.0"),
    ("numeric", "'NaN'"),
    ("double precision", "n / 3.0"),
    ("real", "n * 0.1"),
    ("boolean", "n % 3 = 0"),
    ("date", "date '2024-02-28' + n"),
    ("timestamp(3) without time zone", "timestamp '2024-01-01' + n * interval '1.2345 s'"),
    (
        "timestamp with time zone",
        "CASE n % 9 WHEN 0 THEN 'infinity' ELSE '2024-03-31 00:59Z'::timestamptz + n * interval '1 h' END",
    ),
    ("interval", "n * interval '1 month 2 days 3.5 s'"),
    ("uuid", "md5(n::text)::uuid"),
    ("inet", "inet '10.0.0.0/8' + n"),
    ("bytea", "decode(md5(n::text), 'hex')"),
    ("integer[]", "ARRAY[n, NULL, -n]"),
    ("text[]", "ARRAY['a,b', '\"', NULL, n::text]"),
    ("daterange", "daterange(date '2024-01-01', date '2024-01-02' + n)"),
    // No order from here on.
    ("jsonb", "jsonb_build_object('n', n, 'list', ARRAY[n, 1], 'text', E'\"\\\\')"),
    ("json", "'{\"b\": 1,  \"a\": [\"\\u00e9\"]}'"),
    ("point", "point(n, -n / 3.0)"),
];
const ORDERED: usize = 21;
const NAMES: [&str; 14] = [
    "plain",
    "Mixed Case",
    "select",
    "with.dot",
    "quo\"te",
    "line\nbreak",
    "größe",
    "花",
    "semi;colon",
    "back\\slash",
    "per%cent",
    "-- comment",
    " space ",
    "$dollar$'",
];

struct Column {
    name: String,
    kind: String,
    value: String,
    ordered: bool,
}

struct Table {
    name: String,
    key: Option<String>,
    columns: Vec<Column>,
    rows: u32,
    unlogged: bool,
}

struct Zoo {
    random: StdRng,
    sql: String,
    /// Makes names unique.
    count: u32,
    schemas: Vec<String>,
    tables: Vec<Table>,
    own_types: Vec<(String, &'static str)>,
}

/// The statements that fill an empty database.
pub fn random_schema(seed: u64) -> String {
    let mut zoo = Zoo {
        random: StdRng::seed_from_u64(seed),
        sql: "DO $$ BEGIN CREATE ROLE \"zoo keeper\"; EXCEPTION WHEN duplicate_object THEN NULL; END $$;\n"
            .to_owned(),
        count: 0,
        schemas: vec!["public".to_owned()],
        tables: Vec::new(),
        own_types: Vec::new(),
    };
    for _ in 0..zoo.random.gen_range(0..3) {
        let schema = zoo.name();
        zoo.say(format!("CREATE SCHEMA {schema}; GRANT USAGE ON SCHEMA {schema} TO \"zoo keeper\""));
        zoo.schemas.push(schema);
    }
    zoo.types();
    for _ in 0..zoo.random.gen_range(3..9) {
        zoo.table();
    }
    for _ in 0..zoo.random.gen_range(2..5) {
        zoo.foreign_key();
        zoo.view();
        zoo.policy();
        zoo.trigger();
        zoo.right();
        zoo.odd_one();
    }
    zoo.sql
}

/// The expression for row 5: `n` stands alone wherever it means the row.
fn value_of_five(value: &str) -> String {
    let mut words = String::new();
    let bytes = value.as_bytes();
    let alone =
        |at: usize| bytes.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b"_'\\".contains(byte));
    for (at, letter) in value.char_indices() {
        let row = letter == 'n' && (at == 0 || alone(at - 1)) && alone(at + 1);
        if row { words.push('5') } else { words.push(letter) }
    }
    words
}

impl Zoo {
    fn say(&mut self, statement: impl AsRef<str>) {
        self.sql.push_str(statement.as_ref());
        self.sql.push_str(";\n");
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.random.gen_ratio(1, n)
    }

    /// A new name, quoted, at times as long as the server takes it.
    fn name(&mut self) -> String {
        self.count += 1;
        let mut name = format!("{}{}", NAMES.choose(&mut self.random).unwrap(), self.count);
        if self.one_in(8) {
            name.extend(std::iter::repeat_n('x', 63 - name.len()));
        }
        quote(&name)
    }

    fn qualified(&mut self) -> String {
        let schema = self.schemas.choose(&mut self.random).unwrap().clone();
        format!("{schema}.{}", self.name())
    }

    fn types(&mut self) {
        for _ in 0..self.random.gen_range(0..3) {
            let name = self.qualified();
            self.say(format!("CREATE TYPE {name} AS ENUM ('one', 't w o', 'thr''ee')"));
            self.own_types.push((name, "(ARRAY['one', 't w o', 'thr''ee'])[1 + n % 3]"));
        }
        if self.one_in(2) {
            let name = self.qualified();
            self.say(format!(
                "CREATE DOMAIN {name} AS text DEFAULT 'd' CONSTRAINT \"a c\" CHECK (VALUE <> ';')"
            ));
            self.own_types.push((name, "'domain ' || n"));
        }
        if self.one_in(2) {
            let name = self.qualified();
            self.say(format!("CREATE TYPE {name} AS (a int, \"b b\" text)"));
            self.own_types.push((name, "ROW(n, 'x,\"' || n)"));
        }
    }

    fn column(&mut self) -> (Column, String) {
        let name = self.name();
        let own = self.one_in(5).then(|| self.own_types.choose(&mut self.random).cloned()).flatten();
        let (kind, value, ordered) = if let Some((kind, value)) = own {
            let value = format!("({value})::{kind}");
            (kind, value, false)
        } else {
            let n = self.random.gen_range(0..TYPES.len());
            (TYPES[n].0.to_owned(), format!("({})::{}", TYPES[n].1, TYPES[n].0), n < ORDERED)
        };
        let mut definition = format!("{name} {kind}");
        if kind == "text" && self.one_in(3) {
            definition += " COLLATE \"C\"";
        }
        let mut value = value;
        if self.one_in(3) {
            definition += " NOT NULL";
        } else if self.one_in(2) {
            value = format!("CASE WHEN n % 4 > 0 THEN {value} END");
        }
        if self.one_in(4) {
            // For a row of its own.
            let _ = write!(definition, " DEFAULT {}", value_of_five(&value));
        }
        (Column { name, kind, value, ordered }, definition)
    }

    fn table(&mut self) {
        let name = self.qualified();
        let (mut columns, mut definitions) = (Vec::new(), Vec::new());
        for _ in 0..self.random.gen_range(0..8) {
            let (column, definition) = self.column();
            definitions.push(definition);
            columns.push(column);
        }
        let partitioned = self.one_in(4);
        let key = (partitioned || self.random.gen_bool(0.7)).then(|| self.name());
        if let Some(key) = &key {
            let kind = ["bigserial", "bigint GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 3)", "bigint"];
            let kind = if partitioned { "bigint" } else { kind.choose(&mut self.random).unwrap() };
            definitions.insert(0, format!("{key} {kind} PRIMARY KEY"));
            if self.one_in(4) {
                let generated = self.name();
                definitions.push(format!("{generated} bigint GENERATED ALWAYS AS ({key} * 2) STORED"));
            }
            if self.one_in(3) {
                let check = self.name();
                definitions.push(format!("CONSTRAINT {check} CHECK ({key} > -5 OR {key} IS NULL)"));
            }
        }
        let unlogged = !partitioned && self.one_in(8);
        let by = match (&key, partitioned, self.one_in(2)) {
            (Some(key), true, true) => format!(" PARTITION BY HASH ({key})"),
            (Some(key), true, false) => format!(" PARTITION BY RANGE ({key})"),
            _ => String::new(),
        };
        let kind = if unlogged { "UNLOGGED TABLE" } else { "TABLE" };
        self.say(format!("CREATE {kind} {name} ({}){by}", definitions.join(", ")));
        if by.contains("HASH") {
            for remainder in 0..3 {
                let part = self.qualified();
                self.say(format!("CREATE TABLE {part} PARTITION OF {name} FOR VALUES WITH (MODULUS 3, REMAINDER {remainder})"));
            }
        } else if partitioned {
            let (low, rest) = (self.qualified(), self.qualified());
            self.say(format!("CREATE TABLE {low} PARTITION OF {name} FOR VALUES FROM (MINVALUE) TO (20)"));
            self.say(format!("CREATE TABLE {rest} PARTITION OF {name} DEFAULT"));
        }
        let rows = if self.one_in(5) { 0 } else { self.random.gen_range(1..150) };
        let mut table = Table { name, key, columns, rows, unlogged };
        self.fill(&table);
        self.indexes(&table);
        if !partitioned && !table.columns.is_empty() && self.one_in(6) {
            // What was dropped leaves a hole in the column numbers.
            let dropped = table.columns.remove(0);
            self.say(format!("ALTER TABLE {} DROP COLUMN {} CASCADE", table.name, dropped.name));
        }
        self.tables.push(table);
    }

    fn fill(&mut self, table: &Table) {
        let columns: Vec<_> =
            table.key.iter().chain(table.columns.iter().map(|column| &column.name)).collect();
        let values: Vec<_> =
            table.key.iter().map(|_| "n").chain(table.columns.iter().map(|column| &*column.value)).collect();
        let (columns, values) =
            (columns.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "), values.join(", "));
        let list =
            if columns.is_empty() { String::new() } else { format!("({columns}) OVERRIDING SYSTEM VALUE ") };
        self.say(format!(
            "INSERT INTO {} {list}SELECT {values} FROM generate_series(1, {}) n",
            table.name, table.rows
        ));
    }

    fn indexes(&mut self, table: &Table) {
        for column in &table.columns {
            if !self.one_in(3) {
                continue;
            }
            let (index, key) = (self.name(), &column.name);
            let on = match column.kind.as_str() {
                "jsonb" | "integer[]" => format!("USING gin ({key})"),
                "point" | "daterange" => format!("USING gist ({key})"),
                "text" => format!("(lower({key}) DESC NULLS LAST, {key} text_pattern_ops)"),
                "integer" => format!("(({key} + 1)) WHERE {key} IS NOT NULL"),
                _ if column.ordered => format!("({key} DESC)"),
                _ => continue,
            };
            self.say(format!("CREATE INDEX {index} ON {} {on}", table.name));
        }
        let ordered: Vec<_> = table.columns.iter().filter(|column| column.ordered).collect();
        if let [one, other, ..] = ordered.as_slice()
            && self.one_in(3)
        {
            let statistics = self.qualified();
            self.say(format!(
                "CREATE STATISTICS {statistics} (dependencies, mcv) ON {}, {} FROM {}",
                one.name, other.name, table.name
            ));
        }
    }

    fn any_table(&mut self) -> usize {
        self.random.gen_range(0..self.tables.len())
    }

    fn foreign_key(&mut self) {
        let (from, to) = (self.any_table(), self.any_table());
        if self.tables[to].unlogged {
            return;
        }
        let Some(key) = self.tables[to].key.clone() else { return };
        // A table with checks that are still to be made cannot be altered.
        self.say("SET CONSTRAINTS ALL IMMEDIATE");
        let (name, column) = (self.name(), self.name());
        let (from, to) = (self.tables[from].name.clone(), &self.tables[to]);
        let (to, rows) = (to.name.clone(), to.rows);
        self.say(format!("ALTER TABLE {from} ADD COLUMN {column} bigint"));
        if rows > 0 {
            self.say(format!("UPDATE {from} SET {column} = {}", 1 + rows / 2));
        }
        let on = ["", " ON DELETE CASCADE", " ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED"];
        let on = on.choose(&mut self.random).unwrap();
        self.say(format!(
            "ALTER TABLE {from} ADD CONSTRAINT {name} FOREIGN KEY ({column}) REFERENCES {to} ({key}){on}"
        ));
    }

    fn view(&mut self) {
        let (one, other) = (self.any_table(), self.any_table());
        let name = self.qualified();
        let columns: Vec<_> =
            self.tables[one].columns.iter().map(|column| format!("one.{}", column.name)).collect();
        let columns = if columns.is_empty() { "1 AS nothing".to_owned() } else { columns.join(", ") };
        let query = format!(
            "SELECT {columns}, (SELECT count(*) FROM {} other) AS \"how many\" FROM {} one WHERE one.* IS NOT NULL",
            self.tables[other].name, self.tables[one].name
        );
        let create = match self.random.gen_range(0..4) {
            0 => format!("CREATE VIEW {name} WITH (security_barrier) AS {query}"),
            1 => format!("CREATE MATERIALIZED VIEW {name} AS {query}"),
            2 => format!("CREATE MATERIALIZED VIEW {name} AS {query} WITH NO DATA"),
            _ => format!("CREATE VIEW {name} AS {query}"),
        };
        self.say(create);
    }

    fn policy(&mut self) {
        let table = self.any_table();
        let (name, table) = (self.name(), &self.tables[table]);
        let condition =
            table.key.as_ref().map_or("true".to_owned(), |key| format!("{key} > 3 AND CURRENT_USER <> 'x'"));
        let table = table.name.clone();
        let kind = ["", " AS RESTRICTIVE", " FOR SELECT", " FOR UPDATE TO \"zoo keeper\""]
            .choose(&mut self.random)
            .unwrap();
        self.say(format!("CREATE POLICY {name} ON {table}{kind} USING ({condition})"));
        if self.one_in(2) {
            self.say(format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"));
        }
    }

    fn trigger(&mut self) {
        let (function, trigger, table) = (self.qualified(), self.name(), self.any_table());
        let table = self.tables[table].name.clone();
        self.say(format!("CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SET work_mem = '5MB' AS $f$\nBEGIN\n  -- '; $$\n  RETURN NEW;\nEND $f$"));
        let when = ["BEFORE INSERT", "AFTER UPDATE OR DELETE"].choose(&mut self.random).unwrap();
        self.say(format!(
            "CREATE TRIGGER {trigger} {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {function}('a''b')"
        ));
        if self.one_in(3) {
            self.say(format!("ALTER TABLE {table} DISABLE TRIGGER {trigger}"));
        }
    }

    fn right(&mut self) {
        let table = self.any_table();
        let table = &self.tables[table];
        let (name, column) = (table.name.clone(), table.columns.first().map(|column| column.name.clone()));
        let statement = match (self.random.gen_range(0..4), column) {
            (0, Some(column)) => {
                format!("GRANT SELECT ({column}), UPDATE ({column}) ON {name} TO \"zoo keeper\"")
            }
            (1, _) => format!("REVOKE ALL ON {name} FROM CURRENT_USER, PUBLIC"),
            (2, _) => format!("ALTER TABLE {name} OWNER TO \"zoo keeper\""),
            _ => format!(
                "GRANT ALL ON {name} TO PUBLIC; GRANT INSERT ON {name} TO \"zoo keeper\" WITH GRANT OPTION"
            ),
        };
        self.say(statement);
    }

    fn odd_one(&mut self) {
        let (name, table) = (self.qualified(), self.any_table());
        let table = self.tables[table].name.clone();
        let statement = match self.random.gen_range(0..6) {
            0 => format!(
                "CREATE SEQUENCE {name} AS int INCREMENT -2 MAXVALUE 7 CYCLE CACHE 2; SELECT nextval({})",
                backstop_policy::identifier::literal(&name)
            ),
            1 => format!(
                "SELECT lo_from_bytea(0, decode(repeat('ab{}', 3000), 'hex'))",
                self.random.gen_range(10..99)
            ),
            2 => format!("COMMENT ON TABLE {table} IS E'it''s \\\\ a\\ncomment; --'"),
            3 => format!("CREATE RULE {} AS ON DELETE TO {table} DO INSTEAD NOTHING", self.name()),
            4 => format!(
                "CREATE FUNCTION {name}(a int DEFAULT 3, VARIADIC b text[] DEFAULT '{{}}') RETURNS SETOF int LANGUAGE sql STABLE ROWS 9 AS 'SELECT $1'"
            ),
            _ => format!("CREATE AGGREGATE {name} (int) (sfunc = int4pl, stype = int, initcond = '0')"),
        };
        self.say(statement);
    }
}
