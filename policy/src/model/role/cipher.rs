//! Commands that encrypt and decrypt.

use crate::model::command::Arg;
use crate::model::options::{Options, Spec};

use super::Said;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CipherTool {
    Age,
    Gpg,
    OpenSsl,
    Sops,
    AwsKms,
    /// `zip -e`, `7z -p`.
    Archive,
}

/// How the key reaches the program.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyFrom {
    /// In an argument, where `ps` shows it.
    Argument(Said),
    /// An environment variable, a file, a descriptor.
    Kept(Said),
    /// Public keys: nothing secret.
    Recipients(Vec<Said>),
    /// Asked for, or not said.
    Unknown,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Cipher {
    pub tool: CipherTool,
    /// None: standard input.
    pub input: Option<Said>,
    /// None: standard output.
    pub output: Option<Said>,
    pub key: KeyFrom,
    /// OpenSSL: `-pbkdf2` or `-iter` is there. True for the others.
    pub stretches_key: bool,
    /// GnuPG: `--batch`, which asks nothing. True for the others.
    pub unattended: bool,
}

const OPENSSL: Spec = Spec::single_dash(&[
    "in", "out", "pass", "passin", "passout", "k", "kfile", "K", "iv", "S", "iter", "md", "bufsize",
    "saltlen", "inkey", "binary", "recip", "inform", "outform",
]);
const GPG: Spec = Spec::gnu(
    "orucR",
    &[
        "output",
        "recipient",
        "local-user",
        "passphrase",
        "passphrase-fd",
        "passphrase-file",
        "cipher-algo",
        "homedir",
        "pinentry-mode",
        "trust-model",
        "compress-algo",
        "digest-algo",
        "s2k-mode",
        "s2k-count",
        "s2k-digest-algo",
        "s2k-cipher-algo",
        "recipient-file",
        "hidden-recipient",
        "status-fd",
        "keyring",
        "z",
        "compress-level",
    ],
);

/// The cipher, and whether it decrypts.
pub(super) fn classify(name: &str, args: &[Arg]) -> Option<(Cipher, bool)> {
    match name {
        "age" | "rage" => Some(age(args)),
        "gpg" | "gpg2" => gpg(args),
        "openssl" => openssl(args),
        "sops" => Some(sops(args)),
        "aws" => kms(args),
        "7z" | "7za" | "zip" => archive(args),
        _ => None,
    }
}

fn age(args: &[Arg]) -> (Cipher, bool) {
    let options = Options::read(
        args,
        &Spec::gnu("roiRj", &["recipient", "output", "identity", "recipients-file", "max-work-factor"]),
    );
    let recipients: Vec<Said> =
        options.values(&["r", "recipient", "R", "recipients-file"]).map(Said::from).collect();
    let decrypts = options.has(&["d", "decrypt"]);
    let key = match options.value(&["i", "identity"]) {
        Some(identity) if decrypts => KeyFrom::Kept(Said::from(identity)),
        _ if recipients.is_empty() => KeyFrom::Unknown,
        _ => KeyFrom::Recipients(recipients),
    };
    let cipher = Cipher {
        tool: CipherTool::Age,
        input: options.operands().first().map(|arg| Said::from(*arg)).filter(|said| said.text != "-"),
        output: options.value(&["o", "output"]).map(Said::from),
        key,
        stretches_key: true,
        unattended: true,
    };
    (cipher, decrypts)
}

