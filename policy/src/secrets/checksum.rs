//! Checksums that some secrets carry in themselves: what fails them is made up.

/// CRC-32 (ISO 3309), bit by bit: tokens are short.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// GitHub's tokens: 30 random letters and figures, then their CRC-32 in base 62.
pub(super) fn is_github(random_and_sum: &str) -> bool {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Some((random, sum)) = random_and_sum.split_at_checked(30) else { return false };
    let mut left = crc32(random.as_bytes());
    sum.len() == 6
        && sum.bytes().rev().all(|byte| {
            let digit = DIGITS.get((left % 62) as usize).copied();
            left /= 62;
            digit == Some(byte)
        })
        && left == 0
}

/// Bech32 (BIP 173) without its limit of length, as age uses it.
pub(super) fn is_bech32(text: &str) -> bool {
    const DIGITS: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let lower = text.to_ascii_lowercase();
    if lower != text && text.to_ascii_uppercase() != text {
        return false;
    }
    let Some((prefix, data)) = lower.rsplit_once('1') else { return false };
    let high = prefix.bytes().map(|byte| u32::from(byte >> 5));
    let low = prefix.bytes().map(|byte| u32::from(byte & 31));
    let mut values: Vec<u32> = high.chain(std::iter::once(0)).chain(low).collect();
    for byte in data.bytes() {
        let Some(value) = (0..).zip(DIGITS).find(|(_, digit)| **digit == byte) else { return false };
        values.push(value.0);
    }
    data.len() >= 6 && polymod(&values) == 1
}

fn polymod(values: &[u32]) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.iter().fold(1, |sum, value| {
        let top = sum >> 25;
        let shifted = ((sum & 0x01ff_ffff) << 5) ^ value;
        let taps = GENERATOR.iter().enumerate().filter(|(bit, _)| (top >> bit) & 1 == 1);
        taps.fold(shifted, |sum, (_, tap)| sum ^ tap)
    })
}

/// The six digits that make a bech32 text valid: for tests, which make their own keys.
#[cfg(test)]
pub(super) fn bech32_sum(prefix: &str, data: &str) -> String {
    const DIGITS: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let mut values: Vec<u32> = prefix.bytes().map(|byte| u32::from(byte >> 5)).collect();
    values.push(0);
    values.extend(prefix.bytes().map(|byte| u32::from(byte & 31)));
    let value = |byte: u8| (0..).zip(DIGITS).find(|(_, digit)| **digit == byte).unwrap().0;
    values.extend(data.bytes().map(value));
    values.extend([0; 6]);
    let sum = polymod(&values) ^ 1;
    (0..6).map(|at| char::from(DIGITS[(sum >> (5 * (5 - at)) & 31) as usize])).collect()
}

/// The same for a GitHub token's 30 characters.
#[cfg(test)]
pub(super) fn github_sum(random: &str) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut left = crc32(random.as_bytes());
    let mut sum = Vec::new();
    for _ in 0..6 {
        sum.push(DIGITS[(left % 62) as usize]);
        left /= 62;
    }
    sum.reverse();
    String::from_utf8(sum).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_crc32() {
        // The catalogue of parametrised CRC algorithms gives it for "123456789".
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_changed_character_fails_the_sum() {
        let random = "a".repeat(10) + &"B7".repeat(10);
        let token = format!("{random}{}", github_sum(&random));
        assert!(is_github(&token));
        assert!(!is_github(&token.replacen('a', "b", 1)));
        assert!(!is_github(&random));
    }

    #[test]
    fn bech32_of_bip_173_and_its_damage() {
        assert!(is_bech32("A12UEL5L"));
        assert!(is_bech32("split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w"));
        assert!(!is_bech32("split1cheo2y9e2w"));
        assert!(!is_bech32("A12uEL5L"));
        assert!(is_bech32(&format!("age-secret-key-1qqqq{}", bech32_sum("age-secret-key-", "qqqq"))));
    }
}
