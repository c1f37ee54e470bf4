//! Commands that make another file of a dump: gzip, zstd, tar, mv.

use crate::model::command::Arg;
use crate::model::options::{Options, Spec};

use super::Said;

/// What lies around a dump's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    Gzip,
    Zstd,
    Xz,
    Bzip2,
    Lz4,
    Zip,
    Tar,
}

impl Layer {
    /// The suffix that its files have, without the dot.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Zstd => "zst",
            Self::Xz => "xz",
            Self::Bzip2 => "bz2",
            Self::Lz4 => "lz4",
            Self::Zip => "zip",
            Self::Tar => "tar",
        }
    }
}

/// `input` becomes `output`; either is none where it is a pipe or a redirection.
#[derive(Debug, Clone, PartialEq)]
pub struct Transform {
    /// Put around, in this order; taken off where `unpacks`. Empty: moved or copied.
    pub layers: Vec<Layer>,
    pub unpacks: bool,
    pub inputs: Vec<Said>,
    pub output: Option<Said>,
    /// The input is gone afterwards.
    pub consumes: bool,
}

pub(super) fn classify(name: &str, args: &[Arg]) -> Option<Transform> {
    let layer = match name {
        "gzip" | "pigz" | "gunzip" | "unpigz" | "zcat" => Layer::Gzip,
        "zstd" | "pzstd" | "unzstd" | "zstdcat" => Layer::Zstd,
        "xz" | "unxz" | "xzcat" => Layer::Xz,
        "bzip2" | "pbzip2" | "bunzip2" | "bzcat" => Layer::Bzip2,
        "lz4" | "unlz4" | "lz4cat" => Layer::Lz4,
        "tar" => return tar(args),
        "zip" => return Some(zip(args)),
        "mv" | "cp" | "cat" | "install" => return copy(name, args),
        _ => return None,
    };
    let options = Options::read(args, &Spec::gnu("STo", &["suffix", "threads"]));
    // `gzip -t` tests and changes nothing: it is a check.
    let to_stdout = options.has(&["c", "stdout", "to-stdout"]) || name.ends_with("cat");
    let unpacks = name.starts_with("un")
        || name.contains("unzip")
        || name.ends_with("cat")
        || options.has(&["d", "decompress"]);
    let inputs: Vec<Said> =
        options.operands().iter().filter(|arg| arg.text != "-").map(|arg| Said::from(*arg)).collect();
    let named = options.value(&["o"]).map(Said::from);
    let output = match inputs.as_slice() {
        _ if named.is_some() => named,
        [input] if !to_stdout => {
            let text = if unpacks {
                input.text.rsplit_once('.').map_or_else(|| input.text.clone(), |(stem, _)| stem.to_owned())
            } else {
                format!("{}.{}", input.text, layer.suffix())
            };
            Some(Said { text, arg: input.arg.clone() })
        }
        _ => None,
    };
    let keeps = options.has(&["k", "keep"]) || to_stdout || (layer == Layer::Zstd && !options.has(&["rm"]));
    Some(Transform { layers: vec![layer], unpacks, inputs, output, consumes: !keeps })
}

fn tar(args: &[Arg]) -> Option<Transform> {
    // The first word may be a bundle of letters without a dash: `tar czf`.
    let (bundle, rest) = args.split_first()?;
    let first = if bundle.text.starts_with('-') { bundle.text.clone() } else { format!("-{}", bundle.text) };
    let mut all = vec![Arg { text: first, ..bundle.clone() }];
    all.extend_from_slice(rest);
    let options =
        Options::read(&all, &Spec::gnu("fCT", &["file", "directory", "exclude", "use-compress-program"]));
    let extracts = options.has(&["x", "extract", "get"]);
    if !extracts && !options.has(&["c", "create"]) {
        return None;
    }
    let mut layers = vec![Layer::Tar];
    let compression = [
        (&["z", "gzip"][..], Layer::Gzip),
        (&["j", "bzip2"][..], Layer::Bzip2),
        (&["J", "xz"][..], Layer::Xz),
        (&["zstd"][..], Layer::Zstd),
    ];
    layers.extend(compression.iter().find(|(names, _)| options.has(names)).map(|(_, layer)| *layer));
    let file = options.value(&["f", "file"]).map(Said::from).filter(|said| said.text != "-");
    // `-C dir name` is `dir/name`.
    let folder = options.value(&["C", "directory"]).map(|value| value.text.trim_end_matches('/'));
    let input = |arg: &&Arg| {
        let text = match folder {
            Some(folder) if !arg.text.starts_with('/') => match arg.text.trim_start_matches("./") {
                "." | "" => folder.to_owned(),
                name => format!("{folder}/{name}"),
            },
            _ => arg.text.clone(),
        };
        Said { text, arg: (*arg).clone() }
    };
    let operands: Vec<Said> = options.operands().iter().map(input).collect();
    let (inputs, output) = if extracts { (file.into_iter().collect(), None) } else { (operands, file) };
    Some(Transform { layers, unpacks: extracts, inputs, output, consumes: options.has(&["remove-files"]) })
}

