use std::collections::HashSet;

use crate::finding::Span;
use crate::model::{Command, Pipeline, Role, Scheme, Set};
use crate::path;
use crate::rule::{Findings, rule};

rule! {
    /// The passwords of the system are packed into the backup, in clear.
    ///
    /// ## What
    /// A backup job archives or copies `.env`, `.pgpass`, private keys, `~/.aws`, or what
    /// `kubectl get secrets` prints, and nothing encrypts the result.
    ///
    /// ## Why
    /// Backups go to more places than the server does, stay longer, and more people may
    /// read them. One of them then opens the live database, not only an old copy of it.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// pg_dump -Fc -f shop.dump shop
    /// tar czf backup.tgz .env docker-compose.yml shop.dump
    /// aws s3 cp backup.tgz s3://shop-backups/
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// pg_dump -Fc -f shop.dump shop
    /// tar cz .env docker-compose.yml shop.dump | age -r "$RECIPIENT" > backup.tgz.age
    /// aws s3 cp backup.tgz.age s3://shop-backups/
    /// ```
    ///
    /// ## Sources
    /// - <https://cheatsheetseries.owasp.org/cheatsheets/Secrets_Management_Cheat_Sheet.html>
    /// - <https://kubernetes.io/docs/concepts/configuration/secret/>
    "secrets-in-backup" in Secrets,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for pipeline in &set.pipelines {
        if !pipeline.commands(set).any(|(_, command)| packed(command).is_some()) {
            continue;
        }
        let sealed = Sealed::of(set, pipeline);
        for (_, command) in pipeline.commands(set) {
            let Some((what, output)) = packed(command) else { continue };
            if !sealed.covers(command, output) {
                findings
                    .report(command.name_at, format!("{what} goes into the backup in clear: who reads it can log in"))
                    .help("keep secrets in a secret manager and back up a template, or encrypt the archive with age");
            }
        }
    }
}

/// What a pipeline encrypts.
#[derive(Default)]
struct Sealed<'s> {
    pipes: HashSet<(usize, Span)>,
    files: HashSet<&'s str>,
    /// A backup program encrypts all it takes.
    repository: bool,
}

impl<'s> Sealed<'s> {
    fn of(set: &'s Set<'_>, pipeline: &'s Pipeline) -> Self {
        let mut sealed = Self::default();
        for (_, command) in pipeline.commands(set) {
            match &command.role {
                Role::Encrypt(cipher) => {
                    sealed.pipes.insert((command.script, command.pipe.span));
                    sealed.files.extend(cipher.input.as_ref().map(|said| said.text.trim_end_matches('/')));
                }
                Role::Upload(transfer) => {
                    let to = transfer.destination.as_ref();
                    sealed.repository |= to.is_some_and(|to| to.scheme == Scheme::Repository);
                }
                _ => {}
            }
        }
        sealed
    }

    /// In the same pipe, or by a command that reads the archive or its folder.
    fn covers(&self, command: &Command, output: Option<&str>) -> bool {
        let read = |path: &str| {
            let mut ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            ends.any(|end| path.get(..end).is_some_and(|part| self.files.contains(part)))
        };
        self.repository
            || self.pipes.contains(&(command.script, command.pipe.span))
            || output.is_some_and(read)
    }
}