/// `gpg --dearmor` and `--import` bring keys of package archives: no encryption.
fn gpg(args: &[Arg]) -> Option<(Cipher, bool)> {
    // `-c` is symmetric and takes no value.
    let options = Options::read(args, &Spec { short: "oruR", ..GPG });
    let decrypts = options.has(&["d", "decrypt"]);
    let encrypts = options.has(&["e", "encrypt", "c", "symmetric"]);
    if !decrypts && !encrypts {
        return None;
    }
    let recipients: Vec<Said> = options
        .values(&["r", "recipient", "R", "hidden-recipient", "recipient-file", "f"])
        .map(Said::from)
        .collect();
    let key = if let Some(phrase) = options.value(&["passphrase"]) {
        KeyFrom::Argument(Said::from(phrase))
    } else if let Some(kept) = options.value(&["passphrase-fd", "passphrase-file"]) {
        KeyFrom::Kept(Said::from(kept))
    } else if recipients.is_empty() {
        KeyFrom::Unknown
    } else {
        KeyFrom::Recipients(recipients)
    };
    let input = options.operands().first().map(|arg| Said::from(*arg)).filter(|said| said.text != "-");
    let output = options.value(&["o", "output"]).map(Said::from).or_else(|| {
        // Without --output it writes beside the input.
        let input = input.as_ref().filter(|_| !decrypts)?;
        let suffix = if options.has(&["a", "armor"]) { "asc" } else { "gpg" };
        Some(Said { text: format!("{}.{suffix}", input.text), arg: input.arg.clone() })
    });
    let cipher = Cipher {
        tool: CipherTool::Gpg,
        input,
        output,
        key,
        stretches_key: true,
        unattended: options.has(&["batch"]),
    };
    Some((cipher, decrypts))
}

fn openssl(args: &[Arg]) -> Option<(Cipher, bool)> {
    let (first, rest) = args.split_first()?;
    let symmetric = first.text == "enc" || first.text.starts_with("aes-");
    if !symmetric && !matches!(first.text.as_str(), "smime" | "cms") {
        return None;
    }
    let options = Options::read(rest, &OPENSSL);
    // `openssl enc -base64` writes letters, and has no key.
    let encodes = ["base64", "a", "A"].iter().any(|name| options.has(&[name]));
    let names_cipher = |arg: &Arg| {
        let name = arg.text.trim_start_matches('-').to_ascii_lowercase();
        ["aes", "aria", "camellia", "chacha", "des", "sm4", "bf", "rc", "cast", "blowfish", "seed", "idea"]
            .iter()
            .any(|cipher| arg.text.starts_with('-') && name.starts_with(cipher))
    };
    if first.text == "enc" && encodes && !rest.iter().any(names_cipher) {
        return None;
    }
    let decrypts = options.has(&["d", "decrypt"]);
    if !symmetric && !decrypts && !options.has(&["encrypt"]) {
        return None;
    }
    let key = match (options.value(&["k", "K"]), options.value(&["pass", "passin", "passout"])) {
        (Some(key), _) => KeyFrom::Argument(Said::from(key)),
        (None, Some(pass)) if pass.text.starts_with("pass:") => KeyFrom::Argument(Said::from(pass)),
        (None, Some(pass)) => KeyFrom::Kept(Said::from(pass)),
        (None, None) => {
            options.value(&["kfile"]).map_or(KeyFrom::Unknown, |file| KeyFrom::Kept(Said::from(file)))
        }
    };
    let cipher = Cipher {
        tool: CipherTool::OpenSsl,
        input: options.value(&["in"]).map(Said::from),
        output: options.value(&["out"]).map(Said::from),
        key,
        stretches_key: !symmetric || options.has(&["pbkdf2", "iter"]) || options.has(&["K"]),
        unattended: true,
    };
    Some((cipher, decrypts))
}

fn sops(args: &[Arg]) -> (Cipher, bool) {
    let options =
        Options::read(args, &Spec::gnu("ako", &["age", "kms", "pgp", "output", "input-type", "output-type"]));
    let decrypts = options.has(&["d", "decrypt"]) || args.first().is_some_and(|arg| arg.text == "decrypt");
    let cipher = Cipher {
        tool: CipherTool::Sops,
        input: options.operands().last().map(|arg| Said::from(*arg)),
        output: options.value(&["output", "o"]).map(Said::from),
        key: KeyFrom::Recipients(options.values(&["age", "kms", "pgp", "a", "k"]).map(Said::from).collect()),
        stretches_key: true,
        unattended: true,
    };
    (cipher, decrypts)
}

