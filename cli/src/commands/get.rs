//! `backstop get`: a backup's file, as it is stored or decrypted; or a signed
//! URL to it.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use backstop_policy::manifest::{self, Artifact, Digest};
use serde_json::json;

use super::Context;
use super::options::{self, KeyArgs, StoreArgs, period};
use crate::catalog::Catalog;
use crate::error::{Advise, ExitStatus, without_path};
use crate::pipeline::{self, Keys, Tally};
use crate::store;
use crate::verify::counted;

/// Download a backup's file and check its digest
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id, a unique beginning of one, `latest`, or `latest/TIER`
    #[arg(default_value = "latest")]
    backup: String,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    keys: KeyArgs,
    /// The roles and tablespaces instead of the dump
    #[arg(long)]
    globals: bool,
    /// Decrypt it; the result is what pg_restore reads
    #[arg(long)]
    decrypt: bool,
    /// Where to write [default: the object's name, in the working directory];
    /// `-` is standard out
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print a URL that reads the file without credentials for this long
    #[arg(long, value_name = "DURATION", value_parser = period, conflicts_with_all = ["decrypt", "output"])]
    presign: Option<Duration>,
}

pub async fn run(args: Args, context: &Context) -> anyhow::Result<ExitStatus> {
    let (_, catalog) = context.catalog(&args.store).await?;
    let backup = catalog.find(&args.backup).await?;
    options::warn_passed_over(&backup, context.ui);
    let artifact = if args.globals {
        backup.manifest.globals.as_ref().ok_or(Refused::NoGlobals)?
    } else {
        &backup.manifest.artifact
    };
    if let Some(valid) = args.presign {
        if catalog.store().head(&artifact.key).await?.is_none() {
            let (store, key) = (catalog.store().url().to_owned(), artifact.key.clone());
            return Err(store::Error::NotFound { store, key }.into());
        }
        let Some(url) = catalog.store().presign(&artifact.key, valid).await? else {
            return Err(Refused::NoUrl { store: catalog.store().url().to_owned() }.into());
        };
        context.ui.json(&json!({ "url": url, "sha256": artifact.stored.sha256 }))?;
        context.ui.say(&url);
        return Ok(ExitStatus::Clean);
    }
    let keys = if args.decrypt { Some(context.keys(&args.keys)?) } else { None };
    let output = args.output.unwrap_or_else(|| default_name(artifact, args.decrypt));
    let digest = download(&catalog, artifact, keys, &output, context).await?;
    if output != Path::new("-") {
        context.ui.json(&json!({
            "file": output, "bytes": digest.bytes, "sha256": digest.sha256, "decrypted": args.decrypt,
        }))?;
        context.ui.say(format!("{}: {} bytes, SHA-256 {}", output.display(), digest.bytes, digest.sha256));
    }
    Ok(ExitStatus::Clean)
}

fn default_name(artifact: &Artifact, decrypt: bool) -> PathBuf {
    let name = artifact.key.rsplit('/').next().unwrap_or(&artifact.key);
    let suffix = if decrypt { artifact.encryption.suffix() } else { "" };
    PathBuf::from(name.strip_suffix(suffix).unwrap_or(name))
}

/// Write beside the name and rename at the end, so that a file of that name is
/// always whole, and never one that was there before.
async fn download(
    catalog: &Catalog,
    artifact: &Artifact,
    keys: Option<Keys>,
    output: &Path,
    context: &Context,
) -> anyhow::Result<Digest> {
    let to_stdout = output == Path::new("-");
    // Seen now, before anything is read; what counts is the rename at the end.
    if !to_stdout && output.symlink_metadata().is_ok() {
        return Err(Refused::Exists { path: output.to_owned() }.into());
    }
    let encrypted = artifact.encryption != manifest::Encryption::None;
    if encrypted && keys.as_ref().is_some_and(Keys::is_empty) {
        return Err(Refused::NeedsIdentity { key: artifact.key.clone() }.into());
    }
    let body = catalog.store().get(&artifact.key).await?;
    let body = counted(body, context.ui, artifact.stored.bytes, &context.stop);
    let expected = if keys.is_some() { artifact.plain.clone() } else { artifact.stored.clone() };
    let (key, output) = (artifact.key.clone(), output.to_owned());
    tokio::task::spawn_blocking(move || {
        let opened: Box<dyn Read + Send> = match &keys {
            Some(keys) => {
                Box::new(pipeline::open(body, keys).with_context(|| format!("cannot open '{key}'"))?)
            }
            None => Box::new(body),
        };
        let mut source = Tally::new(opened);
        let failed = || format!("cannot copy '{key}' to '{}'", output.display());
        let check = |digest: Digest| {
            if digest == expected {
                return Ok(digest);
            }
            let (key, found) = (key.clone(), digest);
            Err(Refused::Changed { key, found })
        };
        if to_stdout {
            let mut out = io::stdout().lock();
            io::copy(&mut source, &mut out).and_then(|_| out.flush()).with_context(failed)?;
            return Ok(check(source.digest())?);
        }
        // Mode 0600 is what tempfile makes; it goes when anything below fails.
        let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut part = tempfile::Builder::new()
            .prefix(".backstop-")
            .suffix(".part")
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .map_err(without_path)
            .with_context(failed)?;
        io::copy(&mut source, &mut part).with_context(failed)?;
        part.as_file().sync_all().with_context(failed)?;
        let digest = check(source.digest())?;
        match part.persist_noclobber(&output) {
            Ok(_) => Ok(digest),
            Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Refused::Exists { path: output.clone() }.into())
            }
            Err(other) => Err(other.error).with_context(failed),
        }
    })
    .await?
}

/// Why there is no file; never because of a fault of the store, which says so
/// itself.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("'{}' is there already", path.display())]
    Exists { path: PathBuf },
    #[error("'{key}' is encrypted, and no key was given to decrypt it with")]
    NeedsIdentity { key: String },
    #[error("'{key}' is not what was committed: {} bytes with SHA-256 {} came back", found.bytes, found.sha256)]
    Changed { key: String, found: Digest },
    #[error("this backup holds no roles and tablespaces")]
    NoGlobals,
    #[error("store '{store}' makes no signed URLs")]
    NoUrl { store: String },
}

impl Advise for Refused {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Exists { .. } => "name another file with --output, or move that one away".to_owned(),
            Self::NeedsIdentity { .. } => {
                "give the private key with --identity FILE or in BACKSTOP_IDENTITY, or \
                 a passphrase in BACKSTOP_PASSPHRASE"
                    .to_owned()
            }
            Self::Changed { .. } => {
                "no file was kept; take another copy of this backup, or an older backup".to_owned()
            }
            Self::NoGlobals => {
                "it was taken with --no-globals, or the server did not show its roles: `backstop show`"
                    .to_owned()
            }
            Self::NoUrl { .. } => "a folder is read where it lies; buckets make signed URLs".to_owned(),
        })
    }
}
