use crate::config::{Config, Tier};
use crate::finding::Severity;
use crate::model::Set;
use crate::rule::{Findings, rule};

use super::configs::{is_local, sound};

rule! {
    /// Every copy lies on the machine that makes the backups.
    ///
    /// ## What
    /// All stores are folders of this machine, or a tier names only such ones. A folder
    /// below `/mnt`, `/media`, `/net` or `/Volumes` is taken for a share of another one.
    ///
    /// ## Why
    /// A broken disk, an encrypted server or a deleted instance takes the backups with
    /// it.
    ///
    /// ## Bad
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// stores:
    ///   local: { url: "file:///var/backups" }
    /// ```
    ///
    /// ## Good
    /// ```yaml backstop.yml
    /// version: 1
    /// databases:
    ///   shop: { url: "${DATABASE_URL}" }
    /// stores:
    ///   local: { url: "file:///var/backups" }
    ///   main: { url: "s3://shop-backups/prod" }
    /// ```
    ///
    /// ## Sources
    /// - <https://www.cisa.gov/sites/default/files/publications/data_backup_options.pdf>
    "offsite-store-missing" in Policy,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    sound(set, |file, config| {
        let help = "add a store on another account: `main: { url: \"s3://bucket/prefix\" }`";
        let local = |name: &str| config.stores.get(name).is_some_and(|store| is_local(store) == Some(true));
        if !config.stores.is_empty() && config.stores.keys().all(|name| local(name)) {
            let message = "every copy lies on this machine: what takes the machine takes the backups";
            findings.report(file.at(&["stores"]), message).help(help);
            return;
        }
        // Copies that go nowhere, beside tiers that do.
        for (name, tier) in scheduled(config) {
            if !tier.stores.is_empty() && tier.stores.iter().all(|store| local(&store.0.value)) {
                let at = tier.stores.first().map(|store| store.0.span).unwrap_or_default();
                findings
                    .report(file.place(at), format!("{name} backups never leave this machine"))
                    .severity(Severity::Warning)
                    .help("name a store elsewhere as well");
            }
        }
    });
}

fn scheduled(config: &Config) -> impl Iterator<Item = (&str, &Tier)> {
    let tiers = config.tiers.iter().map(|(name, tier)| (name.as_str(), &tier.value));
    tiers.filter(|(_, tier)| tier.schedule.is_some())
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(rest: &str) -> String {
        check(&RULE, &[("backstop.yml", &format!("version: 1\ndatabases: {{shop: {{}}}}\n{rest}"))])
    }

    #[test]
    fn folders_of_this_machine_are_one_place() {
        insta::assert_snapshot!(found("stores: {a: {url: 'file:///var/a'}, b: {url: 'file://${HOME}/b'}}\n"), @r#"
        backstop.yml:3:1: error[offsite-store-missing]: every copy lies on this machine: what takes the machine takes the backups
        help: add a store on another account: `main: { url: "s3://bucket/prefix" }`
        "#);
        let tier = "stores: {a: {url: 'file:///var/a'}, b: {url: 's3://bucket'}}\ntiers: {daily: {schedule: '17 2 * * *', stores: [a]}}\n";
        assert!(found(tier).starts_with("backstop.yml:4:50: warning["), "{}", found(tier));
    }

    #[test]
    fn it_stays_quiet_where_something_is_elsewhere() {
        for rest in [
            "",
            "stores: {a: {url: 'file:///mnt/nas/b'}}\n",
            "stores: {a: {url: '${STORE}'}}\n",
            "stores: {a: {url: 'file:///var/a'}, b: {url: 's3://bucket'}}\ntiers: {daily: {schedule: '17 2 * * *'}}\n",
            "stores: {a: {url: 'file:///var/a'}, b: {url: 's3://bucket'}}\ntiers: {migration: {keep: 3, stores: [a]}}\n",
        ] {
            assert_eq!(found(rest), "", "{rest}");
        }
    }
}
