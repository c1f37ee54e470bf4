//! What the rules of this group ask about a pipeline: where a dump goes in clear, and
//! what encrypts.

use crate::finding::{Place, Severity};
use crate::model::{
    ActionRole, Artifact, Cipher, Command, Contents, Pipeline, Role, Scheme, Set, Transfer, TransferTool,
};

/// A dump that leaves, or stays, readable.
#[derive(Debug, Clone)]
pub struct Clear {
    pub at: Place,
    /// "a bucket", "a mail".
    pub to: &'static str,
    pub severity: Severity,
    /// The dump itself, in [`Set::commands`]; none where only the file's name tells.
    pub dump: Option<usize>,
}

/// Every encryption of a pipeline.
pub fn ciphers<'s>(
    set: &'s Set<'_>,
    pipeline: &'s Pipeline,
) -> impl Iterator<Item = (usize, &'s Command, &'s Cipher)> {
    pipeline.commands(set).filter_map(|(index, command)| match &command.role {
        Role::Encrypt(cipher) => Some((index, command, cipher.as_ref())),
        _ => None,
    })
}

/// Dumps that go elsewhere in clear, in the order in which they do.
pub fn leaks(set: &Set<'_>, pipeline: &Pipeline) -> Vec<Clear> {
    let mut found = Vec::new();
    for (index, command) in pipeline.commands(set) {
        match &command.role {
            Role::Upload(transfer) | Role::RemoteCopy(transfer) => {
                let Some((to, severity)) = readable(transfer) else { continue };
                let mut known = pipeline.flow.read(index).peekable();
                let clear = if known.peek().is_some() {
                    known.find(|artifact| is_clear(set, artifact)).map(|artifact| Some(artifact.dump))
                } else {
                    named_like_a_clear_dump(transfer).then_some(None)
                };
                let Some(dump) = clear else { continue };
                found.push(Clear { at: command.name_at, to, severity, dump });
            }
            _ if command.name == "git" && command.has("add") => {
                let mut paths = command.args.iter().filter_map(|arg| pipeline.flow.find(&arg.text));
                if let Some(artifact) = paths.find(|artifact| is_clear(set, artifact)) {
                    let dump = Some(artifact.dump);
                    found.push(Clear { at: command.name_at, to: "git", severity: Severity::Error, dump });
                }
            }
            _ => {}
        }
    }
    for action in set.actions_of(pipeline.root) {
        let (path, to) = match &action.role {
            ActionRole::UploadArtifact { path } => (path.as_ref(), "an artifact of the workflow"),
            ActionRole::Release { files } => (files.as_ref(), "a release"),
            _ => continue,
        };
        let named = path.map_or(String::new(), |arg| handed(set, pipeline, &arg.text));
        let lines = named.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut followed = lines.clone().filter_map(|line| pipeline.flow.find(line)).peekable();
        // Code that cannot be seen has made what no dump here has.
        let dump = match followed.peek() {
            Some(_) => followed.find(|artifact| is_clear(set, artifact)).map(|artifact| Some(artifact.dump)),
            None if pipeline.dumps(set).next().is_none() => lines.clone().any(is_dump_name).then_some(None),
            None => None,
        };
        if let Some(dump) = dump {
            found.push(Clear { at: action.at(), to, severity: Severity::Error, dump });
        }
    }
    found
}

/// `${{ env.NAME }}` as a step before has written it to `GITHUB_ENV`.
fn handed(set: &Set<'_>, pipeline: &Pipeline, path: &str) -> String {
    let mut out = path.to_owned();
    if !path.contains("env.") {
        return out;
    }
    for (_, command) in pipeline.commands(set) {
        if command.role != Role::Print || !command.output(1).is_some_and(|to| to.text.contains("GITHUB_ENV"))
        {
            continue;
        }
        for (name, value) in command.args.iter().filter_map(|arg| arg.text.split_once('=')) {
            out = out.replace(&format!("${{{{ env.{name} }}}}"), value);
        }
    }
    out
}

/// Whether a dump with rows in it has no cipher around it.
pub fn is_clear(set: &Set<'_>, artifact: &Artifact) -> bool {
    let rows = set.commands.get(artifact.dump).is_some_and(|command| match &command.role {
        Role::Dump(dump) => !matches!(dump.contents, Contents::SchemaOnly | Contents::RolesOnly),
        _ => false,
    });
    rows && !artifact.is_encrypted()
}

/// Where it can be read by others; none where the store or the tool encrypts with a
/// key of its own.
fn readable(transfer: &Transfer) -> Option<(&'static str, Severity)> {
    let to = transfer.destination.as_ref()?;
    let by_key = transfer.sse.as_ref().is_some_and(|sse| sse.text.contains("kms"));
    let crypt = to.scheme == Scheme::Remote && to.bucket.to_ascii_lowercase().contains("crypt");
    match transfer.tool {
        _ if by_key || crypt => None,
        TransferTool::Repository | TransferTool::Container => None,
        TransferTool::Mail => Some(("a mail", Severity::Error)),
        TransferTool::Release => Some(("a release", Severity::Error)),
        TransferTool::Scp | TransferTool::Rsync => Some(("another host", Severity::Warning)),
        _ => Some(("a bucket", Severity::Warning)),
    }
}

/// `backups/*.sql.gz`, or a folder of backups, where nothing tells more.
fn named_like_a_clear_dump(transfer: &Transfer) -> bool {
    transfer.sources.iter().any(|source| {
        let key = source.key.to_ascii_lowercase();
        let folder = transfer.recursive && key.trim_end_matches('/').ends_with("backups");
        source.scheme == Scheme::Local && (folder || is_dump_name(&key))
    })
}

fn is_dump_name(path: &str) -> bool {
    const DUMPS: [&str; 8] =
        [".sql", ".sql.gz", ".dump", ".dump.gz", ".sql.zst", ".pgdump", ".backup", ".sql.bz2"];
    let lower = path.to_ascii_lowercase();
    DUMPS.iter().any(|suffix| lower.ends_with(suffix)) && !lower.contains("schema")
}
