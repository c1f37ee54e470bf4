//! A record as it is stored: the JSON and its own SHA-256, so that one damaged
//! byte in a manifest is noticed before anything believes it.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    /// SHA-256 of the bytes of `record`, from its first brace to its last.
    sha256: String,
    #[serde(borrow)]
    record: &'a RawValue,
}

/// Wrap a record; the text is indented for the people who will read it.
pub fn wrap(record: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let text = serde_json::to_string_pretty(record)?;
    let sha256 = hex::encode(Sha256::digest(text.as_bytes()));
    Ok(format!("{{\"sha256\": \"{sha256}\", \"record\": {text}}}\n").into_bytes())
}

/// Unwrap a record, or say what is wrong with it.
pub fn unwrap<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let envelope: Envelope =
        serde_json::from_slice(bytes).map_err(|error| format!("not a record ({error})"))?;
    let found = hex::encode(Sha256::digest(envelope.record.get().as_bytes()));
    if found != envelope.sha256 {
        return Err("its SHA-256 does not fit its text".to_owned());
    }
    serde_json::from_str(envelope.record.get())
        .map_err(|error| format!("a field is not as expected ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_damaged_byte_is_noticed() {
        let record = serde_json::json!({"rows": 1000, "name": "orders", "nested": [1, 2, {"a": "b"}]});
        let stored = wrap(&record).unwrap();
        assert_eq!(unwrap::<serde_json::Value>(&stored).unwrap(), record);
        for position in 0..stored.len() - 1 {
            let mut damaged = stored.clone();
            damaged[position] ^= 1;
            let read = unwrap::<serde_json::Value>(&damaged);
            assert!(read.is_err() || read.unwrap() == record, "byte {position}");
            assert!(unwrap::<serde_json::Value>(&stored[..position]).is_err(), "cut at {position}");
        }
    }
}
