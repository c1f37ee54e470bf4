//! What a value is by its words: filled in elsewhere, a hint to the reader, a
//! default that everybody knows, or a literal. How random it looks is never asked.

use super::template::{is_reference, is_template};
use super::vocabulary::{INSTRUCTS, LIMIT, NAMES, STANDS_IN, all_words};

/// What a value says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A variable, a reference to a secret store, a hole in a format string.
    Template,
    /// Tells the reader to put something here: `your-password`, `<pw>`, `****`.
    Instruction,
    /// The word for it in some language: `password`, `senha`, `secret`.
    Placeholder,
    /// What an image or a tutorial starts with: `postgres`, `admin123`.
    Default,
    Literal,
}

pub(super) fn classify(value: &str) -> Class {
    if is_template(value) {
        return Class::Template;
    }
    if is_masked(value) || is_native(value) || DOCUMENTED.contains(&value) {
        return Class::Instruction;
    }
    if value.len() > LIMIT {
        return if is_published(value) { Class::Default } else { Class::Literal };
    }
    if is_reference(value) {
        return Class::Template;
    }
    let folded = fold(value);
    if let Some(flags) = all_words(&folded) {
        return match flags {
            flags if flags & INSTRUCTS != 0 => Class::Instruction,
            flags if flags & NAMES != 0 => Class::Placeholder,
            _ => Class::Default,
        };
    }
    if is_published(value) || is_weak(&folded) { Class::Default } else { Class::Literal }
}

/// Whether a host, a user or a label is a word that stands for one.
pub(super) fn is_stand_in(name: &str) -> bool {
    if is_template(name) || is_masked(name) || is_native(name) {
        return true;
    }
    name.len() <= LIMIT && all_words(&fold(name)).is_some_and(|flags| flags & (INSTRUCTS | STANDS_IN) != 0)
}

fn is_native(value: &str) -> bool {
    !value.is_ascii() && NATIVE.iter().any(|word| value.contains(word))
}

/// Covered with stars or crosses, left out, or one character over and over.
pub(super) fn is_masked(value: &str) -> bool {
    if !value.is_ascii() && value.contains(['…', '•', '●', '█', '▪', '·', '∗']) {
        return true;
    }
    let (mut run, mut longest_cross, mut last) = (0_usize, 0_usize, '\0');
    let mut crosses_only = true;
    let mut length = 0_usize;
    for character in value.chars() {
        let character = character.to_ascii_lowercase();
        run = if character == last { run + 1 } else { 1 };
        if character == 'x' {
            longest_cross = longest_cross.max(run);
        }
        crosses_only &= matches!(character, 'x' | '*' | '-' | '_' | '#' | '?' | '.');
        last = character;
        length += 1;
        if run == 3 && matches!(character, '*' | '.') {
            return true;
        }
    }
    (crosses_only && length >= 2) || longest_cross >= 4 || (run == length && length >= 4)
}

/// Words with the endings that people add to them: `admin123`, `P4ssw0rd`.
fn is_weak(folded: &str) -> bool {
    const ENDINGS: &[&str] = &["0", "1", "01", "00", "12", "123", "1234", "12345", "123456", "321"];
    if SEQUENCES.contains(&folded) {
        return true;
    }
    let letters = folded.trim_end_matches(|c: char| c.is_ascii_digit());
    let ending = &folded[letters.len()..];
    if !letters.is_empty() && ENDINGS.contains(&ending) && all_words(letters).is_some() {
        return true;
    }
    let has_leet = letters.bytes().any(|byte| matches!(byte, b'0' | b'1' | b'3' | b'4' | b'5' | b'@' | b'$'));
    has_leet && all_words(&unleet(letters)).is_some_and(|flags| flags & NAMES != 0)
}

fn unleet(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '0' => 'o',
            '1' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            other => other,
        })
        .collect()
}

/// Keys and passwords that vendors print in their own documentation.
fn is_published(value: &str) -> bool {
    PUBLISHED.iter().any(|known| value.starts_with(known))
}

/// Lower case of what the words below are made of: ASCII and the Latin letters up to
/// U+021B, in which capitals and small letters alternate.
fn lower(c: char) -> char {
    let code = u32::from(c);
    let code = match c {
        '×' => code,
        'À'..='Þ' => code + 32,
        'Ā'..='ķ' | 'Ŋ'..='ŷ' | 'Ș'..='ț' => code | 1,
        'Ĺ'..='ň' | 'Ź'..='ž' => code + (code & 1),
        _ => u32::from(c.to_ascii_lowercase()),
    };
    char::from_u32(code).unwrap_or(c)
}

/// Lower case, without accents; separators become spaces.
pub(super) fn fold(text: &str) -> String {
    text.chars()
        .map(lower)
        .filter(|character| !matches!(character, '\u{300}'..='\u{36f}'))
        .map(|character| match character {
            'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' | 'ą' | 'ă' => 'a',
            'ç' | 'ć' | 'č' => 'c',
            'é' | 'è' | 'ê' | 'ë' | 'ę' | 'ě' => 'e',
            'í' | 'ì' | 'î' | 'ï' | 'ı' => 'i',
            'ł' => 'l',
            'ñ' | 'ń' => 'n',
            'ó' | 'ò' | 'ô' | 'õ' | 'ö' | 'ø' | 'ő' => 'o',
            'ś' | 'ş' | 'š' | 'ș' => 's',
            'ú' | 'ù' | 'û' | 'ü' | 'ů' | 'ű' => 'u',
            'ž' | 'ż' | 'ź' => 'z',
            'ğ' => 'g',
            'ř' => 'r',
            '-' | '_' | '.' | ':' | '/' | '+' | ',' | '\'' | '(' | ')' | '[' | ']' | '<' | '>' | '!' => ' ',
            other => other,
        })
        .collect()
}

