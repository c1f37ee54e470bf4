//! Backups that were damaged on their way: whoever restores one hears of that, into
//! whatever database and by whichever way it goes, and not of what came of it.

use crate::restore::Shop;
use crate::support::command::backstop;

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_told_as_such_in_one_transaction_too() {
    for major in [15, 18] {
        let shop = Shop::open(major).await;
        shop.server.sql("postgres", "CREATE DATABASE target").await;
        let to = shop.server.cluster.conninfo("target");
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key.txt");
        let key = key.to_str().unwrap();
        backstop(["key", "generate", "--quiet", "--output", key]).run().ended(0);
        let recipient = backstop(["key", "recipient", key]).run().ended(0).stdout;
        let taken = shop.run(&["backup", "--recipient", recipient.trim(), "--format", "json"]).run().ended(0);
        let manifest: serde_json::Value = serde_json::from_str(&taken.stdout).unwrap();
        let artifact = shop.store.path().join(manifest["artifact"]["key"].as_str().unwrap());
        let whole = std::fs::read(artifact).unwrap();
        let mut changed = whole.clone();
        // Behind the table of contents, which is read before anything is written.
        changed[whole.len() - 1000] ^= 1;
        let file = folder.path().join("damaged.dump.age");
        let file = file.to_str().unwrap();
        for bytes in [&changed[..], &whole[..whole.len() - 1000]] {
            std::fs::write(file, bytes).unwrap();
            let restore = |into: [&str; 2]| {
                shop.run(&["restore", file, into[0], into[1], "--identity", key]).run().ended(2).stderr
            };
            let said = [restore(["--new-db", "copy"]), restore(["--to", &to])];
            for said in said {
                insta::allow_duplicates! { insta::assert_snapshot!(said, @r"
                error: its age data is damaged
                caused by: decryption error
                hint: take another copy of this backup, or an older backup
                "); }
            }
            let objects = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
            assert_eq!(shop.server.sql("target", objects).await, "0");
        }
    }
}
