//! Commands that take a secret as an argument of a form that only they have:
//! `mysqldump -pSECRET`, `sshpass -p`, `redis-cli -a`, `curl -u user:password`,
//! `openssl -k`, `7z -p`, `zip -P`, `mc alias set`. Options with a telling name
//! (`--password`) are found by it, in `assign`.

use std::ops::Range;

use super::Kind;
use super::judge::Login;
use super::scan::{Scan, is_quote, is_word};

/// How a command takes it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `-pSECRET`
    Glued(&'static str),
    /// `-p SECRET`
    Next(&'static str),
    /// `-u USER:SECRET`
    Pair(&'static str),
    /// The word at this place after the command's name.
    Place(usize),
}

const COMMANDS: &[(&str, &[Form], Kind)] = &[
    ("mysql", &[Form::Glued("-p")], Kind::Argument),
    ("mariadb", &[Form::Glued("-p")], Kind::Argument),
    ("mongo", &[Form::Glued("-p"), Form::Next("-p")], Kind::Argument),
    ("sshpass", &[Form::Glued("-p"), Form::Next("-p")], Kind::Argument),
    ("redis-cli", &[Form::Next("-a")], Kind::Argument),
    ("valkey-cli", &[Form::Next("-a")], Kind::Argument),
    ("sqlcmd", &[Form::Next("-P")], Kind::Argument),
    ("curl", &[Form::Pair("-u"), Form::Pair("--user"), Form::Pair("--proxy-user")], Kind::Argument),
    ("openssl", &[Form::Next("-k"), Form::Next("-K")], Kind::Passphrase),
    ("7z", &[Form::Glued("-p")], Kind::Passphrase),
    ("zip", &[Form::Next("-P")], Kind::Passphrase),
    ("mc alias", &[Form::Place(4)], Kind::StorageKey),
];

/// A command and what follows on its line: longer than any that holds a secret.
const REACH: usize = 600;

pub(super) fn detect(scan: &mut Scan<'_>, hit: &Range<usize>) {
    let before = scan.before(hit.start);
    if is_word(before) || before == b'-' || before == b'.' {
        return;
    }
    // `mysqldump`, `mariadb-dump`, `mongorestore`.
    let blank = scan.before(hit.end) == b' ';
    let rest = if blank { 0 } else { 24 };
    let end = scan.run_end(hit.end, rest, |byte| is_word(byte) || byte == b'-' || byte == b'.');
    if !blank && !matches!(scan.byte(end), b' ' | b'\t' | b'\\') {
        return;
    }
    let name = scan.part(hit.clone()).trim_end();
    let Some((_, forms, kind)) = COMMANDS.iter().find(|(command, ..)| name.eq_ignore_ascii_case(command))
    else {
        return;
    };
    // The literal or the piece of Markdown that the command stands in.
    let words = words(scan, end, Some(before).filter(|byte| is_quote(*byte)));
    for (at, word) in words.iter().enumerate() {
        let text = scan.part(word.clone());
        for form in *forms {
            let value = match form {
                Form::Glued(flag) => text
                    .strip_prefix(flag)
                    .filter(|rest| {
                        !rest.is_empty() && !text.starts_with("-pass") && !text.starts_with("-port")
                    })
                    .map(|_| unquoted(scan, word.start + flag.len()..word.end)),
                Form::Next(flag) if text == *flag => {
                    words.get(at + 1).map(|next| unquoted(scan, next.clone()))
                }
                Form::Pair(flag) if text == *flag => words.get(at + 1).and_then(|next| {
                    let next = unquoted(scan, next.clone());
                    let colon = scan.part(next.clone()).find(':')?;
                    Some(next.start + colon + 1..next.end)
                }),
                Form::Place(place) if at == *place => Some(unquoted(scan, word.clone())),
                _ => None,
            };
            if let Some(value) = value {
                report(scan, hit.start, value, *kind);
            }
        }
    }
    scan.skip_to(hit.end);
}

fn report(scan: &mut Scan<'_>, start: usize, value: Range<usize>, kind: Kind) {
    let text = scan.part(value.clone());
    // Published ports (`-p 27017:27017`) and the next option.
    let is_port = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    if text.is_empty() || is_port || text.starts_with(['-', '/', '.']) {
        return;
    }
    let login = Login { user: "", password: text, host: None, creates: false };
    if let Some(verdict) = login.verdict() {
        scan.add(start..value.end, value, kind, verdict);
    }
}

/// The words of a command as they stand, quotes included; a continued line goes on.
fn words(scan: &Scan<'_>, start: usize, around: Option<u8>) -> Vec<Range<usize>> {
    let bytes = scan.ahead(start, REACH);
    let mut words = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b' ' | b'\t' => at += 1,
            b'\\' if matches!(bytes.get(at + 1), Some(b'\n' | b'\r')) => at += 2,
            b'\n' | b';' | b'|' | b'&' | b')' => break,
            byte if Some(byte) == around => break,
            _ => {
                let first = at;
                at = word_end(bytes, at, around);
                words.push(start + first..start + at);
                if at == first {
                    break;
                }
            }
        }
    }
    words
}

