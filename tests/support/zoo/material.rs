//! What random schemas are made of: types with values for them, and names.

/// Types with a value for row `n`; those in the first part can be ordered.
pub const TYPES: [(&str, &str); 24] = [
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
pub const ORDERED: usize = 21;
pub const NAMES: [&str; 14] = [
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
