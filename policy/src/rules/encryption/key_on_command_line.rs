use crate::finding::{Edit, Fix, Safety, Span};
use crate::model::{Cipher, CipherTool, Command, KeyFrom, Role, Said, Set};
use crate::rule::{Findings, rule};

rule! {
    /// The key of the backups is an argument of a program.
    ///
    /// ## What
    /// `openssl -k KEY` or `-pass pass:KEY`, `gpg --passphrase KEY`, `zip -P`, `7z -p`.
    ///
    /// ## Why
    /// Arguments are public on the machine: `ps` and `/proc` show them to every user, and
    /// `set -x`, an audit log or a crash report keeps them. It is the key of every
    /// backup that was ever made.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// export KEY
    /// openssl enc -aes-256-cbc -pbkdf2 -in shop.dump -out shop.dump.enc -k "$KEY"
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// export KEY
    /// openssl enc -aes-256-cbc -pbkdf2 -in shop.dump -out shop.dump.enc -pass env:KEY
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.openssl.org/master/man1/openssl-passphrase-options/>
    /// - <https://www.gnupg.org/documentation/manuals/gnupg/GPG-Esoteric-Options.html>
    "key-on-command-line" in Encryption,
    severity: Error,
    fix: Sometimes,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    for command in &set.commands {
        let (Role::Encrypt(cipher) | Role::Decrypt(cipher)) = &command.role else { continue };
        let KeyFrom::Argument(key) = &cipher.key else { continue };
        let report = findings
            .report(key.arg.at, "every user of the machine reads the key of the backups in the list of processes")
            .help(match cipher.tool {
                CipherTool::OpenSsl => "give it by the environment: `-pass env:NAME`, with the variable exported",
                CipherTool::Gpg => {
                    "give it by a descriptor: `--batch --pinentry-mode loopback --passphrase-fd 3 3<<<\"$KEY\"`"
                }
                _ => "use age or gpg, which take the key from a file",
            });
        if let Some(fix) = fix(set, command, cipher, key) {
            report.fix(fix);
        }
    }
}

/// `-k "$KEY"` and `-pass pass:"$KEY"` as `-pass env:KEY`.
fn fix(set: &Set<'_>, command: &Command, cipher: &Cipher, key: &Said) -> Option<Fix> {
    let [name] = key.arg.variables.as_slice() else { return None };
    let written = key.arg.raw.replace(['"', '\'', '{', '}'], "");
    let alone = written == format!("${name}") || written == format!("pass:${name}");
    if cipher.tool != CipherTool::OpenSsl || !alone {
        return None;
    }
    let at = command.args.iter().position(|arg| arg.at == key.arg.at)?;
    let option = command.args.get(at.checked_sub(1)?)?;
    let start = match option.text.as_str() {
        "-k" => option.span().start,
        "-pass" => key.arg.span().start,
        _ => return None,
    };
    let prefix = if option.text == "-k" { "-pass " } else { "" };
    // In a workflow each variable is exported; a script has to do it.
    let exported = set.script_of(command).is_some_and(|script| set.given(script, name).next().is_some());
    Some(Fix {
        title: format!("give the key by the environment, as {name}"),
        safety: if exported { Safety::Safe } else { Safety::Unsafe },
        edits: vec![Edit::replace(Span::new(start, key.arg.span().end), format!("{prefix}env:{name}"))],
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::{check, fix};

    #[test]
    fn a_key_in_an_argument_is_reported_without_its_value() {
        insta::assert_snapshot!(check(&RULE, &[("b.sh", "gpg --batch -c --passphrase Vx7kq2mzRt a.dump\n")]), @r#"
        b.sh:1:29: error[key-on-command-line]: every user of the machine reads the key of the backups in the list of processes
        help: give it by a descriptor: `--batch --pinentry-mode loopback --passphrase-fd 3 3<<<"$KEY"`
        "#);
    }

    #[test]
    fn each_tool_has_its_form() {
        for text in [
            "openssl enc -aes-256-cbc -pbkdf2 -in a -out b -k $K\n",
            "openssl enc -aes-256-cbc -pbkdf2 -in a -out b -pass pass:$K\n",
            "openssl enc -d -aes-256-cbc -in a -pass \"pass:${K}\"\n",
            "zip -P \"$K\" b.zip a\n",
            "7z a -p\"$K\" b.7z a\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]).matches("error[").count(), 1, "{text}");
        }
        for text in [
            "openssl enc -aes-256-cbc -pbkdf2 -in a -out b -pass env:K\n",
            "openssl enc -aes-256-cbc -pbkdf2 -in a -out b -pass file:/run/key\n",
            "openssl enc -aes-256-cbc -pbkdf2 -in a -out b -kfile /run/key\n",
            "gpg --batch --passphrase-fd 3 -c a 3< /run/key\n",
            "gpg --batch --passphrase-file /run/key -c a\n",
            "gpg -e -r ops@example.test a\n",
            "age -r \"$R\" -o a.age a\n",
        ] {
            assert_eq!(check(&RULE, &[("b.sh", text)]), "", "{text}");
        }
    }

    #[test]
    fn openssl_reads_the_environment() {
        let fixed = |text: &str| fix(&RULE, "b.sh", text);
        assert_eq!(
            fixed("openssl enc -pbkdf2 -in a -k \"$K\" -out b\n"),
            "openssl enc -pbkdf2 -in a -pass env:K -out b\n"
        );
        assert_eq!(
            fixed("openssl enc -pbkdf2 -pass pass:${K} -in a\n"),
            "openssl enc -pbkdf2 -pass env:K -in a\n"
        );
        let text = "openssl enc -pbkdf2 -pass pass:prefix-$K -in a\n";
        assert_eq!(fixed(text), text);
    }
}