/// The end of the word from `at`: quotes keep blanks in it.
fn word_end(bytes: &[u8], mut at: usize, around: Option<u8>) -> usize {
    let mut quote = None;
    while let Some(&byte) = bytes.get(at) {
        if let Some(mark) = quote {
            if byte == b'\n' {
                break;
            }
            quote = Some(mark).filter(|mark| byte != *mark);
        } else if is_quote(byte) {
            // One that nothing closes belongs to a literal around the command.
            if Some(byte) == around || !closes(bytes.get(at + 1..).unwrap_or_default(), byte) {
                break;
            }
            quote = Some(byte);
        } else if byte <= b' ' || b";|)".contains(&byte) {
            break;
        }
        at += 1;
    }
    at
}

fn closes(rest: &[u8], mark: u8) -> bool {
    rest.iter().take_while(|byte| **byte != b'\n').any(|byte| *byte == mark)
}

fn unquoted(scan: &Scan<'_>, range: Range<usize>) -> Range<usize> {
    let mark = scan.byte(range.start);
    if range.len() >= 2 && is_quote(mark) && scan.before(range.end) == mark {
        range.start + 1..range.end - 1
    } else {
        // What is left of a literal around the whole command.
        let text = scan.part(range.clone());
        range.start..range.start + text.trim_end_matches(['"', '\'', '`', ',', '\\']).len()
    }
}

/// `echo 'passphrase' | gpg --passphrase-fd 0`: the literal before the pipe.
pub(super) fn piped(scan: &mut Scan<'_>, option: usize) {
    let before = scan.line_before(option);
    let start = option - before.len();
    let Some(pipe) = before.rfind('|') else { return };
    let Some(echo) =
        before.get(..pipe).and_then(|text| text.rfind("echo ").or_else(|| text.rfind("printf ")))
    else {
        return;
    };
    let line = start + echo;
    let literals = words(scan, line + if scan.part(line..line + 5) == "echo " { 5 } else { 7 }, None);
    if let Some(last) = literals.last().filter(|word| word.end <= start + pipe) {
        let value = unquoted(scan, last.clone());
        report(scan, line, value, Kind::Passphrase);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Place, find};

    fn values(text: &str) -> Vec<String> {
        let found = find(text, Place::of("x.sh"));
        found
            .iter()
            .flat_map(|secret| &secret.values)
            .map(|value| text[value.start..value.end].to_owned())
            .collect()
    }

    #[test]
    fn secrets_in_arguments() {
        for (text, wanted) in [
            ("mysqldump -u root -pv7Kq2mzR shop", "v7Kq2mzR"),
            ("mysqldump -u root -p'v7Kq 2mzR' shop", "v7Kq 2mzR"),
            ("mysql \\\n  -pv7Kq2mzR", "v7Kq2mzR"),
            ("sshpass -p v7Kq2mzR ssh db", "v7Kq2mzR"),
            ("redis-cli -a v7Kq2mzR save", "v7Kq2mzR"),
            ("mongodump -u app -p v7Kq2mzR", "v7Kq2mzR"),
            ("curl -u app:v7Kq2mzR https://db.shop.io", "v7Kq2mzR"),
            ("openssl enc -aes-256-cbc -k v7Kq2mzR -in x", "v7Kq2mzR"),
            ("openssl enc -pass pass:v7Kq2mzR -in x", "v7Kq2mzR"),
            ("openssl enc -pass 'pass:v7Kq 2mzR' -in x", "v7Kq 2mzR"),
            ("gpg --batch --passphrase 'v7Kq2mzR' -c x", "v7Kq2mzR"),
            ("echo 'v7Kq2mzR' | gpg --passphrase-fd 0 -c x", "v7Kq2mzR"),
            ("7z a -pv7Kq2mzR x.7z x", "v7Kq2mzR"),
            ("zip -P v7Kq2mzR x.zip x", "v7Kq2mzR"),
            ("mc alias set s3 https://s3.shop.io app v7Kq2mzR", "v7Kq2mzR"),
            ("exec(\"mysqldump -u root -pv7Kq2mzR\")", "v7Kq2mzR"),
        ] {
            assert_eq!(values(text), [wanted], "{text}");
        }
    }

    #[test]
    fn variables_ports_and_options_are_none() {
        for text in [
            "mysqldump -u root -p\"$PASS\" shop",
            "mysqldump -u root -p shop",
            "docker run --name mongo -p 27017:27017 mongo",
            "sshpass -p \"$PW\" ssh db",
            "openssl enc -pass env:PW",
            "openssl enc -pass file:/run/pw",
            "gpg --passphrase \"$PW\" -c x",
            "gpg --passphrase-file /run/pw",
            "echo \"$PW\" | gpg --passphrase-fd 0",
            "gzip -P x; curl -u \"$U:$P\" https://x",
            "zip -r x.zip -P $PW",
            "`mysqldump -pX`, `.pgpass` and `so on` are shown",
            "curl -u \"$TOKEN:\" https://x",
        ] {
            assert_eq!(values(text), Vec::<String>::new(), "{text}");
        }
    }
}
