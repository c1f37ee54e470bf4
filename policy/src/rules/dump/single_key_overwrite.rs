use std::collections::HashSet;

use crate::document::Kind;
use crate::model::{
    ActionRole, Arg, Artifact, Command, Location, Pipeline, Role, Scheme, Set, Transfer, TransferTool,
};
use crate::parse::workflow::Job;
use crate::parse::yaml::Node;
use crate::rule::{Findings, rule};

rule! {
    /// A backup that replaces the one before.
    ///
    /// ## What
    /// A dump goes to a name without a date or a run's number: an object of a bucket, a
    /// file on another host, or, run by cron or a timer, a file of this machine.
    ///
    /// ## Why
    /// There is one backup, and the next run destroys it. A dump that breaks off, or that
    /// is taken after the rows were lost, replaces the last one that had them.
    /// A bucket with versioning keeps what is overwritten: where the document says so,
    /// nothing is reported.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// aws s3 cp shop.dump s3://shop-backups/shop.dump
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// set -euo pipefail
    /// pg_dump -Fc -f shop.dump "$DATABASE_URL"
    /// aws s3 cp shop.dump "s3://shop-backups/shop-$(date -u +%Y%m%dT%H%M%SZ).dump"
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html>
    "single-key-overwrite" in Dump,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        if is_versioned(set, pipeline) {
            continue;
        }
        let kept = kept_elsewhere(set, pipeline);
        let mut told = HashSet::new();
        for (index, command) in pipeline.commands(set) {
            let Role::Upload(transfer) = &command.role else { continue };
            let typed = set.script_of(command).is_some_and(|script| set.is_typed(script));
            let Some(artifact) = pipeline.flow.read(index).next().filter(|_| !typed) else { continue };
            let Some(key) = key(transfer, artifact).filter(|key| is_constant(key)) else { continue };
            if kept.contains(&artifact.dump) || !told.insert(artifact.dump) {
                continue;
            }
            let at = transfer.destination.as_ref().map_or(command.at, |to| to.arg.at);
            let message =
                format!("every run overwrites '{key}': if a dump is bad, the last good one is gone");
            findings.report(at, message).help(
                "put the time into the name, `…-$(date -u +%Y%m%dT%H%M%SZ).dump`, or turn on the bucket's versioning",
            );
        }
        if let Some((arg, path)) = local(set, pipeline) {
            let message = format!(
                "every run overwrites '{path}': while it runs, and if it fails, there is no backup at all"
            );
            findings
                .report(arg.at, message)
                .help("put the time into the name, and delete old ones by count once a new one is verified");
        }
    }
}

