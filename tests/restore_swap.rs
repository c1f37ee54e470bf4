//! The moment in which two databases exchange their names: who is connected, who
//! only seems to be, and what stays when it does not come about.

use backstop::postgres::cluster::ClusterOptions;
use tokio_postgres::NoTls;

use crate::restore::{Shop, json};
use crate::support::cluster::Server;
use crate::support::tools;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_be_ended_leaves_the_old_database_open() {
    let shop = Shop::open(15).await;
    shop.server
        .sql(
            "postgres",
            "CREATE ROLE tenant LOGIN CREATEDB BYPASSRLS; GRANT pg_read_all_data TO tenant; \
        ALTER DATABASE shop OWNER TO tenant; ALTER DATABASE shop SET work_mem TO '7MB'",
        )
        .await;
    shop.server.sql("shop", "SELECT lo_unlink(photo) FROM products WHERE photo IS NOT NULL").await;
    let id = shop.backup();
    let before = shop.look("shop").await;
    let as_tenant = shop.server.cluster.conninfo("shop").replace("user='postgres'", "user='tenant'");
    let mine = ["restore", &id, "--in-place", "--yes", "--no-owner", "--no-privileges"];
    // There must be a database from where to rename, and that is seen before anything else.
    let databases = shop.databases().await;
    shop.server.sql("postgres", "REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC").await;
    let refused = shop.run(&mine).env("DATABASE_URL", &as_tenant).run().ended(2);
    assert!(!refused.stderr.contains("safety backup"), "{}", refused.stderr);
    assert_eq!(shop.databases().await, databases);
    shop.server.sql("postgres", "GRANT CONNECT ON DATABASE postgres, template1 TO PUBLIC").await;
    // When it is taken away meanwhile, what was restored does not stay.
    let script = format!(
        "'{}' -qc 'REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC' \"{}\"",
        tools::postgres(15).join("psql").display(),
        shop.server.cluster.conninfo("postgres")
    );
    let hook = "version: 1\nhooks: {before_restore: sh hook.sh}\n";
    let run = shop.run(&mine).file("backstop.yml", hook).file("hook.sh", &script);
    let refused = run.env("DATABASE_URL", &as_tenant).run().ended(2);
    assert!(refused.stderr.contains("safety backup"), "{}", refused.stderr);
    assert_eq!(shop.databases().await, databases);
    shop.server.sql("postgres", "GRANT CONNECT ON DATABASE postgres, template1 TO PUBLIC").await;

    // The superuser's session is not the tenant's to end.
    let (client, connection) = shop.server.cluster.config("shop").connect(NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let failed = shop.run(&mine).env("DATABASE_URL", &as_tenant).run().ended(2);
    assert!(
        failed.stderr.contains("the databases could not be exchanged; 'shop' is as it was"),
        "{}",
        failed.stderr
    );
    assert!(failed.stderr.contains("1 sessions in database 'shop' do not end"), "{}", failed.stderr);
    client.batch_execute("SELECT 1").await.unwrap();
    assert_eq!(shop.look("shop").await, before);
    assert!(failed.stderr.contains("the restored data is in database 'shop_new_"), "{}", failed.stderr);

    drop(client);
    connection.await.unwrap().unwrap();
    shop.run(&mine).env("DATABASE_URL", &as_tenant).run().ended(0);
}

/// Autovacuum is no session of anybody's: the server ends it for a rename.
#[tokio::test(flavor = "multi_thread")]
async fn autovacuum_does_not_stand_in_the_way_of_a_swap() {
    let settings = [
        ("autovacuum", "on"),
        ("autovacuum_naptime", "1s"),
        ("autovacuum_vacuum_cost_delay", "100ms"),
        ("autovacuum_vacuum_cost_limit", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let server = Server::start_with(15, &ClusterOptions { settings, ..Default::default() }).await;
    server.sql("postgres", "CREATE ROLE tenant LOGIN CREATEDB").await;
    server.sql("postgres", "CREATE DATABASE shop OWNER tenant").await;
    let shop = Shop { server, store: tempfile::tempdir().unwrap(), database: "shop".into() };
    let tenant = "SET ROLE tenant;";
    shop.server.sql("shop", &format!("{tenant} CREATE TABLE small AS SELECT 1 AS id")).await;
    let as_tenant = shop.server.cluster.conninfo("shop").replace("user='postgres'", "user='tenant'");
    let file = shop.store.path().join("a.sql");
    std::fs::write(&file, "CREATE TABLE small AS SELECT 2 AS id;\n").unwrap();
    let busy = format!(
        "{tenant} CREATE TABLE busy AS SELECT n, repeat('x', 500) FROM generate_series(1, 50000) n; DELETE FROM busy"
    );
    shop.server.sql("shop", &busy).await;
    let worker =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop' AND backend_type = 'autovacuum worker'";
    let mut patience = 0..300;
    while shop.server.sql("postgres", worker).await == "0" {
        patience.next().expect("no autovacuum came");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let done = shop
        .run(&["restore", file.to_str().unwrap(), "--in-place", "--yes", "--format", "json"])
        .env("DATABASE_URL", &as_tenant)
        .run()
        .ended(0);
    assert_eq!(shop.server.sql("shop", "SELECT id FROM small").await, "2");
    assert!(json(&done)["set_aside"].is_string());
}
