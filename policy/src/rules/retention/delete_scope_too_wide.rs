use std::collections::{HashMap, HashSet};

use crate::finding::{Edit, Fix, Place};
use crate::model::{Command, Delete, DeleteTool, Location, Role, Scheme, Script, Set, Tier};
use crate::rule::{Findings, rule};

use super::backups::{Deletion, deletions, written};
use super::folders::{Folders, folder};

/// Folders that one finding names.
const NAMED: usize = 3;

rule! {
    /// A cleanup that reaches more than its own backups.
    ///
    /// ## What
    /// `find` goes into every folder below its root, and the root itself is one of its
    /// folders: without `-maxdepth 1` it also takes what lies in `weekly/` and
    /// `monthly/`, and with `-type d` and `rm -r` it can take the root. The same holds
    /// for a recursive delete of a bucket above the prefixes of other tiers.
    ///
    /// ## Why
    /// A daily cleanup that keeps 7 days deletes the monthly backups after 7 days.
    /// Nobody sees it: each job is green, and the folder is never empty.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// pg_dump -Fc -f "/srv/dumps/shop-$(date +%F).dump" shop
    /// cp /srv/dumps/latest.dump "/srv/dumps/monthly/$(date +%Y-%m).dump"
    /// find /srv/dumps -name '*.dump' -mtime +5 -delete
    /// ```
    /// or
    /// ```bash cleanup.sh
    /// find /srv/backups/daily -type d -mtime +30 -exec rm -rf {} \;
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// pg_dump -Fc -f "/srv/dumps/shop-$(date +%F).dump" shop
    /// cp /srv/dumps/latest.dump "/srv/dumps/monthly/$(date +%Y-%m).dump"
    /// find /srv/dumps -maxdepth 1 -type f -name '*.dump' -mtime +5 -delete
    /// ```
    ///
    /// ## Sources
    /// - <https://www.gnu.org/software/findutils/manual/html_node/find_html/Directories.html>
    "delete-scope-too-wide" in Retention,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    let of_backups: HashSet<usize> =
        set.pipelines.iter().flat_map(|pipeline| pipeline.scripts.iter().copied()).collect();
    for command in set.commands.iter().filter(|command| of_backups.contains(&command.script)) {
        let Role::Delete(delete) = &command.role else { continue };
        if let Some(root) = delete.targets.first().filter(|root| everything(root, delete)) {
            let message = format!("deletes every old file below {}, whatever it is", shown(root));
            findings
                .report(command.name_at, message)
                .help("name the folder of the backups, and their files with `-name`");
        }
    }
    let deletions = deletions(set);
    if deletions.is_empty() {
        return;
    }
    let folders = Folders::of(set);
    let mut own: HashMap<usize, Own<'_>> = HashMap::new();
    for Deletion { command, delete, script } in deletions {
        let [root] = delete.targets.as_slice() else { continue };
        if everything(root, delete) {
            continue;
        }
        if let Some(fix) = takes_root(command, delete, root) {
            let old = delete.age.as_ref().and_then(|age| age.days);
            let when = old.map_or_else(
                || "the first time it is old enough".to_owned(),
                |days| format!("once nothing new was put there for {days} days"),
            );
            let message =
                format!("find names {} itself as well: {when}, the whole folder is removed", shown(root));
            findings.report(command.name_at, message).help("put `-mindepth 1` behind the folder").fix(fix);
            continue;
        }
        let own = own.entry(command.script).or_insert_with(|| Own::of(set, script));
        too_deep(command, delete, root, &below(&folders, own, command, delete, root), findings);
    }
}

/// Where a script puts its own dumps: what it means to clean.
struct Own<'s> {
    folders: Vec<&'s str>,
    tier: Option<Tier>,
}

impl<'s> Own<'s> {
    fn of(set: &'s Set<'_>, script: &Script) -> Self {
        let folders: Vec<&str> = written(set, script).into_iter().map(folder).collect();
        let tier = folders.iter().find_map(|folder| Tier::only_in(folder));
        Self { folders, tier }
    }
}

fn too_deep(
    command: &Command,
    delete: &Delete,
    root: &Location,
    below: &[(&str, Place)],
    findings: &mut Findings<'_>,
) {
    let Some((first, at)) = below.first() else { return };
    let others: Vec<&str> = below.iter().map(|(folder, _)| *folder).collect();
    let after = match delete.age.as_ref().and_then(|age| age.days) {
        Some(days) => format!(" after {days} days"),
        None => String::new(),
    };
    let report = findings
        .report(command.name_at, format!("also deletes what lies in {}{after}", others.join(" and ")))
        .help("stay in one folder: `find DIR -maxdepth 1 -type f`, or a prefix of its own for each tier")
        .related(*at, format!("{first} is used here"));
    if delete.tool == DeleteTool::Find && command.name == "find" && delete.max_depth.is_none() {
        let edit = Edit::insert(root.arg.span().end, " -maxdepth 1");
        report.fix(Fix::unsafe_("put `-maxdepth 1` behind the folder", vec![edit]));
    }
}

/// Folders of a whole machine, or of a person: `find / -mtime +7 -delete`.
fn everything(root: &Location, delete: &Delete) -> bool {
    const SHARED: [&str; 9] = ["/", "/home", "/opt", "/srv", "/var", "/root", "/etc", "/usr", "/data"];
    let path = root.key.trim_end_matches('/');
    let shared =
        SHARED.contains(&if path.is_empty() { "/" } else { path }) || path == "~" || path == "${HOME}";
    delete.tool == DeleteTool::Find
        && root.scheme == Scheme::Local
        && !root.key.is_empty()
        && shared
        && delete.pattern.is_none()
        && delete.age.is_some()
}