fn zip(args: &[Arg]) -> Transform {
    let options = Options::read(args, &Spec::gnu("PxitbnO", &["password", "out"]));
    let mut operands = options.operands().iter().map(|arg| Said::from(*arg));
    let output = operands.next();
    Transform {
        layers: vec![Layer::Zip],
        unpacks: false,
        inputs: operands.collect(),
        output,
        consumes: options.has(&["m"]),
    }
}

fn copy(name: &str, args: &[Arg]) -> Option<Transform> {
    let options =
        Options::read(args, &Spec::gnu("tmogS", &["target-directory", "mode", "owner", "group", "suffix"]));
    let mut operands: Vec<Said> = options.operands().iter().map(|arg| Said::from(*arg)).collect();
    let output = match (name, options.value(&["t", "target-directory"])) {
        ("cat", _) => None,
        (_, Some(folder)) => Some(Said::from(folder)),
        _ if operands.len() >= 2 => operands.pop(),
        _ => return None,
    };
    Some(Transform { layers: Vec::new(), unpacks: false, inputs: operands, output, consumes: name == "mv" })
}

#[cfg(test)]
mod tests {
    use crate::model::role::Role;
    use crate::model::role::tests::role;

    fn told(line: &str) -> String {
        let Role::Transform(it) = role(line) else { panic!("{line}") };
        let inputs: Vec<_> = it.inputs.iter().map(|said| said.text.as_str()).collect();
        let output = it.output.as_ref().map_or("-", |said| said.text.as_str());
        let sign = if it.unpacks { "unpack " } else { "" };
        format!(
            "{sign}{:?} {} -> {output}{}",
            it.layers,
            inputs.join(","),
            if it.consumes { ", gone" } else { "" }
        )
    }

    #[test]
    fn what_goes_in_and_what_comes_out() {
        assert_eq!(told("gzip a.sql"), "[Gzip] a.sql -> a.sql.gz, gone");
        assert_eq!(told("gzip -9c a.sql"), "[Gzip] a.sql -> -");
        assert_eq!(told("gunzip -c a.sql.gz"), "unpack [Gzip] a.sql.gz -> -");
        assert_eq!(told("gzip -d a.sql.gz"), "unpack [Gzip] a.sql.gz -> a.sql, gone");
        assert_eq!(told("zcat a.gz"), "unpack [Gzip] a.gz -> -");
        assert_eq!(told("zstd -19 a.sql -o b.zst"), "[Zstd] a.sql -> b.zst");
        assert_eq!(told("tar czf b.tgz .env db"), "[Tar, Gzip] .env,db -> b.tgz");
        assert_eq!(told("tar czf b.tgz -C /app . .env"), "[Tar, Gzip] /app,/app/.env -> b.tgz");
        assert_eq!(told("tar -xzf b.tgz -C /x"), "unpack [Tar, Gzip] b.tgz -> -");
        assert_eq!(told("tar -czf b.tgz -C /srv db"), "[Tar, Gzip] /srv/db -> b.tgz");
        assert_eq!(told("zip -r b.zip a.sql"), "[Zip] a.sql -> b.zip");
        assert_eq!(told("mv a b"), "[] a -> b, gone");
    }
}