fn kms(args: &[Arg]) -> Option<(Cipher, bool)> {
    const KMS: Spec = Spec::gnu(
        "",
        &[
            "key-id",
            "plaintext",
            "ciphertext-blob",
            "output",
            "query",
            "region",
            "profile",
            "encryption-context",
            "encryption-algorithm",
        ],
    );
    let options = Options::read(args, &KMS);
    let [service, action, ..] = options.operands() else { return None };
    if service.text != "kms" || !matches!(action.text.as_str(), "encrypt" | "decrypt") {
        return None;
    }
    let cipher = Cipher {
        tool: CipherTool::AwsKms,
        input: options.value(&["plaintext", "ciphertext-blob"]).map(Said::from),
        output: None,
        key: KeyFrom::Recipients(options.values(&["key-id"]).map(Said::from).collect()),
        stretches_key: true,
        unattended: true,
    };
    Some((cipher, action.text == "decrypt"))
}

fn archive(args: &[Arg]) -> Option<(Cipher, bool)> {
    let phrase = args.iter().find(|arg| {
        arg.text.len() > 2
            && (arg.text.starts_with("-p") || arg.text.starts_with("-P"))
            && !arg.text.starts_with("--")
    });
    let separate = args
        .iter()
        .position(|arg| matches!(arg.text.as_str(), "-P" | "--password"))
        .and_then(|at| args.get(at + 1));
    let asks = args.iter().any(|arg| matches!(arg.text.as_str(), "-e" | "--encrypt" | "-p"));
    let key = match separate.or(phrase) {
        Some(phrase) => KeyFrom::Argument(Said::from(phrase)),
        None if asks => KeyFrom::Unknown,
        None => return None,
    };
    let mut operands =
        args.iter().filter(|arg| !arg.text.starts_with('-') && !matches!(arg.text.as_str(), "a" | "x" | "e"));
    let output = operands.next().map(Said::from);
    let input = operands.next().map(Said::from);
    let decrypts = args.first().is_some_and(|arg| matches!(arg.text.as_str(), "x" | "e"));
    Some((
        Cipher { tool: CipherTool::Archive, input, output, key, stretches_key: true, unattended: true },
        decrypts,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::role::Role;
    use crate::model::role::tests::role;

    fn encrypts(line: &str) -> Cipher {
        match role(line) {
            Role::Encrypt(cipher) => *cipher,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn openssl_is_read() {
        let it = encrypts("openssl enc -aes-256-cbc -salt -in a -out b -pass pass:x");
        assert!(!it.stretches_key && matches!(it.key, KeyFrom::Argument(_)));
        assert_eq!(it.input.map(|said| said.text), Some("a".to_owned()));
        let it = encrypts("openssl aes-256-cbc -pbkdf2 -in a -out b -pass env:K");
        assert!(it.stretches_key && matches!(it.key, KeyFrom::Kept(_)));
        assert!(matches!(role("openssl enc -d -aes-256-cbc -in a"), Role::Decrypt(_)));
        assert_eq!(role("openssl rand -hex 16"), Role::Other);
        assert_eq!(role("openssl enc -base64 -in a -out b"), Role::Other);
        assert!(!encrypts("openssl enc -a -aes256 -in a -out b -pass env:K").stretches_key);
    }

    #[test]
    fn gpg_encrypts_only_where_it_says_so() {
        assert_eq!(role("gpg --dearmor -o /usr/share/keyrings/pgdg.gpg"), Role::Other);
        assert_eq!(role("gpg --import key.asc"), Role::Other);
        let it = encrypts("gpg --encrypt --recipient ops@example.test a.sql");
        assert_eq!(it.output.map(|said| said.text), Some("a.sql.gpg".to_owned()));
        assert!(matches!(it.key, KeyFrom::Recipients(_)) && !it.unattended);
        assert!(matches!(encrypts("gpg --batch -c --passphrase x a").key, KeyFrom::Argument(_)));
        assert!(matches!(role("gpg --decrypt a.gpg"), Role::Decrypt(_)));
    }

    #[test]
    fn the_others() {
        assert!(matches!(encrypts("age -r age1x -o a.age a").key, KeyFrom::Recipients(_)));
        assert!(matches!(role("age -d -i key a.age"), Role::Decrypt(_)));
        assert_eq!(
            encrypts("aws kms encrypt --key-id k --plaintext fileb://db.tgz").tool,
            CipherTool::AwsKms
        );
        assert_eq!(encrypts("zip -P x b.zip a").tool, CipherTool::Archive);
    }
}
