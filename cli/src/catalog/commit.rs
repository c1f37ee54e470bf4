//! The commit point: what was stored is read again, and only when every byte
//! came back is the manifest written, last and create-only.

use backstop_policy::manifest::{
    Archive, Artifact, Checked, Content, Digest, Filters, Level, Manifest, Proof, SCHEMA, Source,
};
use bytes::Bytes;
use futures::future::join_all;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Catalog, Error, envelope, keys};
use crate::pipeline::{Check, Count, Sealed};
use crate::store;
use crate::stream::ByteStream;

/// Everything that a manifest says beside what its [`Sealed`] streams prove.
#[derive(Debug, Clone)]
pub struct Draft {
    pub id: String,
    pub tier: String,
    pub content: Content,
    pub filters: Filters,
    pub started_at: Timestamp,
    pub source: Source,
    pub archive: Archive,
    pub proof: Proof,
    pub not_captured: Vec<String>,
    /// What was seen on the plain stream while it was sealed.
    pub in_flight: Level,
}

impl Catalog {
    /// Read the stored objects again, then write the manifest. `dump` and
    /// `globals` are finished streams whose objects lie at the keys of
    /// [`keys::artifact`] and [`keys::globals`].
    pub async fn commit(
        &self,
        draft: Draft,
        dump: &Sealed,
        globals: Option<&Sealed>,
        stop: &CancellationToken,
    ) -> Result<Manifest, Error> {
        let (database, tier, id) = (&self.database, &draft.tier, &draft.id);
        let artifact = described(keys::artifact(database, tier, id, dump.encryption()), dump);
        let roles =
            globals.map(|sealed| described(keys::globals(database, tier, id, sealed.encryption()), sealed));
        // None of these waits for another; the manifest waits for all.
        let pairs = roles.iter().zip(globals).chain([(&artifact, dump)]);
        let reading = join_all(pairs.map(|(artifact, sealed)| self.read_back(artifact, sealed, stop)));
        let (read, told) = tokio::join!(reading, self.put_checksums(&draft, &artifact, roles.as_ref()));
        read.into_iter().chain([told]).collect::<Result<(), _>>()?;
        self.put_readme().await?;

        let manifest = Manifest {
            schema: SCHEMA,
            id: draft.id,
            database: self.database.clone(),
            tier: draft.tier,
            content: draft.content,
            filters: draft.filters,
            started_at: draft.started_at,
            finished_at: Timestamp::now(),
            made_by: crate::MADE_BY.to_owned(),
            source: draft.source,
            archive: draft.archive,
            artifact,
            globals: roles,
            proof: draft.proof,
            not_captured: draft.not_captured,
            checked: Checked { in_flight: draft.in_flight, stored: true },
        };
        let key = keys::manifest(&self.database, &manifest.tier, &manifest.id);
        let body = envelope::wrap(&manifest)
            .map_err(|error| Error::Damaged { key: key.clone(), reason: error.to_string() })?;
        self.store.put(&key, ByteStream::from_bytes(body.into())).await?;
        Ok(manifest)
    }

    /// Remove the objects of a backup that was not committed. A failure to do
    /// so leaves garbage that no manifest names, so it is not worth an error.
    ///
    /// The manifest goes first: its write may have succeeded although the answer
    /// was lost. Where it cannot be removed nothing else is, since a manifest
    /// without its dump would be a false backup.
    pub async fn discard(&self, tier: &str, id: &str, encryption: &backstop_policy::manifest::Encryption) {
        if self.store.delete(&keys::manifest(&self.database, tier, id)).await.is_err() {
            return;
        }
        for key in [
            keys::artifact(&self.database, tier, id, encryption),
            keys::globals(&self.database, tier, id, encryption),
            keys::checksums(&self.database, tier, id),
        ] {
            let _ = self.store.delete(&key).await;
        }
    }

    /// The digest of an object as the store gives it back now.
    pub async fn digest_stored(&self, key: &str, stop: &CancellationToken) -> Result<Digest, Error> {
        let mut count = Count::default();
        self.read_stored(key, stop, |chunk| count.add(chunk)).await?;
        Ok(count.digest())
    }

    async fn read_stored(
        &self,
        key: &str,
        stop: &CancellationToken,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Error> {
        let mut body = self.store.get(key).await?.until_stopped(stop.clone());
        let failed = |source| Error::ReadBack { key: key.to_owned(), source };
        while let Some(chunk) = body.next().await.map_err(failed)? {
            each(&chunk);
        }
        Ok(())
    }

    /// Whether the store gives back every byte that it was handed.
    async fn read_back(
        &self,
        artifact: &Artifact,
        sealed: &Sealed,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let mut check = Check::default();
        self.read_stored(&artifact.key, stop, |chunk| check.add(chunk)).await?;
        if check == *sealed.check() {
            return Ok(());
        }
        // What came back is told in the terms of the manifest.
        let (expected, found) = (&artifact.stored, self.digest_stored(&artifact.key, stop).await?);
        Err(Error::StoredDiffers {
            key: artifact.key.clone(),
            expected_bytes: expected.bytes,
            expected_sha256: expected.sha256.clone(),
            found_bytes: found.bytes,
            found_sha256: found.sha256,
        })
    }

    /// A file that `sha256sum --check` reads, beside the objects that it names.
    async fn put_checksums(
        &self,
        draft: &Draft,
        dump: &Artifact,
        globals: Option<&Artifact>,
    ) -> Result<(), Error> {
        let line = |artifact: &Artifact| {
            let name = artifact.key.rsplit('/').next().unwrap_or(&artifact.key);
            format!("{}  {name}\n", artifact.stored.sha256)
        };
        let text = line(dump) + &globals.map(line).unwrap_or_default();
        let key = keys::checksums(&self.database, &draft.tier, &draft.id);
        self.store.put(&key, ByteStream::from_bytes(Bytes::from(text))).await?;
        Ok(())
    }

    async fn put_readme(&self) -> Result<(), Error> {
        let text = Bytes::from_static(include_bytes!("store_readme.txt"));
        match self.store.put(&keys::readme(&self.database), ByteStream::from_bytes(text)).await {
            Ok(_) | Err(store::Error::Exists { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn described(key: String, sealed: &Sealed) -> Artifact {
    let (plain, stored) = (sealed.plain().clone(), sealed.stored().clone());
    Artifact { key, plain, stored, encryption: sealed.encryption().clone() }
}
