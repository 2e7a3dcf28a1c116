//! The native command.

use std::process::ExitCode;

fn main() -> ExitCode {
    promfence::command::main()
}