/// `find ROOT -type d … rm -rf`, where ROOT is a folder too.
fn takes_root(command: &Command, delete: &Delete, root: &Location) -> Option<Fix> {
    let takes = delete.tool == DeleteTool::Find
        && command.name == "find"
        && delete.folders
        && delete.recursive
        && delete.pattern.is_none()
        && delete.min_depth.unwrap_or(0) == 0
        && !root.arg.is_glob
        && root.key != ".";
    takes.then(|| {
        Fix::safe(
            "put `-mindepth 1` behind the folder",
            vec![Edit::insert(root.arg.span().end, " -mindepth 1")],
        )
    })
}

/// The first folders of other backups below the root, in the order in which they are
/// used.
fn below<'f>(
    folders: &'f Folders,
    own: &Own<'_>,
    command: &Command,
    delete: &Delete,
    root: &Location,
) -> Vec<(&'f str, Place)> {
    let reaches = match delete.tool {
        DeleteTool::Find => delete.max_depth.is_none_or(|depth| depth > 1),
        DeleteTool::Remote => delete.recursive && delete.pattern.is_none(),
        _ => false,
    };
    if !reaches || delete.keeps_newest.is_some() || root.arg.is_glob {
        return Vec::new();
    }
    let days = delete.age.as_ref().and_then(|age| age.days);
    let base = root.key.trim_end_matches('/');
    let mut found: Vec<(&str, Place)> = folders
        .below(command.at.document, root)
        .filter(|(path, rest, used)| {
            let longer = used.days.is_some_and(|other| days.is_none_or(|days| other > days));
            let tier = Tier::only_in(rest);
            let is_own = own.folders.contains(path) && !own.folders.contains(&base);
            longer || (tier.is_some() && tier != own.tier && !is_own)
        })
        .map(|(path, _, used)| (path, used.at))
        .collect();
    found.sort_by_key(|(_, at)| *at);
    found.truncate(NAMED);
    found
}

fn shown(root: &Location) -> &str {
    if root.key.is_empty() { &root.arg.text } else { &root.key }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    #[test]
    fn other_tiers_below_the_root_are_named() {
        let text = "B=/backups/shop\npg_dump -f $B/a.dump shop\nfind $B -name '*.gz' -mtime +7 -delete\n\nW=/backups/shop/weekly\nmkdir -p $W\nfind $W -name '*.gz' -mtime +90 -delete\n";
        insta::assert_snapshot!(check(&RULE, &[("b.sh", text)]), @r"
        b.sh:3:1: error[delete-scope-too-wide]: also deletes what lies in /backups/shop/weekly after 7 days
        help: stay in one folder: `find DIR -maxdepth 1 -type f`, or a prefix of its own for each tier
          b.sh:6:10: /backups/shop/weekly is used here
        ");
    }

    #[test]
    fn every_form_of_it_fires() {
        for text in [
            "find /backups/daily -type d -mtime +30 -exec rm -rf {} \\;\n",
            "find / -mtime +7 -delete\n",
            "find \"$HOME\" -mtime +7 -exec rm -rf {} +\n",
            "cp a.dump /backups/monthly/a.dump\nfind /backups -mtime +7 -delete\n",
            "aws s3 cp a s3://b-backups/weekly/a\naws s3 cp a s3://b-backups/daily/a\naws s3 rm s3://b-backups/ --recursive\n",
            "rclone copy a r2:backups/monthly\nrclone delete r2:backups --min-age 7d\n",
            "for d in daily weekly; do mkdir -p /srv/backup/weekly; done\nfind /srv/backup -type f -mtime +3 -delete\n",
        ] {
            assert!(check(&RULE, &[("backup.sh", text)]).contains("error[delete-scope"), "{text}");
        }
    }

    #[test]
    fn it_stays_quiet_where_the_scope_is_its_own() {
        assert_eq!(check(&RULE, &[("clean.sh", "find /data -mtime +7 -delete\n")]), "");
        for text in [
            "pg_dump -f /backups/a.dump shop\nfind /backups -name '*.dump' -mtime +7 -delete\n",
            "pg_dump -f /backups/daily/a.dump shop\nfind /backups -name '*.dump' -mtime +7 -delete\n",
            "pg_dump -f \"/backups/$(date +%F)/a.dump\" shop\nfind /backups -mtime +7 -delete\n",
            "find /backups -maxdepth 1 -mtime +7 -delete\nfind /backups/weekly -maxdepth 1 -mtime +90 -delete\n",
            "find /backups/daily -mindepth 1 -type d -mtime +30 -exec rm -rf {} +\n",
            "find /backups/* -type d -mtime +30 -exec rm -rf {} +\n",
            "find /backups/daily -mtime +7 -delete\nfind /backups/weekly -mtime +90 -delete\n",
            "find /backups/daily -type d -name '20*' -mtime +30 -exec rm -rf {} +\n",
            "find / -name core -mtime +7 -delete\n",
            "rm -rf /backups/tmp\n",
            "ls -1t /backups/*.gz | tail -n +8 | xargs -r rm --\nmkdir -p /backups/weekly\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]), "", "{text}");
        }
    }

    #[test]
    fn the_fixes_keep_find_in_its_place() {
        assert_eq!(
            fix(&RULE, "b.sh", "find \"$B/backups\" -type d -mtime +30 -exec rm -rf {} \\;\n"),
            "find \"$B/backups\" -mindepth 1 -type d -mtime +30 -exec rm -rf {} \\;\n"
        );
        assert_eq!(
            fix(&RULE, "b.sh", "cp a /backups/monthly/a\nfind /backups -mtime +7 -delete\n"),
            "cp a /backups/monthly/a\nfind /backups -maxdepth 1 -mtime +7 -delete\n"
        );
    }
}
