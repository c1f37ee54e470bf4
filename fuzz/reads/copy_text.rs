//! Whatever the bytes of a table's data and wherever they are cut, who counts its
//! rows and who cuts it for several connections agree on whether it is whole.

use backstop::archive::CopyText;
use backstop::archive::load::{Cut, Cutter};
use bytes::Bytes;

/// The first byte says how long the pieces are.
pub fn read(bytes: &[u8]) {
    let Some((size, text)) = bytes.split_first() else { return };
    let mut text_rows = CopyText::default();
    let (mut cutter, mut cuts) = (Cutter::default(), Vec::new());
    let mut cut = Ok(());
    for piece in text.chunks(usize::from(*size) + 1) {
        text_rows.feed(piece);
        cut = cut.and_then(|()| cutter.feed(Bytes::copy_from_slice(piece), &mut cuts));
    }
    let cut = cut.and_then(|()| cutter.finish());
    let counted = text_rows.finish();
    assert_eq!(cut.is_ok(), counted.is_ok(), "{cut:?}, {counted:?}");
    let Ok(counted) = counted else { return };
    let mut rows = Vec::new();
    for cut in &cuts {
        let (Cut::Rows(part) | Cut::Open(part) | Cut::More(part) | Cut::Close(part)) = cut;
        rows.extend_from_slice(part);
    }
    assert_eq!(rows.len() as u64, counted.bytes);
    assert!(text.starts_with(&rows));
}
