//! Restore stories: a backup into a new database, parts of it, into an empty
//! database elsewhere, and what is refused before anything is touched.

use std::path::Path;

use backstop::postgres::cluster::ClusterOptions;
use nix::sys::signal::Signal;
use secrecy::ExposeSecret;

use crate::support::cluster::Server;
use crate::support::command::{Backstop, Outcome, backstop};
use crate::support::depot::until;
use crate::support::scene::processes;

/// Everything of the shop that a user would miss, by the server's own words.
pub const LOOK: &str = "
    SELECT 'users', count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM public.users t
    UNION ALL SELECT 'products', count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM public.products t
    UNION ALL SELECT 'orders', count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM public.orders t
    UNION ALL SELECT 'items', count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM public.order_items t
    UNION ALL SELECT 'best', count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM public.best_sellers t
    UNION ALL SELECT 'totals', count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM public.order_totals t
    UNION ALL SELECT 'columns', count(*), md5(string_agg(concat_ws(' ', table_name, column_name, data_type,
        column_default, is_nullable, identity_generation, generation_expression), '|' ORDER BY table_name, column_name))
        FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'indexes', count(*), md5(string_agg(indexdef, '|' ORDER BY indexdef))
        FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'constraints', count(*), md5(string_agg(conname || pg_get_constraintdef(oid), '|' ORDER BY conname))
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL SELECT 'policies', count(*), md5(string_agg(p::text, '|' ORDER BY p::text)) FROM pg_policies p
    UNION ALL SELECT 'triggers', count(*), md5(string_agg(pg_get_triggerdef(oid), '|' ORDER BY tgname))
        FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'functions', count(*), md5(string_agg(proname || prosrc, '|' ORDER BY proname))
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'sequences', count(*), string_agg(sequencename || '=' || coalesce(last_value, 0), ' ' ORDER BY sequencename)
        FROM pg_sequences WHERE schemaname = 'public'
    UNION ALL SELECT 'large objects', count(*), md5(string_agg(data, ''::bytea ORDER BY loid, pageno)) FROM pg_largeobject
    UNION ALL SELECT 'grants', count(*), md5(string_agg(relname || relacl::text, '|' ORDER BY relname))
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relacl IS NOT NULL
    UNION ALL SELECT 'comments', count(*), md5(string_agg(description, '|' ORDER BY description)) FROM pg_description
        WHERE objoid = 'public.orders'::regclass";

/// A server with the shop on it, and a store to keep backups in.
pub struct Shop {
    pub server: Server,
    pub store: tempfile::TempDir,
    pub database: String,
}

impl Shop {
    pub async fn open(major: u32) -> Self {
        Self::open_named(major, "shop").await
    }

    pub async fn open_named(major: u32, database: &str) -> Self {
        let server =
            Server::start_with(major, &ClusterOptions { tcp: true, ..ClusterOptions::default() }).await;
        server.create_shop(database, 0.02).await;
        Self { server, store: tempfile::tempdir().unwrap(), database: database.to_owned() }
    }

    /// `backstop` for this shop's database and store.
    pub fn run(&self, arguments: &[&str]) -> Backstop {
        let mut all: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        all.extend([
            "--store".to_owned(),
            format!("file://{}", self.store.path().display()),
            "--no-progress".to_owned(),
        ]);
        backstop(all).env("DATABASE_URL", self.server.cluster.conninfo(&self.database))
    }

    /// Take a backup; its id.
    pub fn backup(&self) -> String {
        let taken = self.run(&["backup", "--format", "json"]).run().ended(0);
        let manifest: serde_json::Value = serde_json::from_str(&taken.stdout).unwrap();
        manifest["id"].as_str().unwrap().to_owned()
    }

    pub async fn look(&self, database: &str) -> String {
        self.server.sql(database, LOOK).await
    }

    pub async fn databases(&self) -> String {
        self.server
            .sql("postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1")
            .await
    }
}

/// An empty database `target`, and the roles that the shop's objects need.
pub async fn create_target(server: &Server) {
    server.sql("postgres", "CREATE ROLE shop_app; CREATE ROLE shop_support").await;
    server.sql("postgres", "CREATE DATABASE target").await;
}