/// The name that the dump has at the other end, where that is one file.
fn key(transfer: &Transfer, artifact: &Artifact) -> Option<String> {
    let to = transfer.destination.as_ref()?;
    let keeps = matches!(
        to.scheme,
        Scheme::S3 | Scheme::Gcs | Scheme::Azure | Scheme::B2 | Scheme::Remote | Scheme::Ssh
    );
    if !keeps || transfer.tool == TransferTool::Repository {
        return None;
    }
    let file = artifact.file.as_ref().map(|file| file.text.as_str());
    let source = transfer.sources.iter().find(|source| source.scheme == Scheme::Local);
    // A folder that is sent whole holds files of other runs as well.
    if transfer.recursive && source.map(|source| source.key.as_str()) != file {
        return None;
    }
    let into_folder = to.key.is_empty()
        || to.key.ends_with('/')
        || (transfer.recursive && transfer.tool == TransferTool::Rclone)
        || (to.scheme == Scheme::Ssh && !to.name().contains('.'));
    if !into_folder {
        return Some(to.key.clone());
    }
    let name = source.map(Location::name)?;
    let folder = to.key.trim_end_matches('/');
    Some(if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") })
}

fn is_constant(key: &str) -> bool {
    !key.is_empty() && !key.contains(['$', '<', '*', '`', '%', '{'])
}

/// Whether the text speaks of versions that the store keeps.
fn is_versioned(set: &Set<'_>, pipeline: &Pipeline) -> bool {
    let scripts = pipeline.scripts.iter().filter_map(|index| set.scripts.get(*index));
    let root = set.units.get(pipeline.root).map(|unit| unit.document);
    let documents: HashSet<usize> = scripts.map(|script| script.at.document).chain(root).collect();
    documents.into_iter().filter_map(|index| set.documents.get(index)).any(|document| {
        ["versioning", "versioned", "ersionId"].iter().any(|word| document.text.contains(word))
    })
}

/// Dumps of which another copy has a name of its own for each run.
fn kept_elsewhere(set: &Set<'_>, pipeline: &Pipeline) -> HashSet<usize> {
    let mut kept = HashSet::new();
    for (index, command) in pipeline.commands(set) {
        let (Role::Upload(transfer) | Role::RemoteCopy(transfer)) = &command.role else { continue };
        for artifact in pipeline.flow.read(index) {
            let varies = key(transfer, artifact).is_some_and(|key| !is_constant(&key));
            if varies || transfer.tool == TransferTool::Repository {
                kept.insert(artifact.dump);
            }
        }
    }
    kept
}

fn is_self_hosted(job: &Job<'_>) -> bool {
    job.runs_on
        .is_some_and(|node| node.one_or_many().filter_map(Node::text).any(|label| label == "self-hosted"))
}

/// A dump of a schedule that stays where it is.
fn local<'s>(set: &'s Set<'_>, pipeline: &'s Pipeline) -> Option<(&'s Arg, &'s str)> {
    let root = set.units.get(pipeline.root)?;
    let stays = match root.kind {
        Kind::Crontab | Kind::Systemd | Kind::Kubernetes | Kind::Compose => true,
        // The folder of a runner of one's own is there in the next run as well.
        Kind::Workflow => {
            set.actions_of(pipeline.root).all(|action| action.role == ActionRole::Checkout)
                && root.workflow().is_some_and(|workflow| workflow.jobs().all(|job| is_self_hosted(&job)))
        }
        _ => false,
    };
    if !stays || !pipeline.unseen.is_empty() {
        return None;
    }
    // Renamed by the run, or passed on to something else.
    let mut gone: HashSet<usize> = HashSet::new();
    let named = pipeline.flow.artifacts.iter().filter_map(|it| Some((it.dump, it.file.as_ref()?)));
    gone.extend(named.filter(|(_, file)| !is_constant(&file.text)).map(|(dump, _)| dump));
    for (index, command) in pipeline.commands(set) {
        if matches!(command.role, Role::Upload(_) | Role::Transform(_) | Role::Encrypt(_)) {
            let made = pipeline.flow.made(index);
            let files = pipeline.flow.read(index).filter(|read| read.file.is_some());
            let others = files.filter(|read| made.is_none_or(|made| made.file != read.file));
            gone.extend(others.map(|read| read.dump));
        }
    }
    pipeline.flow.artifacts.iter().find_map(|artifact| {
        let file = artifact.file.as_ref()?;
        let command: &Command = set.commands.get(artifact.dump)?;
        let stays = !artifact.gone && file.arg.is_known() && is_constant(&file.text);
        let logical = matches!(&command.role, Role::Dump(dump) if dump.is_logical());
        (stays && logical && !gone.contains(&artifact.dump)).then_some((&file.arg, file.text.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    #[test]
    fn one_name_for_all_runs_is_reported() {
        insta::assert_snapshot!(check(&RULE, &[("b.sh", "pg_dump -f b.sql shop\naws s3 cp b.sql s3://b/daily/\n")]), @r"
        b.sh:2:17: error[single-key-overwrite]: every run overwrites 'daily/b.sql': if a dump is bad, the last good one is gone
        help: put the time into the name, `…-$(date -u +%Y%m%dT%H%M%SZ).dump`, or turn on the bucket's versioning
        ");
    }

    #[test]
    fn every_form_of_it() {
        for text in [
            "pg_dump shop | gzip | aws s3 cp - \"s3://$BUCKET/b.sql.gz\"\n",
            "pg_dump -Fc -f b.dump shop\nrclone copy b.dump r2:backups\n",
            "pg_dump -Fc -f b.dump shop\nscp b.dump me@host:/srv/backups\n",
            "pg_dump -Fc -f b.dump shop\ngsutil cp b.dump gs://b/latest.dump\n",
        ] {
            let found = check(&RULE, &[("b.sh", text)]);
            assert_eq!(found.matches("error[").count(), 1, "{text}: {found}");
        }
        let cron = "0 2 * * * pg_dump -Fc shop > /backups/shop.dump\n";
        let found = check(&RULE, &[("crontab", cron)]);
        assert!(found.contains("overwrites '/backups/shop.dump': while it runs"), "{found}");
        let packed = "0 2 * * * pg_dump shop | gzip > /backups/shop.sql.gz\n";
        assert!(check(&RULE, &[("crontab", packed)]).contains("overwrites '/backups/shop.sql.gz'"));
        let own = "on: push\njobs:\n  b:\n    runs-on: [self-hosted, linux]\n    steps:\n      - uses: actions/checkout@v4\n      - run: pg_dump shop > shop.sql\n";
        assert!(check(&RULE, &[(".github/workflows/b.yml", own)]).contains("overwrites 'shop.sql'"));
        let other = own.replace("self-hosted, linux", "ubuntu-latest");
        assert_eq!(check(&RULE, &[(".github/workflows/b.yml", &other)]), "");
    }

    #[test]
    fn names_of_their_own_are_silent() {
        for text in [
            "F=b-$(date +%F).sql\npg_dump -f $F shop\naws s3 cp $F s3://b/daily/\n",
            "pg_dump -f b.sql shop\naws s3 cp b.sql \"s3://b/$NAME.sql\"\n",
            "pg_dump -f b.sql shop\naws s3 cp b.sql s3://b/${RUN}/\naws s3 cp b.sql s3://b/latest.sql\n",
            "# the bucket is versioned\npg_dump -f b.sql shop\naws s3 cp b.sql s3://b/b.sql\n",
            "pg_dump -f /b/x.sql shop\nrestic backup /b\n",
            "pg_dump -f /b/x.sql shop\naws s3 sync /b s3://b/\n",
            "aws s3 cp app.zip s3://b/app.zip\npg_dump -f b.sql shop\n",
            "pg_dump shop > b.sql\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]), "", "{text}");
        }
        for cron in [
            "0 2 * * * pg_dump shop > /b/$(date +\\%F).sql\n",
            "0 2 * * * pg_dump shop > /b/x.sql && mv /b/x.sql /b/x-$(date +\\%F).sql\n",
            "0 2 * * * pg_dump shop | gzip > /b/x.gz && scp /b/x.gz h:/b/x-$(date +\\%s).gz\n",
            "0 2 * * * pg_dump shop > /b/x.sql && aws s3 cp /b/x.sql s3://b/x-$(date +\\%s).sql\n",
        ] {
            assert_eq!(check(&RULE, &[("crontab", cron)]), "", "{cron}");
        }
        let document = "```bash\npg_dump -f b.sql shop\naws s3 cp b.sql s3://b/\n```\n";
        assert_eq!(check(&RULE, &[("a.md", document)]), "");
    }
}
