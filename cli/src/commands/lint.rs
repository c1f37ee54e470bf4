//! `backstop lint`: what will go wrong with a set-up, whatever takes its backups.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use backstop_policy::config::lint_options;
use backstop_policy::document::{Document, KINDS, Kind};
use backstop_policy::finding::{Severity, render};
use backstop_policy::lint::Options;
use backstop_policy::render::{self as formats, Listing};
use backstop_policy::rule::Documentation;
use backstop_policy::rules;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use super::Context;
use crate::error::ExitStatus;
use crate::git::Git;
use crate::github;
use crate::lint::{self, Baseline, Changes, Fixed, Tree};
use crate::settings;
use crate::ui::{Format, count, print};

/// Find what will go wrong with a backup set-up, whatever takes the backups
///
/// Reads workflows, scripts, crontabs, units, Compose files, policies of buckets, .env
/// files, SQL and documents with their code blocks, and looks for secrets in every text
/// file. Below a folder it reads what git would, hidden files too. Exit status: 0 no
/// finding, or notes alone; 1 errors or warnings; 2 it could not work.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Args {
    /// Files and folders [default: this folder]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Read one document from standard input
    #[arg(long, conflicts_with = "paths")]
    stdin: bool,
    /// What kind of document standard input is [default: as its text says]
    #[arg(long = "as", value_name = "KIND", requires = "stdin", value_parser = PossibleValuesParser::new(KINDS.map(|(_, name)| name)).try_map(|name| name.parse::<Kind>()))]
    kind: Option<Kind>,
    /// How findings are printed
    #[arg(long, id = "format", value_name = "FORMAT", help_heading = super::SHARED, default_value = "text", value_parser = PossibleValuesParser::new(Format::ALL.map(|(_, name)| name)).try_map(|name| name.parse::<Format>()))]
    format: Format,
    /// Report only what is at least as severe: `error`, `warning` or `note` [default: note]
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    min_severity: Option<Severity>,
    /// Look only for these rules or groups of rules (repeatable, or with commas)
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rule)]
    select: Vec<String>,
    /// Leave out these rules or groups of rules (repeatable, or with commas)
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = rule)]
    ignore: Vec<String>,
    /// Mend what can be mended without a change of what the set-up does
    #[arg(long)]
    fix: bool,
    /// With `--fix` or `--diff`, also mend what a person should look at afterwards
    #[arg(long)]
    unsafe_fixes: bool,
    /// Print what `--fix` would change, and change nothing; exit status 1 if there is something
    #[arg(long, conflicts_with = "fix")]
    diff: bool,
    /// Leave out what an earlier `--format json` has in this file
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Report only lines that the next commit would add, as the index has them
    #[arg(long, conflicts_with_all = ["stdin", "fix", "diff"])]
    staged: bool,
    /// Report only lines that were added since this revision branched off
    #[arg(long, value_name = "REV", conflicts_with_all = ["stdin", "staged"])]
    since: Option<String>,
    /// Search every commit of every branch for secrets; with `--since`, those after it
    #[arg(long, conflicts_with_all = ["stdin", "staged", "fix", "diff"])]
    history: bool,
}

