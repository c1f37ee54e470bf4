use crate::finding::{Edit, Fix};
use crate::model::{CipherTool, Command, Role, Set};
use crate::rule::{Findings, rule};

const OPTIONS: &str = " -pbkdf2 -iter 600000";

rule! {
    /// A pass phrase becomes a key by a single hash.
    ///
    /// ## What
    /// `openssl enc` without `-pbkdf2`. Its old derivation is one round of a digest; and
    /// where it encrypts with `-pbkdf2`, a decryption without it cannot open the file.
    ///
    /// ## Why
    /// Whoever has the file tries billions of pass phrases in a second. CBC has no
    /// digest either: a changed byte is decrypted without a word.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// openssl enc -aes-256-cbc -salt -in shop.dump -out shop.dump.enc -pass env:KEY
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// openssl enc -aes-256-cbc -pbkdf2 -iter 600000 -salt -in shop.dump -out shop.dump.enc -pass env:KEY
    /// sha256sum shop.dump.enc > shop.dump.enc.sha256
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.openssl.org/master/man1/openssl-enc/>
    /// - <https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>
    "openssl-weak-kdf" in Encryption,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for commands in set.commands_by_document() {
        let uses = Uses::of(commands);
        // What decrypts is changed with the first one that encrypts.
        let mut others: Vec<Edit> = uses.opens.iter().filter_map(|command| edit(command)).collect();
        for command in &uses.weak {
            let edits = edit(command).into_iter().chain(std::mem::take(&mut others)).collect();
            findings
                .report(
                    command.name_at,
                    "one hash makes the key: whoever has the file tries billions of pass phrases a second",
                )
                .help(
                    "add `-pbkdf2 -iter 600000` here and where it is decrypted (files made before need the old \
                     options), or use age",
                )
                .fix(Fix::unsafe_("derive the key with PBKDF2, here and where it is decrypted", edits));
        }
        let Some(strong) = uses.strong.filter(|_| uses.weak.is_empty()) else { continue };
        for command in &uses.opens {
            findings
                .report(
                    command.name_at,
                    "cannot open what is encrypted here: only the encryption has -pbkdf2",
                )
                .help("give both the same options")
                .related(strong.name_at, "it is encrypted here");
        }
    }
}

/// What a document does with openssl.
#[derive(Default)]
struct Uses<'s> {
    /// Encrypts by the old derivation.
    weak: Vec<&'s Command>,
    /// Decrypts by it.
    opens: Vec<&'s Command>,
    /// Encrypts with PBKDF2.
    strong: Option<&'s Command>,
}

impl<'s> Uses<'s> {
    fn of(commands: &'s [Command]) -> Self {
        let mut uses = Self::default();
        for command in commands {
            let (Role::Encrypt(cipher) | Role::Decrypt(cipher)) = &command.role else { continue };
            if cipher.tool != CipherTool::OpenSsl {
                continue;
            }
            match (&command.role, cipher.stretches_key) {
                (Role::Encrypt(_), false) => uses.weak.push(command),
                (Role::Encrypt(_), true) => uses.strong = uses.strong.or(Some(command)),
                (_, false) => uses.opens.push(command),
                (_, true) => {}
            }
        }
        uses
    }
}

/// Behind the cipher's name, `-aes-256-cbc`, else behind `enc`.
fn edit(command: &Command) -> Option<Edit> {
    let ciphers = ["-aes", "-des", "-camellia", "-aria", "-chacha", "-bf", "aes-"];
    let named = command
        .args
        .iter()
        .find(|arg| ciphers.iter().any(|cipher| arg.text.to_ascii_lowercase().starts_with(cipher)));
    named.or_else(|| command.args.first()).map(|arg| Edit::insert(arg.span().end, OPTIONS))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    #[test]
    fn the_old_derivation_is_reported() {
        insta::assert_snapshot!(check(&RULE, &[("b.sh", "openssl enc -aes-256-cbc -salt -in a -out b -k \"$K\"\n")]), @r"
        b.sh:1:1: error[openssl-weak-kdf]: one hash makes the key: whoever has the file tries billions of pass phrases a second
        help: add `-pbkdf2 -iter 600000` here and where it is decrypted (files made before need the old options), or use age
        ");
    }

    #[test]
    fn every_form_of_it_fires() {
        for text in [
            "openssl enc -aes-256-cbc -in a -out b -pass env:K\n",
            "openssl aes-256-cbc -e -in a -out b -pass file:/k\n",
            "pg_dump shop | gzip | openssl enc -aes-256-cbc -salt -out a.enc -k $K\n",
            "openssl enc -aes-256-cbc -md sha256 -in a -out b -pass stdin\n",
            "openssl enc -aes-256-cbc -pbkdf2 -in a -out b -pass env:K\nopenssl enc -d -aes-256-cbc -in b -out a -pass env:K\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]).matches("error[").count(), 1, "{text}");
        }
    }

    #[test]
    fn it_stays_quiet_where_the_key_is_stretched_or_is_one() {
        for text in [
            "openssl enc -aes-256-cbc -pbkdf2 -in a -out b -pass env:K\n",
            "openssl enc -aes-256-cbc -iter 100000 -in a -out b -pass env:K\n",
            "openssl enc -aes-256-cbc -K 00 -iv 00 -in a -out b\n",
            "openssl smime -encrypt -binary -in a -out b -outform DER cert.pem\n",
            "openssl enc -base64 -d -in a\n",
            "openssl rand -base64 32\n",
            "# openssl enc -aes-256-cbc -in a\n",
            "echo 'openssl enc -aes-256-cbc -in a'\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]), "", "{text}");
        }
    }

    #[test]
    fn the_fix_changes_both_sides() {
        let text = "openssl enc -aes-256-cbc -salt -in a -out b -pass env:K\nopenssl enc -d -aes-256-cbc -in b -out a -pass env:K\n";
        insta::assert_snapshot!(fix(&RULE, "b.sh", text), @r"
        openssl enc -aes-256-cbc -pbkdf2 -iter 600000 -salt -in a -out b -pass env:K
        openssl enc -d -aes-256-cbc -pbkdf2 -iter 600000 -in b -out a -pass env:K
        ");
    }
}