/// The secret that a command packs, and the file that it writes.
fn packed(command: &Command) -> Option<(&'static str, Option<&str>)> {
    let redirect = || command.output(1).map(|arg| arg.text.as_str());
    match &command.role {
        Role::Transform(transform) if !transform.unpacks && command.name != "cat" => {
            let what = transform.inputs.iter().find_map(|input| secret(&input.text))?;
            let output = transform.output.as_ref().map(|said| said.text.as_str()).or_else(redirect);
            // `cp .env.backup .env` sets up, and `mv` renames.
            let kept = !transform.layers.is_empty() || command.name == "cp" && output.is_some_and(is_backup);
            kept.then_some((what, output))
        }
        Role::Upload(transfer) => {
            let what = transfer.sources.iter().find_map(|source| secret(&source.key))?;
            let to = transfer.destination.as_ref()?;
            (to.scheme != Scheme::Repository && transfer.sse.is_none()).then_some((what, None))
        }
        _ if command.name == "kubectl" => {
            let secrets = command.args.iter().any(|arg| {
                matches!(arg.text.as_str(), "secret" | "secrets")
                    || arg.text.split(',').any(|kind| kind == "secrets")
            });
            let whole = command.args.iter().any(|arg| {
                let format = arg.text.trim_start_matches("--output=").trim_start_matches("-o");
                matches!(format, "yaml" | "json")
            });
            let get = command.has("get") && secrets && whole;
            let kept = command.output(1).is_some() || command.pipes();
            (get && kept).then(|| ("every secret of the cluster", redirect()))
        }
        _ => None,
    }
}

/// What a path holds, by its name.
fn secret(path: &str) -> Option<&'static str> {
    let path = path.trim_end_matches('/');
    let name = path::name(path);
    let example = ["example", "sample", "template", "dist", "age", "gpg", "enc"];
    if name.rsplit('.').next().is_some_and(|end| example.contains(&end)) {
        return None;
    }
    Some(match name {
        ".env" => "the file of secrets (.env)",
        _ if name.starts_with(".env.") || (name.starts_with(".env") && name.ends_with('*')) => {
            "the file of secrets (.env)"
        }
        ".pgpass" => "the password file (.pgpass)",
        "id_rsa" | "id_ed25519" | "id_ecdsa" | ".ssh" => "a private key",
        ".aws" => "the keys of the cloud",
        ".htpasswd" | "secrets.yml" | "secrets.yaml" | "credentials.json" => "a file of secrets",
        _ => return None,
    })
}

fn is_backup(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    ["backup", "dump", "archive", "bak"].iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    fn found(line: &str) -> String {
        check(&RULE, &[("b.sh", &format!("pg_dump -f a.sql shop\n{line}\n"))])
    }

    #[test]
    fn it_is_reported_where_it_is_packed() {
        insta::assert_snapshot!(found("tar -czf /backups/conf.tgz -C /opt/app .env docker-compose.yml"), @r"
        b.sh:2:1: error[secrets-in-backup]: the file of secrets (.env) goes into the backup in clear: who reads it can log in
        help: keep secrets in a secret manager and back up a template, or encrypt the archive with age
        ");
    }

    #[test]
    fn every_form_of_it_fires() {
        for line in [
            "cp /opt/app/.env \"$BACKUP_DIR/\"",
            "cp .env.production /backups/env",
            "zip -r backup.zip .env a.sql",
            "kubectl get secrets -A -o yaml > /backups/secrets.yaml",
            "kubectl get secrets,configmaps -o json | gzip > k.gz",
            "tar czf b.tgz ~/.ssh",
            "aws s3 cp .env s3://b/env",
        ] {
            assert!(found(line).contains("error[secrets-in-backup]"), "{line}");
        }
    }

    #[test]
    fn it_stays_quiet_where_it_is_encrypted_or_no_secret() {
        for line in [
            "tar cz .env a.sql | age -r k > b.age",
            "tar czf b.tgz .env\nage -r k -o b.tgz.age b.tgz",
            "cp .env.example .env",
            "tar czf b.tgz .env.example a.sql",
            "source .env",
            "cp .env.bak .env",
            "kubectl get pods -o yaml > pods.yaml",
            "kubectl get secret db -o jsonpath='{.data.password}' | base64 -d",
            "restic backup .env",
            "tar xzf b.tgz .env",
        ] {
            assert_eq!(found(line), "", "{line}");
        }
        assert_eq!(check(&RULE, &[("deploy.sh", "tar czf release.tgz .env src\n")]), "");
    }
}