fn severity(text: &str) -> Result<Severity, String> {
    [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .find(|severity| severity.as_str() == text)
        .ok_or_else(|| "one of: error, warning, note".to_owned())
}

fn rule(text: &str) -> Result<String, String> {
    if rules::is_name(text) {
        return Ok(text.to_owned());
    }
    let meant = rules::similar(text).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    Err(format!("no rule and no group is called so{meant}"))
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitStatus> {
    let directory = std::env::current_dir()?;
    let options = options(args, context, &directory)?;
    let baseline = args.baseline.as_deref().map(Baseline::read).transpose()?;
    let (mut listing, fixed) = if args.stdin {
        stdin(args, &options)?
    } else if args.history {
        (history(args, context, &directory, &options)?, None)
    } else {
        tree(args, context, &directory, &options)?
    };
    if args.diff {
        let patch = fixed.as_ref().map(lint::diff).unwrap_or_default();
        if !patch.is_empty() {
            print(patch.trim_end_matches('\n')).context("cannot write to standard out")?;
        }
        return Ok(if patch.is_empty() { ExitStatus::Clean } else { ExitStatus::Bad });
    }
    let known = baseline.map_or(0, |baseline| baseline.apply(&mut listing));
    output(args.format, &listing)?;
    if args.format == Format::Text {
        publish(&listing)?;
    }
    let mut summary = formats::summary(&listing);
    if let Some(fixed) = &fixed {
        summary =
            format!("{} applied; {summary}", count(fixed.applied as u64, "fix").replace("fixs", "fixes"));
    }
    if known > 0 {
        summary = format!("{summary}; {} in the baseline", count(known as u64, "finding"));
    }
    context.ui.note(summary);
    let is_bad = listing.findings.iter().any(|finding| finding.severity != Severity::Note);
    Ok(if is_bad { ExitStatus::Bad } else { ExitStatus::Clean })
}

/// What the configuration says, and then the flags.
fn options(args: &Args, context: &Context, directory: &Path) -> anyhow::Result<Options> {
    let mut options = Options::default();
    if let Some(file) = settings::Document::open(context.shared.config.as_deref(), directory)? {
        options = match lint_options(&file.shown, &file.text) {
            Ok(options) => options,
            Err(findings) => bail!("`lint:` cannot be used\n{}", render(&findings, &file.text).trim_end()),
        };
        let here = file.folder().canonicalize()?;
        if let Ok(folder) = directory.canonicalize()?.strip_prefix(here) {
            options.folder = folder.to_string_lossy().into_owned();
        }
    }
    if !args.select.is_empty() {
        options.select.clone_from(&args.select);
    }
    options.ignore.extend(args.ignore.iter().cloned());
    options.min_severity = args.min_severity.or(options.min_severity);
    Ok(options)
}

fn stdin(args: &Args, options: &Options) -> anyhow::Result<(Listing, Option<Fixed>)> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    let mut document = Document::new("-", text);
    document.kind = args.kind.unwrap_or(document.kind);
    let mut tree = Tree::of(document);
    if !args.fix && !args.diff {
        return Ok((tree.listing(options), None));
    }
    let fixed = tree.fix(options, args.unsafe_fixes);
    if args.fix {
        // The text is the result, and what is left to say goes beside it.
        let text = tree.documents.first().map_or("", |document| document.text.as_str());
        std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
    }
    Ok((tree.listing(options), Some(fixed)))
}

fn tree(
    args: &Args,
    context: &Context,
    directory: &Path,
    options: &Options,
) -> anyhow::Result<(Listing, Option<Fixed>)> {
    let changes = changes(args, directory)?;
    let paths = if args.paths.is_empty() { vec![PathBuf::from(".")] } else { args.paths.clone() };
    let fixes = args.fix || args.diff;
    let mut tree = Tree::read(&paths, options, changes.as_ref(), fixes)?;
    for unread in &tree.unread {
        context.ui.warn(format!("cannot read {unread}"));
    }
    let applied = fixes.then(|| tree.fix(options, args.unsafe_fixes));
    if let Some(applied) = applied.as_ref().filter(|_| args.fix) {
        lint::write(applied)?;
    }
    let mut listing = tree.listing(options);
    if let Some(changes) = changes {
        changes.retain(&mut listing);
    }
    Ok((listing, applied))
}

fn changes(args: &Args, directory: &Path) -> anyhow::Result<Option<Changes>> {
    if args.since.is_none() && !args.staged {
        return Ok(None);
    }
    let git = Git::open(directory)?;
    let directory = directory.canonicalize()?;
    let patches = match &args.since {
        Some(revision) => git.added_since(revision)?,
        None => git.added_to_index()?,
    };
    if !args.staged {
        return Ok(Some(Changes::new(&directory, &git.root, patches, Vec::new())));
    }
    let paths: Vec<String> = patches.iter().map(|patch| patch.path.clone()).collect();
    let texts = git.staged(&paths.iter().map(String::as_str).collect::<Vec<_>>())?;
    Ok(Some(Changes::new(&directory, &git.root, patches, texts)))
}

fn history(args: &Args, context: &Context, directory: &Path, options: &Options) -> anyhow::Result<Listing> {
    let git = Git::open(directory)?;
    if git.is_shallow()? {
        context.ui.warn("this clone is shallow: commits that it lacks were not searched");
    }
    let paths: Vec<String> =
        args.paths.iter().map(|path| directory.join(path).to_string_lossy().into_owned()).collect();
    Ok(lint::history(&git, args.since.as_deref(), &paths, options)?)
}

/// Beside the log of a job on GitHub: annotations, outputs, files, the summary.
fn publish(listing: &Listing) -> anyhow::Result<()> {
    if !github::is_job() {
        return Ok(());
    }
    github::annotations(&formats::annotations(listing));
    let mut outputs = vec![("findings", listing.findings.len().to_string())];
    if let Some(file) = github::file(".sarif", &sarif(listing))? {
        outputs.push(("sarif-file", file.to_string_lossy().into_owned()));
    }
    let result: serde_json::Value = serde_json::from_str(&formats::json(listing))?;
    github::publish(&outputs, &result, &formats::markdown(listing))?;
    Ok(())
}

fn sarif(listing: &Listing) -> String {
    formats::sarif(listing, env!("CARGO_PKG_VERSION"), &Documentation::built_in())
}

fn output(format: Format, listing: &Listing) -> anyhow::Result<()> {
    let text = match format {
        Format::Text => formats::text(listing),
        Format::Json => formats::json(listing),
        Format::Sarif => sarif(listing),
        Format::Github => formats::annotations(listing),
        Format::Markdown => formats::markdown(listing),
    };
    let text = text.trim_end_matches('\n');
    if !text.is_empty() {
        print(text).context("cannot write to standard out")?;
    }
    Ok(())
}
