use crate::model::{CipherTool, Set};
use crate::rule::{Findings, rule};

use super::clear::ciphers;

rule! {
    /// A dump is given to `aws kms encrypt`, which takes 4096 bytes.
    ///
    /// ## What
    /// `aws kms encrypt --plaintext` with a dump or an archive. It is made for keys, not
    /// for data.
    ///
    /// ## Why
    /// The call is refused for every dump that is larger than 4 KB, so the step fails,
    /// or, where its status is not asked for, uploads an empty file.
    ///
    /// ## Bad
    /// ```bash backup.sh
    /// pg_dump -Fc -f shop.dump shop
    /// aws kms encrypt --key-id alias/backup --plaintext fileb://shop.dump --output text
    /// ```
    ///
    /// ## Good
    /// ```bash backup.sh
    /// pg_dump -Fc -f shop.dump shop
    /// aws s3 cp shop.dump s3://shop-backups/daily/ --sse aws:kms --sse-kms-key-id alias/backup
    /// ```
    ///
    /// ## Sources
    /// - <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html>
    "kms-direct-encrypt" in Encryption,
    severity: Error,
    fix: No,
    check: Set(check),
}

fn check(set: &Set<'_>, findings: &mut Findings<'_>) {
    const ARCHIVES: [&str; 9] = [".sql", ".dump", ".gz", ".tgz", ".tar", ".zst", ".zip", ".bak", ".backup"];
    for pipeline in &set.pipelines {
        for (_, command, cipher) in ciphers(set, pipeline).filter(|(.., it)| it.tool == CipherTool::AwsKms) {
            let Some(input) = &cipher.input else { continue };
            let path = input.text.trim_start_matches("fileb://").trim_start_matches("file://");
            let archive = ARCHIVES.iter().any(|suffix| path.ends_with(suffix));
            if archive || pipeline.flow.find(path).is_some() {
                findings
                    .report(command.name_at, "kms encrypts at most 4096 bytes: every real dump is refused")
                    .help("encrypt the file with a data key or with age, or upload it with `--sse aws:kms`");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::testing::check;

    #[test]
    fn a_dump_is_too_large_and_a_key_is_not() {
        let found =
            |line: &str| check(&RULE, &[("b.sh", &format!("pg_dump -Fc -f out/a.bin shop\n{line}\n"))]);
        for line in [
            "aws kms encrypt --key-id k --plaintext fileb://db.tgz --output text",
            "aws kms encrypt --key-id k --plaintext fileb://out/a.bin > a.enc",
        ] {
            assert!(found(line).contains("error[kms-direct-encrypt]"), "{line}");
        }
        for line in [
            "aws kms encrypt --key-id k --plaintext fileb://data.key",
            "aws kms decrypt --ciphertext-blob fileb://db.tgz",
            "aws kms generate-data-key --key-id k",
            "aws s3 cp out/a.bin s3://b/ --sse aws:kms",
        ] {
            assert_eq!(found(line), "", "{line}");
        }
    }
}
