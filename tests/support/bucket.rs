//! A place of a test's own in a bucket of a real S3 server: a prefix, the store
//! on it, the environment for running the program against it, and a look behind
//! the store's back.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use backstop::store::s3::S3;
use backstop::store::{Error, Location, Store};

use super::server::{self, ACCESS_KEY, SECRET_KEY, Server};

/// All tests share one bucket: SeaweedFS takes some hundred megabytes for each.
const BUCKET: &str = "backstop-tests";

pub struct Bucket {
    pub endpoint: String,
    pub prefix: String,
    client: Client,
}

impl Bucket {
    pub async fn seaweed(test: &str) -> Self {
        Self::on(server::seaweed(), test).await
    }

    pub async fn moto(test: &str) -> Self {
        Self::on(server::moto(), test).await
    }

    /// On a server of the test's own.
    pub async fn on(server: &Server, test: &str) -> Self {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(credentials(ACCESS_KEY, SECRET_KEY))
            .endpoint_url(&server.endpoint)
            .force_path_style(true)
            .build();
        let client = Client::from_conf(config);
        let prefix = format!("{test}-{:08x}", rand::random::<u32>());
        let bucket = Self { endpoint: server.endpoint.clone(), prefix, client };
        bucket.make().await;
        bucket
    }

    /// SeaweedFS listens before it can store.
    async fn make(&self) {
        for _ in 0..100 {
            if self.client.head_bucket().bucket(BUCKET).send().await.is_err() {
                let _ = self.client.create_bucket().bucket(BUCKET).send().await;
            }
            let ready = self.client.put_object().bucket(BUCKET).key("ready").body(Vec::new().into()).send();
            if ready.await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{} takes no object", self.endpoint);
    }

    pub fn url(&self) -> String {
        format!("s3://{BUCKET}/{}", self.prefix)
    }

    pub fn location(&self) -> Location {
        Location {
            url: self.url(),
            endpoint: Some(self.endpoint.clone()),
            region: Some("us-east-1".to_owned()),
            ..Location::default()
        }
    }

    /// For running the program: credentials and endpoint, as in production.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL_S3", self.endpoint.clone()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    pub async fn store(&self) -> Arc<dyn Store> {
        self.open(&self.location()).await.unwrap()
    }

    /// The same place, through a proxy.
    pub async fn store_at(&self, endpoint: &str) -> Arc<dyn Store> {
        let location = Location { endpoint: Some(endpoint.to_owned()), ..self.location() };
        self.open(&location).await.unwrap()
    }

    pub async fn open(&self, location: &Location) -> Result<Arc<dyn Store>, Error> {
        self.open_as(location, BUCKET, (ACCESS_KEY, SECRET_KEY)).await
    }

    /// With another bucket or other credentials than those that work.
    pub async fn open_as(
        &self,
        location: &Location,
        bucket: &str,
        (access, secret): (&str, &str),
    ) -> Result<Arc<dyn Store>, Error> {
        let credentials = Some(SharedCredentialsProvider::new(credentials(access, secret)));
        Ok(Arc::new(S3::open(location, bucket.to_owned(), self.prefix.clone(), credentials).await?))
    }

    /// Remove an object behind the store's back.
    pub async fn remove(&self, key: &str) {
        let key = format!("{}/{key}", self.prefix);
        self.client.delete_object().bucket(BUCKET).key(key).send().await.unwrap();
    }

    /// Ids of the uploads in parts that are not finished.
    pub async fn uploads(&self) -> Vec<String> {
        let listed = self.client.list_multipart_uploads().bucket(BUCKET).prefix(&self.prefix).send();
        let listed = listed.await.unwrap();
        listed.uploads().iter().map(|upload| upload.upload_id().unwrap().to_owned()).collect()
    }

    /// Begin an upload in parts and leave it.
    pub async fn leave_upload(&self, key: &str) {
        let key = format!("{}/{key}", self.prefix);
        self.client.create_multipart_upload().bucket(BUCKET).key(key).send().await.unwrap();
    }

    /// Every key below the prefix, relative to it.
    pub async fn keys(&self) -> Vec<String> {
        let mut pages =
            self.client.list_objects_v2().bucket(BUCKET).prefix(&self.prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            keys.extend(page.unwrap().contents().iter().map(|object| {
                object.key().unwrap().strip_prefix(&self.prefix).unwrap().trim_start_matches('/').to_owned()
            }));
        }
        keys
    }

    /// Overwrite an object behind the store's back.
    pub async fn overwrite(&self, key: &str, body: Vec<u8>) {
        let key = format!("{}/{key}", self.prefix);
        self.client.put_object().bucket(BUCKET).key(key).body(body.into()).send().await.unwrap();
    }

    /// What S3 calls the bytes of an object.
    pub async fn etag(&self, key: &str) -> String {
        let key = format!("{}/{key}", self.prefix);
        self.client.head_object().bucket(BUCKET).key(key).send().await.unwrap().e_tag.unwrap()
    }

    /// `x-amz-server-side-encryption` of an object.
    pub async fn encryption(&self, key: &str) -> Option<String> {
        let key = format!("{}/{key}", self.prefix);
        let found = self.client.head_object().bucket(BUCKET).key(key).send().await.unwrap();
        found.server_side_encryption.map(|method| method.as_str().to_owned())
    }
}

fn credentials(access: &str, secret: &str) -> Credentials {
    Credentials::new(access, secret, None, None, "test")
}
