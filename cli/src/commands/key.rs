//! `backstop key`: make an age identity and say where to keep which half, or
//! print the recipient of one that is there.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Context;
use crate::error::ExitStatus;
use crate::pipeline::{self, Keys};

/// Where a passphrase is read from when there is no terminal to ask at.
const PASSPHRASE: &str = "BACKSTOP_PASSPHRASE";

/// Make and inspect age keys for encrypted backups
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make an identity (to open backups) and its recipient (to encrypt them)
    Generate {
        /// Write the identity to a new file [default: standard out]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Lock the identity with a passphrase, asked for at the terminal or
        /// taken from BACKSTOP_PASSPHRASE
        #[arg(long)]
        passphrase: bool,
    },
    /// Print the recipient of an identity
    Recipient {
        /// The identity's file, or - for standard in
        #[arg(value_name = "FILE")]
        identity: PathBuf,
    },
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitStatus> {
    match &args.action {
        Action::Generate { output, passphrase } => generate(output.as_deref(), *passphrase, context),
        Action::Recipient { identity } => recipient(identity, context),
    }
}

fn generate(output: Option<&Path>, locked: bool, context: &Context) -> anyhow::Result<ExitStatus> {
    let ui = context.ui;
    let passphrase = if locked { Some(new_passphrase()?) } else { None };
    let (identity, recipient) = pipeline::generate_identity(passphrase.as_ref())?;
    if let Some(path) = output {
        match write_new(path, identity.expose_secret()) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                bail!("'{}' is already there, and nothing is ever written over a key", path.display())
            }
            written => {
                written.with_context(|| format!("cannot write the identity to '{}'", path.display()))?;
            }
        }
        ui.say(&recipient);
        ui.json(&json!({ "recipient": recipient, "identity_file": path }))?;
    } else {
        ui.say(identity.expose_secret().trim_end());
        ui.json(&json!({ "recipient": recipient, "identity": identity.expose_secret() }))?;
    }
    let place = output.map_or("the lines above".to_owned(), |path| format!("'{}'", path.display()));
    ui.note(format!(
        "\nrecipient: {recipient}\n  public: add it to encryption.recipients in backstop.yml\n\
         identity: {place}\n  secret: whoever has it can read the backups; without it nobody can\n  \
         keep it in a password manager and in one offline copy\n  \
         keep it away from the machine that makes backups, and out of the repository\n\
         add a second recipient whose identity another person holds: one lost key then loses nothing"
    ));
    Ok(ExitStatus::Clean)
}

fn recipient(path: &Path, context: &Context) -> anyhow::Result<ExitStatus> {
    let mut keys = Keys::default();
    let (name, bytes) = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .take(1024 * 1024)
            .read_to_end(&mut bytes)
            .context("cannot read standard in")?;
        ("standard in".to_owned(), bytes)
    } else {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).with_context(|| format!("cannot read '{name}'"))?;
        (name, bytes)
    };
    match keys.add_identity(&name, &bytes) {
        Err(pipeline::Error::LockedIdentity { .. }) => {
            keys.add_passphrase(passphrase(&format!("Passphrase of '{name}': "))?);
            keys.add_identity(&name, &bytes)?;
        }
        added => added?,
    }
    let recipients = keys.recipients();
    if recipients.is_empty() {
        bail!("'{name}' holds an OpenPGP key; its recipient is what `gpg --export --armor` prints");
    }
    for recipient in &recipients {
        context.ui.say(recipient);
    }
    context.ui.json(&json!({ "recipients": recipients }))?;
    Ok(ExitStatus::Clean)
}

/// Only for the owner, only where there is nothing yet, and whole on disk.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    // Half a key is worse than none. It is ours: nothing was there before.
    written.inspect_err(|_| drop(std::fs::remove_file(path)))
}

fn new_passphrase() -> anyhow::Result<SecretString> {
    let first = passphrase("Passphrase of the new identity: ")?;
    if first.expose_secret().is_empty() {
        bail!("an empty passphrase locks nothing");
    }
    if std::env::var_os(PASSPHRASE).is_none() {
        let again = passphrase("The same again: ")?;
        if first.expose_secret() != again.expose_secret() {
            bail!("the two passphrases differ");
        }
    }
    Ok(first)
}

fn passphrase(prompt: &str) -> anyhow::Result<SecretString> {
    if let Ok(given) = std::env::var(PASSPHRASE) {
        return Ok(given.into());
    }
    if !std::io::stderr().is_terminal() {
        bail!("no terminal to ask for a passphrase at, and {PASSPHRASE} is not set");
    }
    Ok(rpassword::prompt_password(prompt).context("cannot read the passphrase")?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::Shared;
    use crate::ui::{Format, Ui};

    fn context() -> Context {
        let ui = Ui { format: Format::Text, quiet: true, no_progress: true };
        let shared =
            Shared { config: None, database: None, format: ui.format, quiet: true, no_progress: true };
        Context { shared, ui, stop: tokio_util::sync::CancellationToken::new() }
    }

    #[test]
    fn the_identity_is_for_its_owner_only_and_never_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.txt");
        generate(Some(&path), false, &context()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            generate(Some(&path), false, &context()).unwrap_err().to_string(),
            format!("'{}' is already there, and nothing is ever written over a key", path.display())
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn stock_age_reads_the_file_and_the_recipient_is_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.txt");
        generate(Some(&path), false, &context()).unwrap();
        let output = std::process::Command::new("age-keygen")
            .arg("-y")
            .arg(&path)
            .output()
            .expect("age-keygen does not run: apt-get install -y age");
        let theirs = String::from_utf8(output.stdout).unwrap();
        let mut keys = Keys::default();
        keys.add_identity_file(&path).unwrap();
        assert_eq!(keys.recipients(), [theirs.trim()]);
        let text = std::fs::read_to_string(&path).unwrap();
        let kinds: Vec<_> =
            text.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(kinds[..2], ["# created:", "# public"]);
        assert!(kinds[2].starts_with("AGE-SECRET-KEY-1"));
        recipient(&path, &context()).unwrap();
    }
}