pub fn json(outcome: &Outcome) -> serde_json::Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.stdout))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_restore_equals_the_source_and_carries_the_databases_own_settings() {
    for major in [15, 18] {
        let shop = Shop::open(major).await;
        shop.server
            .sql(
                "shop",
                "CREATE ROLE keeper; ALTER DATABASE shop OWNER TO keeper; ALTER DATABASE shop SET work_mem TO '7MB'; \
                 REVOKE CONNECT ON DATABASE shop FROM PUBLIC; GRANT CONNECT ON DATABASE shop TO shop_app; \
                 COMMENT ON DATABASE shop IS 'DATABASE shop; it''s ours'; \
                 ALTER ROLE shop_app IN DATABASE shop SET search_path TO public, \"$user\"",
            )
            .await;
        let before = shop.look("shop").await;
        shop.backup();
        shop.server.sql("shop", "DELETE FROM order_items").await;

        let done = shop.run(&["restore", "--new-db", "copy", "--format", "json"]).run().ended(0);
        assert_eq!(shop.look("copy").await, before);
        let report = json(&done);
        assert_eq!(report["comparison"]["state"], "equal", "{report}");
        assert_eq!((report["tables"].as_u64(), report["database"].as_str()), (Some(4), Some("copy")));
        let own = |name: &str| {
            format!(
                "SELECT pg_get_userbyid(datdba), (SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM unnest(datacl) x), shobj_description(d.oid, 'pg_database'), \
                 (SELECT string_agg(coalesce(setrole::regrole::text, '') || setconfig::text, ' ' ORDER BY setrole) \
                 FROM pg_db_role_setting WHERE setdatabase = d.oid), datcollate, datctype, encoding \
                 FROM pg_database d WHERE datname = '{name}'"
            )
        };
        let settings = shop.server.sql("postgres", &own("copy")).await;
        assert_eq!(settings, shop.server.sql("postgres", &own("shop")).await);
        assert!(settings.contains("work_mem=7MB") && settings.starts_with("keeper|"), "{settings}");

        // Its name is taken now; nothing is written over.
        let refused = shop.run(&["restore", "--new-db", "copy"]).run().ended(2);
        assert!(refused.stderr.contains("there is a database 'copy' already"), "{}", refused.stderr);
        assert_eq!(shop.look("copy").await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_destination_it_goes_beside_the_source() {
    let shop = Shop::open(15).await;
    let id = shop.backup();
    let done = shop.run(&["restore", &id[..12]]).run().ended(0);
    let databases = shop.databases().await;
    let name = databases.lines().find(|name| name.starts_with("shop_restored_")).unwrap();
    assert_eq!(shop.look(name).await, shop.look("shop").await);
    assert!(done.stdout.contains(&format!("into database '{name}'")), "{}", done.stdout);
    assert!(done.stdout.contains("equal to the snapshot"), "{}", done.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn weird_database_names_are_no_trouble() {
    let name = r#"it's "=" a;b \ c"#;
    let shop = Shop::open_named(18, name.replace('"', "").as_str()).await;
    shop.backup();
    shop.run(&["restore", "--new-db", name]).run().ended(0);
    assert_eq!(shop.look(name).await, shop.look(&shop.database).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_table_comes_with_all_that_belongs_to_it() {
    let shop = Shop::open(15).await;
    shop.backup();
    let done = shop.run(&["restore", "--new-db", "part", "--table", "orders"]).run().ended(0);
    let facts = "SELECT (SELECT count(*) FROM orders), \
        (SELECT string_agg(indexname, ',' ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'public'), \
        (SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE conrelid = 'orders'::regclass \
         AND contype <> 'n'), \
        (SELECT string_agg(policyname, ',' ORDER BY policyname) FROM pg_policies), \
        (SELECT string_agg(sequencename || '=' || last_value, ',' ORDER BY sequencename) FROM pg_sequences), \
        (SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relkind = 'r' \
         AND relnamespace = 'public'::regnamespace)";
    assert_eq!(
        shop.server.sql("part", facts).await,
        "720|orders_invoice_key,orders_open,orders_pkey,orders_user|orders_invoice_key,orders_pkey|\
         orders_own,orders_support|invoice_number=100719,orders_id_seq=720|orders"
    );
    assert!(done.stderr.contains("orders_user_id_fkey"), "no preview of foreign keys: {}", done.stderr);
    assert!(
        done.stdout.contains("in 1 table") && done.stdout.contains("equal to the snapshot"),
        "{}",
        done.stdout
    );

    let near = shop.run(&["restore", "--new-db", "none", "--table", "ordres"]).run().ended(2);
    assert!(near.stderr.contains("did you mean") && near.stderr.contains("orders"), "{}", near.stderr);
    assert!(!shop.databases().await.contains("none"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_comes_with_its_table_and_its_function() {
    let shop = Shop::open(18).await;
    shop.backup();
    shop.run(&["restore", "--new-db", "part", "--table", "public.products"]).run().ended(0);
    let free = "DO $$ BEGIN UPDATE products SET price = 0 WHERE id = 1; \
                EXCEPTION WHEN raise_exception THEN RETURN; END $$; SELECT price FROM products WHERE id = 1";
    assert_ne!(shop.server.sql("part", free).await, "0.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_alone_and_then_the_rows_alone() {
    let shop = Shop::open(15).await;
    let before = shop.look("shop").await;
    shop.backup();
    shop.run(&["restore", "--new-db", "bones", "--schema-only"]).run().ended(0);
    let counts = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM order_items), \
                  (SELECT count(*) FROM pg_policies), (SELECT count(*) FROM pg_indexes WHERE schemaname = 'public')";
    assert_eq!(shop.server.sql("bones", counts).await, "0|0|4|15");

    let to = shop.server.cluster.conninfo("bones");
    shop.run(&["restore", "--data-only", "--to", &to]).run().ended(0);
    let after = shop.look("bones").await;
    assert_eq!(after, before);
    assert_eq!(shop.server.sql("bones", "SELECT count(*) FROM pg_trigger WHERE tgenabled <> 'O'").await, "0");

    // There are rows now, and --data-only adds to none.
    let refused = shop.run(&["restore", "--data-only", "--to", &to]).run().ended(2);
    assert!(refused.stderr.contains("is not empty: it holds rows in public."), "{}", refused.stderr);
    let refused = shop.run(&["restore", "--data-only", "--new-db", "x"]).run().ended(2);
    assert!(
        refused.stderr.contains("--data-only needs a database that has the tables"),
        "{}",
        refused.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_elsewhere_is_filled_and_any_other_refused() {
    let shop = Shop::open(15).await;
    let before = shop.look("shop").await;
    shop.backup();
    let other = Server::start(18).await;
    create_target(&other).await;
    other.sql("target", "CREATE TYPE mood AS ENUM ('good')").await;
    let to = other.cluster.conninfo("target");
    let refused = shop.run(&["restore", "--to", &to]).run().ended(2);
    assert!(
        refused.stderr.contains("database 'target' is not empty: it holds type mood"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("--in-place"), "{}", refused.stderr);
    other.sql("target", "DROP TYPE mood").await;
    shop.run(&["restore", "--to", &to]).run().ended(0);
    let rows = |text: &str| text.lines().take(6).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rows(&other.sql("target", LOOK).await), rows(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_a_newer_client_goes_into_an_older_server() {
    let shop = Shop::open(18).await;
    let before = shop.look("shop").await;
    shop.backup();
    let older = Server::start(15).await;
    create_target(&older).await;
    let done = shop.run(&["restore", "--to", &older.cluster.conninfo("target")]).run().ended(0);
    assert!(done.stdout.contains("equal to the snapshot"), "{}", done.stdout);
    let rows = |text: &str| text.lines().take(6).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rows(&older.sql("target", LOOK).await), rows(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_is_known_again_behind_any_url() {
    let shop = Shop::open(15).await;
    shop.backup();
    let (port, socket) = (shop.server.cluster.port(), shop.server.cluster.socket_dir().display().to_string());
    let password = shop.server.cluster.url("shop").unwrap();
    let password = password.expose_secret().split([':', '@']).nth(2).unwrap().to_owned();
    for to in [
        format!("postgresql://postgres@127.0.0.1:{port}/shop"),
        format!("postgresql://postgres@localhost:{port}/shop?application_name=other"),
        format!("host={socket} port={port} user=postgres dbname=shop"),
    ] {
        let refused = shop.run(&["restore", "--to", &to]).env("PGPASSWORD", &password).run().ended(2);
        let said = "'shop' is the very database that is restored from";
        assert!(refused.stderr.contains(said), "{to}: {}", refused.stderr);
        assert!(!refused.stderr.contains(&password));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_roles_are_known_before_anything_starts() {
    let shop = Shop::open(15).await;
    shop.backup();
    let other = Server::start(15).await;
    other.sql("postgres", "CREATE DATABASE target").await;
    let to = other.cluster.conninfo("target");
    let refused = shop.run(&["restore", "--to", &to]).run().ended(2);
    assert!(
        refused.stderr.contains("the server has no role 'shop_app', 'shop_support'"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("--globals") && refused.stderr.contains("--no-owner"),
        "{}",
        refused.stderr
    );
    assert_eq!(
        other
            .sql("target", "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
            .await,
        "0"
    );

    shop.run(&["restore", "--to", &to, "--globals"]).run().ended(0);
    assert_eq!(other.sql("target", "SELECT count(*) FROM pg_policies").await, "4");
    assert_eq!(
        other.sql("postgres", "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'shop_app'").await,
        "f"
    );

    let third = Server::start(18).await;
    let url = third.cluster.conninfo("postgres");
    let bare = shop
        .run(&[
            "restore",
            "--new-db",
            "bare",
            "--no-owner",
            "--no-privileges",
            "--url",
            &url,
            "--database",
            "shop",
        ])
        .run()
        .ended(0);
    assert!(
        bare.stdout.contains("POLICY") && bare.stdout.contains("there is no role 'shop_app'"),
        "{}",
        bare.stdout
    );
    assert_eq!(third.sql("bare", "SELECT count(*) FROM orders").await, "720");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_and_a_list_write_nothing() {
    let shop = Shop::open(15).await;
    shop.backup();
    let before = shop.databases().await;
    let list = shop.run(&["restore", "--list"]).run().ended(0);
    assert!(
        list.stdout.contains("POLICY") && list.stdout.contains("public.orders orders_own"),
        "{}",
        list.stdout
    );
    let list = json(&shop.run(&["restore", "--list", "--format", "json"]).run().ended(0));
    assert!(list["entries"].as_array().unwrap().iter().any(|entry| entry["kind"] == "TABLE DATA"), "{list}");
    let plan = shop.run(&["restore", "--dry-run", "--table", "order_items"]).run().ended(0);
    assert!(plan.stdout.contains("TABLE DATA public.order_items"), "{}", plan.stdout);
    assert!(plan.stdout.contains("order_items_order_id_fkey"), "{}", plan.stdout);
    assert_eq!(shop.databases().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_stand_around_a_restore_and_the_second_always_runs() {
    let shop = Shop::open(15).await;
    shop.backup();
    let log = shop.store.path().join("hooks.log");
    let config = |before: &str| {
        format!(
            "version: 1\nhooks:\n  before_restore: '{before}'\n  after_restore: 'echo \"$BACKSTOP_EVENT \
             $BACKSTOP_RESULT $(psql -At \"$DATABASE_URL\" -c \"select count(*) from users\" 2>/dev/null)\" >> {log}'\n",
            log = log.display()
        )
    };
    let before =
        format!("echo \"$BACKSTOP_EVENT $BACKSTOP_TARGET_DATABASE $BACKSTOP_DATABASE\" > {}", log.display());
    shop.run(&["restore", "--new-db", "one"]).file("backstop.yml", &config(&before)).run().ended(0);
    let lines = std::fs::read_to_string(&log).unwrap();
    assert_eq!(lines, "before_restore one shop\nafter_restore restored 200\n");

    let stopped =
        shop.run(&["restore", "--new-db", "two"]).file("backstop.yml", &config("exit 3")).run().ended(2);
    assert!(stopped.stderr.contains("hook before_restore ended with exit status: 3"), "{}", stopped.stderr);
    assert!(!shop.databases().await.contains("two"));
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(lines.ends_with("after_restore failed \n"), "{lines}");

    // A hook that hangs ends when it is told to, with what it started.
    let begun = shop.store.path().join("begun");
    let hangs = config(&format!("sleep 600 & touch {}; wait", begun.display()));
    let run = shop.run(&["restore", "--new-db", "three"]).file("backstop.yml", &hangs).start();
    let home = run.home.path().to_owned();
    until("the hook begins", async || begun.exists()).await;
    run.signal(Signal::SIGTERM);
    tokio::task::spawn_blocking(move || run.wait()).await.unwrap().ended(2);
    assert!(processes(&home).is_empty(), "{:?}", processes(&home));
    assert!(!shop.databases().await.contains("three"));
    let lines = std::fs::read_to_string(&log).unwrap();
    assert_eq!(lines.matches("after_restore failed \n").count(), 2, "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_object_is_restored_nowhere() {
    let shop = Shop::open(15).await;
    let id = shop.backup();
    let object = find(shop.store.path(), &format!("{id}.dump"));
    let whole = std::fs::read(&object).unwrap();
    let databases = shop.databases().await;
    // A date in the header: pg_restore itself would not mind.
    let mut bent = whole.clone();
    bent[20] ^= 1;
    let mut longer = whole.clone();
    longer.extend_from_slice(b"\0\0\0\0");
    for (name, bytes) in [("bent", &bent[..]), ("longer", &longer), ("cut", &whole[..whole.len() / 2])] {
        std::fs::remove_file(&object).unwrap();
        std::fs::write(&object, bytes).unwrap();
        let refused = shop.run(&["restore", "--new-db", "copy"]).run().ended(2);
        assert!(refused.stderr.contains("hint: "), "{name}: {}", refused.stderr);
        assert_eq!(shop.databases().await, databases, "{name}");
    }
}

/// The only file of that name below a directory.
pub fn find(directory: &Path, name: &str) -> std::path::PathBuf {
    let mut waiting = vec![directory.to_owned()];
    while let Some(path) = waiting.pop() {
        for entry in std::fs::read_dir(&path).unwrap().map(Result::unwrap) {
            if entry.file_name() == name {
                return entry.path();
            }
            if entry.path().is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    panic!("no '{name}' in {}", directory.display())
}
