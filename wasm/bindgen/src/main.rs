//! `backstop-bindgen INPUT.wasm FOLDER`: writes the JavaScript, the types and the
//! final module of `wasm/` into a folder, as `wasm-bindgen --target web` would.
//!
//! The library behind that command is pinned here by Cargo.lock, so that no program
//! has to be installed, and none of another version is.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, folder] = arguments.as_slice() else {
        eprintln!("usage: backstop-bindgen INPUT.wasm FOLDER");
        return ExitCode::from(2);
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).out_name("backstop").typescript(true).remove_name_section(true);
    match bindgen.web(true).and_then(|bindgen| bindgen.generate(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("error: cannot write the bindings of '{input}': {cause:#}");
            ExitCode::FAILURE
        }
    }
}
