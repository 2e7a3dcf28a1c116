//! `promfence schema`: the JSON Schema of the configuration.

use super::output::{Failure, Outcome, Terminal};

/// Print the JSON Schema of the filter's configuration, for editors and other tools.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    writeln!(terminal.out(), "{}", text())?;
    Ok(Outcome::Good)
}

/// The schema as it is printed, and kept in `envoy/promfence.schema.json`.
fn text() -> String {
    format!(
        "{:#}",
        schemars::schema_for!(crate::config::Document).to_value()
    )
}
