//! curl and wget: a file that is sent to an address.

use super::{Transfer, TransferTool};
use crate::model::command::Arg;
use crate::model::location::{Location, Scheme};
use crate::model::options::{Options, Spec, Value};

/// Options of curl with a value.
pub(in crate::model::role) const CURL: Spec = Spec::gnu(
    "HXdFTuAbcEomreKywCDQtYz",
    &[
        "header",
        "request",
        "data",
        "data-binary",
        "data-raw",
        "data-urlencode",
        "form",
        "upload-file",
        "user",
        "output",
        "max-time",
        "retry",
        "retry-delay",
        "connect-timeout",
        "url",
        "json",
        "cert",
        "key",
        "cacert",
        "write-out",
        "retry-max-time",
        "user-agent",
        "aws-sigv4",
        "form-string",
        "mail-from",
        "mail-rcpt",
        "oauth2-bearer",
    ],
);

/// The URL of a curl or wget.
pub(in crate::model::role) fn curl_url<'c>(options: &Options<'c>) -> Option<&'c Arg> {
    options.value(&["url"]).map(|value| value.arg).or_else(|| {
        let operands = options.operands();
        operands.iter().find(|arg| arg.text.contains("://")).or_else(|| operands.first()).copied()
    })
}

/// Only where it sends a file.
pub(super) fn curl(name: &str, args: &[Arg]) -> Option<Transfer> {
    if name == "wget" {
        let options = Options::read(args, &Spec::gnu("OoPU", &["post-file", "body-file", "output-document"]));
        let file = options.value(&["post-file", "body-file"])?;
        let url = options.operands().first()?;
        return Some(Transfer::new(
            TransferTool::Curl,
            vec![Location::of(file.arg)],
            Some(Location::of(url)),
        ));
    }
    let options = Options::read(args, &CURL);
    let url = curl_url(&options)?;
    let file = options.value(&["T", "upload-file"]).map(|value| value.text.to_owned()).or_else(|| {
        let at =
            |value: Value<'_>| value.text.strip_prefix('@').filter(|file| *file != "-").map(str::to_owned);
        let form = |value: Value<'_>| {
            let (_, file) = value.text.split_once("=@")?;
            Some(file.split(';').next().unwrap_or(file).to_owned())
        };
        options
            .values(&["data-binary", "d", "data"])
            .find_map(at)
            .or_else(|| options.values(&["F", "form"]).find_map(form))
    })?;
    let arg = options
        .value(&["T", "upload-file", "data-binary", "d", "data", "F", "form"])
        .map_or_else(|| url.clone(), |value| value.arg.clone());
    let source = Location { scheme: Scheme::Local, bucket: String::new(), key: file, arg };
    // A variable is somewhere else too.
    let destination = Location { scheme: Scheme::Http, ..Location::of(url) };
    Some(Transfer {
        fails_on_refusal: options.has(&["f", "fail", "fail-with-body", "fail-early"]),
        ..Transfer::new(TransferTool::Curl, vec![source], Some(destination))
    })
}
