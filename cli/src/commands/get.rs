//! `backstop get`: a backup's file, as it is stored or decrypted; or a signed
//! URL to it.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use backstop_policy::manifest::{Artifact, Digest};
use serde_json::json;

use super::Context;
use super::options::{KeyArgs, StoreArgs, period};
use crate::catalog::Catalog;
use crate::error::ExitStatus;
use crate::pipeline::{self, Keys, Tally};
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
    let artifact = if args.globals {
        backup.manifest.globals.as_ref().context("this backup holds no roles and tablespaces")?
    } else {
        &backup.manifest.artifact
    };
    if let Some(valid) = args.presign {
        let Some(url) = catalog.store().presign(&artifact.key, valid).await? else {
            bail!("store '{}' makes no signed URLs", catalog.store().url());
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
/// always whole.
async fn download(
    catalog: &Catalog,
    artifact: &Artifact,
    keys: Option<Keys>,
    output: &Path,
    context: &Context,
) -> anyhow::Result<Digest> {
    if output != Path::new("-") && output.exists() {
        bail!("'{}' is there already", output.display());
    }
    let body = catalog.store().get(&artifact.key).await?;
    let body = counted(body, context.ui, artifact.stored.bytes, &context.stop);
    let expected = if keys.is_some() { artifact.plain.clone() } else { artifact.stored.clone() };
    let (key, output) = (artifact.key.clone(), output.to_owned());
    tokio::task::spawn_blocking(move || {
        let mut source: Tally<Box<dyn Read + Send>> = match &keys {
            Some(keys) => Tally::new(Box::new(pipeline::open(body, keys)?)),
            None => Tally::new(Box::new(body)),
        };
        let part = output.with_extension("part");
        let copied = if output == Path::new("-") {
            io::copy(&mut source, &mut io::stdout().lock()).map(drop)
        } else {
            copy_to_file(&mut source, &part)
        };
        let digest = source.digest();
        let result =
            copied.with_context(|| format!("cannot copy '{key}' to '{}'", output.display())).and_then(|()| {
                ensure!(
                    digest == expected,
                    "'{key}' is not what was committed: its SHA-256 is {}",
                    digest.sha256
                );
                Ok(())
            });
        if output != Path::new("-") {
            match &result {
                Ok(()) => std::fs::rename(&part, &output)?,
                Err(_) => drop(std::fs::remove_file(&part)),
            }
        }
        result.map(|()| digest)
    })
    .await?
}

/// Into a new file that only its owner reads.
fn copy_to_file(source: &mut impl Read, path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::copy(source, &mut file)?;
    file.flush()?;
    file.sync_all()
}
