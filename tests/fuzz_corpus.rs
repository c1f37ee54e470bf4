//! The inputs of the fuzz targets for archives, read as each target reads them; cut,
//! and changed a little, because damage is what they are to withstand.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

#[path = "../fuzz/reads/archive.rs"]
mod archive;
#[path = "../fuzz/reads/copy_text.rs"]
mod copy_text;

type Read = fn(&[u8]);

const TARGETS: [(&str, Read, u32); 2] =
    [("archive", archive::read, 150), ("copy_text", copy_text::read, 20_000)];

#[test]
fn archives_and_copy_text_are_read_or_refused() {
    let mut random = StdRng::seed_from_u64(20_261_121);
    for (name, read, changes) in TARGETS {
        let corpus = format!("{}/../fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        let inputs: Vec<Vec<u8>> = std::fs::read_dir(corpus)
            .unwrap()
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .collect();
        assert!(!inputs.is_empty(), "fuzz/corpus/{name} is empty");
        for input in &inputs {
            read(input);
            for _ in 0..changes {
                let mut changed = input.clone();
                for _ in 0..random.gen_range(1..4) {
                    let at = random.gen_range(0..changed.len());
                    let telling = [0, b'\n', b'\\', b'.', 0xff];
                    match random.gen_range(0..4) {
                        0 => changed[at] = telling[random.gen_range(0..telling.len())],
                        1 => changed[at] ^= 1 << random.gen_range(0..8),
                        2 => changed.truncate(at.max(1)),
                        _ => changed.insert(at, random.r#gen()),
                    }
                }
                read(&changed);
            }
        }
    }
}
