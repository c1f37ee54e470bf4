//! The documentation of every rule as JSON, for who has the crate without it:
//! `cargo run --package backstop-policy --example documentation`.

use backstop_policy::rule::Documentation;

fn main() -> Result<(), serde_json::Error> {
    serde_json::to_writer(std::io::stdout(), &Documentation::built_in())
}
