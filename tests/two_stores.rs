//! One run, two stores: the same backup in both, or in the first alone, with a
//! clear word on which one lacks it.

use serde_json::Value;

use crate::support::command::Backstop;
use crate::support::depot::{Depot, Objects, assert_unchanged, connected, key, keys};
use crate::support::keys::Age;
use crate::support::proxy::Fault;

const CONFIG: &str = "\
version: 1
databases:
  shop: {}
stores:
  disk:
    url: ${DISK}
  cloud:
    url: ${CLOUD}
encryption:
  recipients: [\"${RECIPIENT}\"]
tiers:
  daily:
    stores: [disk, cloud]
";

struct Two {
    disk: Depot,
    cloud: Depot,
    age: Age,
}

impl Two {
    async fn new(test: &str) -> Self {
        Self { disk: Depot::local(), cloud: Depot::seaweed(test).await, age: Age::new() }
    }

    fn configured(&self, run: Backstop) -> Backstop {
        run.file("backstop.yml", CONFIG)
            .env("DISK", &self.disk.url)
            .env("CLOUD", &self.cloud.url)
            .env("RECIPIENT", &self.age.recipient)
    }

    fn redact(&self, said: &str) -> String {
        self.cloud.redact(&said.replace(&self.disk.url, "[DISK]").replace(&self.cloud.url, "[CLOUD]"))
    }

    async fn backup(&self) -> Backstop {
        connected(self.configured(self.cloud.elsewhere(["backup", "--tier", "daily"])), "shop").await
    }
}

/// The record of a manifest.
fn record(objects: &Objects) -> Value {
    serde_json::from_slice::<Value>(&objects[&key(objects, ".daily.json")]).unwrap()["record"].take()
}

#[tokio::test]
async fn a_folder_and_a_bucket_get_the_same_backup() {
    let two = Two::new("two").await;
    let said = two.cloud.run(two.backup().await).await.ended(0);
    let (disk, cloud) = (two.disk.objects().await, two.cloud.objects().await);
    insta::assert_snapshot!(keys(&disk), @r"
    shop/README.txt
    shop/catalog/[ID].daily.json
    shop/daily/[ID].dump.age
    shop/daily/[ID].globals.sql.age
    shop/daily/[ID].sha256
    ");
    assert_eq!(keys(&disk), keys(&cloud));
    for suffix in [".dump.age", ".globals.sql.age", ".sha256", "README.txt"] {
        assert_eq!(disk[&key(&disk, suffix)], cloud[&key(&cloud, suffix)], "{suffix}");
    }
    let (here, there) = (record(&disk), record(&cloud));
    for field in ["id", "artifact", "globals", "proof", "source", "archive", "checked"] {
        assert_eq!(here[field], there[field], "{field}");
    }
    assert!(said.stdout.contains(here["id"].as_str().unwrap()), "{}", said.stdout);
    // Each is a backup of its own.
    for store in ["disk", "cloud"] {
        let list = two.configured(two.cloud.elsewhere(["list", "--store", store]));
        let listed = two.cloud.run(list).await.ended(0);
        assert!(listed.stdout.contains(here["id"].as_str().unwrap()), "{store}: {}", listed.stdout);
        let verify = ["verify", "--level", "contents", "--store", store];
        let run = two.configured(two.cloud.elsewhere(verify)).arg("-i").arg(two.age.identity());
        two.cloud.run(run).await.ended(0);
    }
}

#[tokio::test]
async fn the_second_store_fails_and_the_first_has_the_backup() {
    let two = Two::new("second-fails").await;
    two.cloud.run(two.backup().await).await.ended(0);
    let (disk, cloud) = (two.disk.objects().await, two.cloud.objects().await);
    two.cloud.proxy().when("PUT", ".daily.json", Fault::Answer(403, "AccessDenied"), None);
    let said = two.cloud.run(two.backup().await.arg("--quiet")).await.ended(2);
    insta::assert_snapshot!(two.redact(&said.stderr), @r"
    error: backup [ID] is in '[DISK]', but could not be copied to '[CLOUD]'
    caused by: store '[CLOUD]' refused to write an object ('shop/catalog/[ID].daily.json')
    caused by: the service answered 403 AccessDenied: Made up
    hint: check the access key and its secret, and that its policy allows s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads here
    ");
    // Nothing of it is left there; here it is whole.
    assert_unchanged(&cloud, &two.cloud.objects().await);
    two.cloud.assert_no_upload().await;
    let now = two.disk.objects().await;
    assert_eq!(now.len(), disk.len() + 4, "{}", keys(&now));
    let verify = two.configured(two.cloud.elsewhere(["verify", "--level", "contents", "--store", "disk"]));
    two.cloud.run(verify.arg("-i").arg(two.age.identity())).await.ended(0);
}

#[tokio::test]
async fn the_first_store_fails_and_nothing_is_anywhere() {
    let two = Two::new("first-fails").await;
    std::fs::write(two.disk.root(), "in the way").unwrap();
    let said = two.cloud.run(two.backup().await.arg("--quiet")).await.ended(2);
    insta::assert_snapshot!(two.redact(&said.stderr), @r"
    error: store '[DISK]' is set up wrongly: it is a file, not a folder
    hint: correct it where the store is named: `--store`, or `stores:` in backstop.yml
    ");
    assert!(two.cloud.objects().await.is_empty());
}

#[tokio::test]
async fn a_copy_that_arrives_changed_is_no_copy() {
    let two = Two { cloud: Depot::moto("copy-changed").await, ..Two::new("copy").await };
    two.cloud.proxy().when("PUT", ".dump.age", Fault::FlipBit, None);
    two.cloud.proxy().when("GET", ".dump.age", Fault::Without("x-amz-checksum-mode"), None);
    let said = two.cloud.run(two.backup().await.arg("--quiet")).await.ended(2);
    insta::assert_snapshot!(two.redact(&said.stderr), @r"
    error: backup [ID] is in '[DISK]', but could not be copied to '[CLOUD]'
    caused by: 'shop/daily/[ID].dump.age' was stored, but reads back differently: [N] bytes with SHA-256 [SHA256] were sent, [N] bytes with [SHA256] came back
    hint: it was not committed there; the store loses or changes bytes: run `backstop doctor`
    ");
    let left = two.cloud.objects().await;
    assert!(left.keys().all(|key| key.ends_with("README.txt")), "{}", keys(&left));
}
