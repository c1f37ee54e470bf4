//! The shop that the demo loads: every kind of object is in it, the same rows
//! every time, on every server version.

use crate::support::{cluster::Server, tools};

const KINDS: &str = "
    SELECT 'tables', count(*) FROM pg_tables WHERE schemaname = 'public'
    UNION ALL SELECT 'foreign keys', count(*) FROM pg_constraint WHERE contype = 'f'
    UNION ALL SELECT 'policies', count(*) FROM pg_policies
    UNION ALL SELECT 'views', count(*) FROM pg_views WHERE schemaname = 'public'
    UNION ALL SELECT 'materialized views', count(*) FROM pg_matviews
    UNION ALL SELECT 'sequences', count(*) FROM pg_sequences
    UNION ALL SELECT 'enums', count(DISTINCT enumtypid) FROM pg_enum
    UNION ALL SELECT 'triggers', count(*) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'large objects', count(*) FROM pg_largeobject_metadata";
const ROWS: &str = "
    SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM products), (SELECT count(*) FROM orders),
           (SELECT count(*) FROM order_items), (SELECT sum(total) FROM order_totals)";

#[tokio::test]
async fn the_shop_is_the_same_on_every_server_version() {
    let mut rows = Vec::new();
    for &major in tools::majors() {
        let server = Server::start(major).await;
        assert!(server.sql("postgres", "SHOW server_version").await.starts_with(&major.to_string()));
        server.create_shop("shop", 0.05).await;
        let kinds = server.sql("shop", KINDS).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(kinds, @r"
            tables|4
            foreign keys|3
            policies|4
            views|1
            materialized views|1
            sequences|4
            enums|1
            triggers|1
            large objects|1
            ");
        }
        rows.push(server.sql("shop", ROWS).await);
        server.cluster.stop().await.unwrap();
    }
    rows.dedup();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0].starts_with("500|100|1800|4500|"), "{}", rows[0]);
}
