//! Restore stories over a database that is in use: a safety backup, a swap of
//! names and the way back; one transaction where names cannot be swapped; and
//! single tables. Whatever fails leaves the database as it was.

use tokio_postgres::NoTls;

use crate::restore::{Shop, find, json};
use crate::support::tools;

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_with_connected_clients_and_the_way_back() {
    let shop = Shop::open(15).await;
    let good = shop.look("shop").await;
    let id = shop.backup();
    shop.server
        .sql("shop", "DELETE FROM order_items; UPDATE users SET name = 'gone'; DROP TABLE products CASCADE")
        .await;
    let bad = "SELECT (SELECT count(*) FROM order_items), (SELECT count(DISTINCT name) FROM users), to_regclass('products')";
    assert_eq!(shop.server.sql("shop", bad).await, "0|1|");
    let (client, connection) = shop.server.cluster.config("shop").connect(NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute("BEGIN; SELECT count(*) FROM users").await.unwrap();

    let asked = shop.run(&["restore", &id, "--in-place"]).run().ended(2);
    assert!(
        asked.stderr.contains("'shop' would be overwritten, and nobody is there to confirm it"),
        "{}",
        asked.stderr
    );
    assert!(
        asked.stderr.contains("3 tables, about ") && asked.stderr.contains("other session"),
        "{}",
        asked.stderr
    );
    client.batch_execute("SELECT 1").await.unwrap();

    let done = json(&shop.run(&["restore", &id, "--in-place", "--yes", "--format", "json"]).run().ended(0));
    assert_eq!(shop.look("shop").await, good);
    assert!(client.batch_execute("SELECT 1").await.is_err(), "the old session lives on");
    assert!(connection.await.unwrap().is_err());
    let set_aside = done["set_aside"].as_str().unwrap();
    assert_eq!(shop.server.sql(set_aside, bad).await, "0|1|");
    assert_eq!(shop.databases().await, format!("postgres\nshop\n{set_aside}"));

    // The safety backup holds what was overwritten.
    let safety = done["safety_backup"].as_str().unwrap();
    let listed = shop.run(&["show", safety, "--format", "json"]).run().ended(0);
    assert!(listed.stdout.contains("\"tier\": \"safety\""), "{}", listed.stdout);
    shop.run(&["restore", safety, "--new-db", "check"]).run().ended(0);
    // It is the newest, but it holds the damage: who says `latest` does not mean it.
    let latest = shop.run(&["show", "latest", "--format", "json"]).run().ended(0);
    assert!(latest.stdout.contains(&id), "{}", latest.stdout);
    assert_eq!(shop.server.sql("check", bad).await, "0|1|");

    let refused = shop.run(&["restore", "--undo", "check", "--yes"]).run().ended(2);
    assert!(
        refused.stderr.contains("is not a database that a restore of 'shop' set aside"),
        "{}",
        refused.stderr
    );
    shop.run(&["restore", "--undo", set_aside, "--yes"]).run().ended(0);
    assert_eq!(shop.server.sql("shop", bad).await, "0|1|");
    assert!(shop.databases().await.contains("shop_undone_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_in_the_middle_leaves_the_old_one_untouched() {
    let shop = Shop::open(15).await;
    let id = shop.backup();
    shop.server.sql("shop", "UPDATE users SET name = 'new'; DELETE FROM order_items WHERE line > 2").await;
    let before = shop.look("shop").await;
    let databases = shop.databases().await;
    let log = shop.store.path().join("hooks");
    let config =
        format!("version: 1\nhooks:\n  after_restore: 'echo $BACKSTOP_RESULT >> {}'\n", log.display());

    // The last bytes of the artifact are changed: known only when all was read.
    let object = find(shop.store.path(), &format!("{id}.dump"));
    let whole = std::fs::read(&object).unwrap();
    let mut bent = whole.clone();
    bent[20] ^= 1;
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, &bent).unwrap();
    let failed =
        shop.run(&["restore", &id, "--in-place", "--yes"]).file("backstop.yml", &config).run().ended(2);
    assert!(failed.stderr.contains("is not what was committed"), "{}", failed.stderr);
    assert_eq!((shop.look("shop").await, shop.databases().await), (before.clone(), databases.clone()));
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "failed\n");
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, &whole).unwrap();

    // No store for the safety backup, nothing begins.
    let bare =
        crate::support::command::backstop(["restore", object.to_str().unwrap(), "--in-place", "--yes"])
            .env("DATABASE_URL", shop.server.cluster.conninfo("shop"))
            .run()
            .ended(2);
    assert!(bare.stderr.contains("no store for the safety backup"), "{}", bare.stderr);

    assert_eq!((shop.look("shop").await, shop.databases().await), (before, databases));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replication_slot_on_the_old_one_refuses_the_swap() {
    use backstop::postgres::cluster::ClusterOptions;
    let settings = [("wal_level", "logical"), ("max_wal_senders", "2"), ("max_replication_slots", "2")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    let server =
        crate::support::cluster::Server::start_with(15, &ClusterOptions { settings, ..Default::default() })
            .await;
    server.create_shop("shop", 0.01).await;
    let shop = Shop { server, store: tempfile::tempdir().unwrap(), database: "shop".into() };
    let id = shop.backup();
    shop.server.sql("shop", "SELECT pg_create_logical_replication_slot('reader', 'pgoutput')").await;
    let refused = shop.run(&["restore", &id, "--in-place", "--yes"]).run().ended(2);
    assert!(
        refused.stderr.contains("replication slots of database 'shop' would be lost: reader"),
        "{}",
        refused.stderr
    );
    shop.server.sql("shop", "SELECT pg_drop_replication_slot('reader')").await;
    shop.run(&["restore", &id, "--in-place", "--yes"]).run().ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_rename_replaces_the_contents_in_one_transaction() {
    let shop = Shop::open(15).await;
    shop.server.sql("postgres", "CREATE ROLE tenant LOGIN").await;
    shop.server
        .sql(
            "shop",
            "ALTER DATABASE shop OWNER TO tenant; SET client_min_messages = error; \
             GRANT shop_app, shop_support TO tenant; \
             DO $$ DECLARE o record; BEGIN \
               FOR o IN SELECT format('ALTER TABLE %s OWNER TO tenant', oid::regclass) AS sql FROM pg_class \
                 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm') \
                 UNION ALL SELECT format('ALTER FUNCTION %s OWNER TO tenant', oid::regprocedure) FROM pg_proc \
                 WHERE pronamespace = 'public'::regnamespace \
                 UNION ALL SELECT 'ALTER TYPE order_status OWNER TO tenant' \
                 UNION ALL SELECT format('ALTER LARGE OBJECT %s OWNER TO tenant', oid) FROM pg_largeobject_metadata \
               LOOP EXECUTE o.sql; END LOOP; END $$",
        )
        .await;
    // What only a superuser may own is rehearsed too, and then left out.
    shop.server
        .sql(
            "shop",
            "CREATE ROLE boss SUPERUSER; CREATE FUNCTION nothing() RETURNS event_trigger LANGUAGE plpgsql \
             AS 'BEGIN END'; ALTER FUNCTION nothing OWNER TO tenant; \
             CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION nothing(); \
             ALTER EVENT TRIGGER watch OWNER TO boss",
        )
        .await;
    let good = shop.look("shop").await;
    let id = shop.backup();
    shop.server.sql("shop", "DROP EVENT TRIGGER watch").await;
    let as_tenant = shop.server.cluster.conninfo("shop").replace("user='postgres'", "user='tenant'");
    shop.server
        .sql("shop", "DELETE FROM order_items; CREATE TABLE later (a int); ALTER TABLE later OWNER TO tenant")
        .await;
    let done = shop
        .run(&["restore", &id, "--in-place", "--yes", "--format", "json"])
        .env("DATABASE_URL", &as_tenant)
        .run()
        .ended(0);
    let at = |said: &str| done.stderr.find(said).unwrap_or_else(|| panic!("{said}: {}", done.stderr));
    assert!(
        at("what others write after the safety backup has begun is lost") < at("trial restore into a throw")
    );
    assert!(at("trial restore into a throwaway PostgreSQL") < at("taking a safety backup first"));
    let report = json(&done);
    assert_eq!(report["comparison"]["state"], "equal", "{report}");
    assert!(report["set_aside"].is_null());
    assert_eq!(shop.look("shop").await, good);

    // What is elsewhere and hangs on it is in no dump: nothing begins.
    shop.server
        .sql(
            "shop",
            "CREATE SCHEMA elsewhere; CREATE VIEW elsewhere.names AS SELECT name FROM users; \
             CREATE VIEW elsewhere.more AS SELECT * FROM elsewhere.names; \
             CREATE TABLE elsewhere.notes (id bigint REFERENCES users, state order_status, more text)",
        )
        .await;
    let refused =
        shop.run(&["restore", &id, "--in-place", "--yes"]).env("DATABASE_URL", &as_tenant).run().ended(2);
    assert!(
        refused.stderr.contains(
            "error: what is not in the dump would be dropped, since it depends on what is replaced: \
             table column elsewhere.notes.state, table constraint notes_id_fkey on elsewhere.notes, \
             view elsewhere.more, view elsewhere.names\nhint: drop it"
        ),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("safety backup"), "{}", refused.stderr);
    shop.server.sql("shop", "DROP SCHEMA elsewhere CASCADE").await;

    // An object outside of what the tenant owns stops it, and nothing has changed.
    shop.server
        .sql(
            "shop",
            "DELETE FROM order_items WHERE line = 1; CREATE SCHEMA shared; CREATE VIEW shared.v AS SELECT 1",
        )
        .await;
    let before = shop.look("shop").await;
    shop.server
        .sql("shop", "ALTER TABLE users OWNER TO postgres; ALTER SCHEMA public OWNER TO postgres")
        .await;
    shop.run(&["restore", &id, "--in-place", "--yes"]).env("DATABASE_URL", &as_tenant).run().ended(2);
    shop.server
        .sql("shop", "ALTER TABLE users OWNER TO tenant; ALTER SCHEMA public OWNER TO pg_database_owner")
        .await;
    assert_eq!(shop.look("shop").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_table_of_a_living_database_gets_its_rows_back() {
    let shop = Shop::open(18).await;
    shop.server
        .sql(
            "shop",
            "CREATE TABLE down (id int GENERATED ALWAYS AS IDENTITY (INCREMENT -1), word text); \
             CREATE TABLE up (LIKE down); ALTER TABLE up ALTER id ADD GENERATED ALWAYS AS IDENTITY; \
             INSERT INTO down (word) VALUES ('a'), ('b'), ('c'); INSERT INTO up (word) VALUES ('a'), ('b'), ('c')",
        )
        .await;
    let id = shop.backup();
    // Their next numbers are some that were given already.
    shop.server.sql("shop", "SELECT setval('down_id_seq', -2), setval('up_id_seq', 3, false)").await;
    shop.run(&["restore", &id, "--table", "down", "--table", "up", "--in-place", "--yes"]).run().ended(0);
    let next = "SELECT nextval('down_id_seq'), nextval('up_id_seq')";
    assert_eq!(shop.server.sql("shop", next).await, "-4|4");
    shop.server.sql("shop", "SELECT setval('down_id_seq', -9), setval('up_id_seq', 9, false)").await;
    shop.run(&["restore", &id, "--table", "down", "--table", "up", "--in-place", "--yes"]).run().ended(0);
    assert_eq!(shop.server.sql("shop", next).await, "-10|9");
    let rows = "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM order_items t";
    let good = shop.server.sql("shop", rows).await;
    let constraints = "SELECT count(*), md5(string_agg(conname || pg_get_constraintdef(oid), '|' ORDER BY conname)) \
                       FROM pg_constraint WHERE connamespace = 'public'::regnamespace";
    let keys = shop.server.sql("shop", constraints).await;
    shop.server.sql("shop", "UPDATE order_items SET quantity = 99; UPDATE users SET name = 'kept'").await;
    let done = shop.run(&["restore", &id, "--table", "order_items", "--in-place", "--yes"]).run().ended(0);
    assert_eq!(shop.server.sql("shop", rows).await, good);
    assert_eq!(shop.server.sql("shop", "SELECT DISTINCT name FROM users").await, "kept");
    assert_eq!(shop.server.sql("shop", constraints).await, keys);
    assert!(
        done.stdout.contains("rows replaced in public.order_items; all foreign keys hold"),
        "{}",
        done.stdout
    );
    assert!(done.stdout.contains("in 1 table") && done.stdout.contains("safety"), "{}", done.stdout);

    // Rows that others have come to refer to: the keys would not hold.
    shop.server
        .sql(
            "shop",
            "INSERT INTO orders (user_id, ordered_at) VALUES (1, now()); \
        INSERT INTO order_items VALUES ((SELECT max(id) FROM orders), 1, 1, 1, 1)",
        )
        .await;
    let before = shop.look("shop").await;
    let refused = shop.run(&["restore", &id, "--table", "orders", "--in-place", "--yes"]).run().ended(2);
    assert!(refused.stderr.contains("order_items_order_id_fkey"), "{}", refused.stderr);
    assert_eq!(shop.look("shop").await, before);

    // The trigger rests meanwhile and wakes up again; no number is given twice.
    shop.server
        .sql(
            "shop",
            "DELETE FROM order_items; INSERT INTO products (sku, title, price, attributes) \
        SELECT 'N' || n, 'new', 1, '{}' FROM generate_series(1, 5) n",
        )
        .await;
    let position = "SELECT last_value FROM products_id_seq";
    let ahead = shop.server.sql("shop", position).await;
    shop.run(&["restore", &id, "--table", "products", "--in-place", "--yes"]).run().ended(0);
    assert_eq!(shop.server.sql("shop", position).await, ahead);
    assert_eq!(
        shop.server.sql("shop", "SELECT tgenabled FROM pg_trigger WHERE tgname = 'products_price'").await,
        "O"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_table_comes_back_beside_the_living_ones() {
    let shop = Shop::open(15).await;
    let good = shop.look("shop").await;
    let id = shop.backup();
    shop.server.sql("shop", "DROP TABLE order_items CASCADE").await;
    shop.server.sql("shop", "UPDATE users SET settings = '{}'").await;
    let done = shop.run(&["restore", &id, "--table", "order_items", "--in-place"]).run().ended(0);
    let part = |look: &str, names: &[&str]| {
        look.lines()
            .filter(|line| names.iter().any(|name| line.starts_with(name)))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let now = shop
        .server
        .sql("shop", "SELECT 'items', count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM order_items t \
                      UNION ALL SELECT 'indexes', count(*), '' FROM pg_indexes WHERE tablename = 'order_items'")
        .await;
    assert_eq!(part(&now, &["items"]), part(&good, &["items"]));
    assert!(now.contains("indexes|2|"), "{now}");
    assert!(done.stdout.contains("in 1 table"), "{}", done.stdout);
    for said in [
        "public.order_items comes back",
        "view public.order_totals was gone with it",
        "view public.best_sellers was gone with it",
    ] {
        assert!(done.stderr.contains(said), "{said}: {}", done.stderr);
    }
    let keys = "SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE conrelid = 'order_items'::regclass AND contype = 'f'";
    assert_eq!(shop.server.sql("shop", keys).await, "order_items_order_id_fkey,order_items_product_id_fkey");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_sql_in_place_keeps_what_the_database_itself_was_like() {
    let shop = Shop::open(18).await;
    let good = shop.look("shop").await;
    shop.server
        .sql(
            "shop",
            "CREATE ROLE keeper; ALTER DATABASE shop OWNER TO keeper; ALTER DATABASE shop CONNECTION LIMIT 17; \
             ALTER DATABASE shop SET search_path TO app, \"$user\", public; COMMENT ON DATABASE shop IS 'it''s ours'; \
             REVOKE CONNECT ON DATABASE shop FROM PUBLIC; GRANT CONNECT ON DATABASE shop TO shop_app; \
             ALTER ROLE shop_app IN DATABASE shop SET application_name TO 'a, \"b\"'",
        )
        .await;
    let own = "SELECT pg_get_userbyid(datdba), datconnlimit, shobj_description(d.oid, 'pg_database'), \
        (SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM unnest(datacl) x), \
        (SELECT string_agg(coalesce(setrole::regrole::text, '') || setconfig::text, ' ' ORDER BY setrole) \
         FROM pg_db_role_setting WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = 'shop'";
    let before = shop.server.sql("postgres", own).await;
    let dump = tools::postgres(18).join("pg_dump");
    let file = shop.store.path().join("a.sql");
    let done = std::process::Command::new(dump)
        .arg("-f")
        .arg(&file)
        .arg(shop.server.cluster.conninfo("shop"))
        .status();
    assert!(done.unwrap().success());
    shop.server.sql("shop", "DELETE FROM order_items").await;
    shop.run(&["restore", file.to_str().unwrap(), "--in-place", "--yes"]).run().ended(0);
    assert_eq!(shop.look("shop").await, good);
    assert_eq!(shop.server.sql("postgres", own).await, before);
}