/// Scripts without upper case or word breaks: the word within a value is enough.
const NATIVE: &[&str] = &[
    "пароль",
    "Пароль",
    "ПАРОЛЬ",
    "密码",
    "密碼",
    "パスワード",
    "비밀번호",
    "암호",
    "كلمة المرور",
    "סיסמה",
    "รหัสผ่าน",
    "κωδικός",
    "पासवर्ड",
    "парола",
    "mật khẩu",
    "用户",
    "ユーザー",
    "사용자",
];

const SEQUENCES: &[&str] = &[
    "123",
    "1234",
    "12345",
    "123456",
    "1234567",
    "12345678",
    "123456789",
    "1234567890",
    "0123456789",
    "abc123",
    "abcd1234",
    "abcdef",
    "abcdefgh",
    "qwerty",
    "qwerty123",
    "654321",
    "111111",
    "000000",
    "changeme123",
    "test1234",
    "s3cr3t",
];

/// Stand-ins of documentation that look like the real thing: Neon's, AWS's.
const DOCUMENTED: &[&str] = &["AbC123dEf", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"];

/// Azurite's and Supabase's own development secrets, and the example keys of AWS.
const PUBLISHED: &[&str] = &[
    concat!("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1", "OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr"),
    "super-secret-jwt-token-with-at-least-32-characters",
    "your-super-secret-",
    "this_password_is_insecure_and_should_be_updated",
    "correct horse battery staple",
    "correct-horse-battery-staple",
    "correcthorsebatterystaple",
    "opensesame",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_are_the_same_words() {
        for small in "aáàâãäåąăçćčéèêëęěíìîïłñńóòôõöøőśşšșúùûüůűzžżźğř×".chars()
        {
            assert!(small.to_uppercase().all(|capital| lower(capital) == small), "{small}");
        }
        assert_eq!(fold("CONTRASEÑA-HASŁO_ŞİFRE"), "contrasena haslo sifre");
    }

    #[test]
    fn what_is_filled_in_elsewhere_is_a_template() {
        for value in [
            "$PGPASSWORD",
            "${PW}",
            "${{ secrets.DB }}",
            "$(cat /run/pw)",
            "`cat pw`",
            "%DB_PASS%",
            "%s",
            "{}",
            "{password}",
            "{{ .Values.pw }}",
            "<%= pw %>",
            "<password>",
            "[YOUR-PASSWORD]",
            "#{pw}",
            "%(pw)s",
            ":pw",
            ":'pw'",
            "@pw@",
            "__PW__",
            "op://vault/db/password",
            "vault:secret/db#pw",
            "ENC[AES256,data:x]",
            "ENC(abc=)",
            "!vault",
            "arn:aws:secretsmanager:eu-west-1:1:secret:x",
            "DB_PASSWORD",
            "YOUR_PASSWORD",
            "config.password",
            "process.env.PW",
            "",
            "/run/secrets/db_password",
            "$config['pw']",
            "prefix-${PW}",
            "a$PASSWORD",
            "$2b$10$abcdefghijk",
            "{config['pw']}",
        ] {
            assert_eq!(classify(value), Class::Template, "{value}");
        }
    }

    #[test]
    fn hints_and_words_for_a_secret_are_known_in_many_languages() {
        for value in [
            "your-password",
            "changeme",
            "change_me",
            "replace-this",
            "xxx",
            "XXXX-XXXX",
            "****",
            "•••",
            "[REDACTED",
            "…",
            "yourStrongPassword",
            "example",
            "todo",
            "votre-mot-de-passe",
            "пароль",
            "你的密码",
            "randompassword",
            "enter your password here",
            "aaaaaa",
            "your_database_password",
            "foo",
            "insert-password-here",
        ] {
            assert_eq!(classify(value), Class::Instruction, "{value}");
        }
        for value in [
            "password",
            "Password",
            "senha",
            "SENHA",
            "contraseña",
            "mysecretpassword",
            "pass",
            "test_password",
            "mot de passe",
            "hasło",
            "şifre",
        ] {
            assert_eq!(classify(value), Class::Placeholder, "{value}");
        }
    }

    #[test]
    fn defaults_are_what_everybody_knows() {
        for value in [
            "postgres",
            "root",
            "admin",
            "app",
            "test",
            "minioadmin",
            "password123",
            "123456",
            "P4ssw0rd",
            "admin1234",
        ] {
            assert_eq!(classify(value), Class::Default, "{value}");
        }
    }

    #[test]
    fn what_a_person_or_a_machine_chose_is_a_literal() {
        for value in [
            "Word1821?",
            "Blue@712",
            "ember657xq",
            "correcthorse",
            "Tr0ub4dor&3",
            "hunter",
            "Summer2024!",
            "9fK2mQx7",
            "a$b1!x",
            "Pa$$w0rd!x",
            "p{x7",
            "k[9z",
            "tiger",
            "scott",
            "sunshine99",
            "Admin2024!",
        ] {
            assert_eq!(classify(value), Class::Literal, "{value}");
        }
    }

    #[test]
    fn stand_ins_for_hosts_and_users() {
        for name in [
            "user",
            "USERNAME",
            "host",
            "new-host",
            "usuario",
            "your-project",
            "<user>",
            "project-ref",
            "johndoe",
        ] {
            assert!(is_stand_in(name), "{name}");
        }
        for name in ["postgres", "shop", "db", "app_owner"] {
            assert!(!is_stand_in(name), "{name}");
        }
    }
}
