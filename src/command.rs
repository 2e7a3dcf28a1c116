//! The native command `promfence`: what operators run beside the filter, over the same core.

mod check;
mod confine;
mod explain;
mod keygen;
mod output;
mod schema;
mod token;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::output::Terminal;
pub use self::output::{Failure, Outcome};

/// Makes Prometheus and Thanos safe to share between tenants: tools beside the Envoy filter.
///
/// Exit status: 0 all good, 1 something was found or refused, 2 wrong usage or input that cannot
/// be read.
#[derive(Debug, Parser)]
#[command(name = "promfence", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Args),
    Confine(confine::Args),
    Explain(Box<explain::Args>),
    Keygen(keygen::Args),
    Token(token::Args),
    Schema(schema::Args),
    Verify(Box<verify::Args>),
}

/// Runs the command with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut terminal = Terminal::new();
    match run(cli, &mut terminal).and_then(|outcome| terminal.flush().map(|()| outcome)) {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(1),
        Err(failure) => {
            // Whoever reads the output may have gone; there is nobody left to tell then.
            if !failure.is_closed_pipe() {
                terminal.complain(&failure);
            }
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    match cli.command {
        Command::Check(args) => check::run(&args, terminal),
        Command::Confine(args) => confine::run(&args, terminal),
        Command::Explain(args) => explain::run(&args, terminal),
        Command::Keygen(args) => keygen::run(&args, terminal),
        Command::Token(args) => token::run(&args, terminal),
        Command::Schema(args) => schema::run(&args, terminal),
        Command::Verify(args) => verify::run(&args, terminal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent_and_documented() {
        let mut cli = Cli::command();
        cli.build();
        cli.clone().debug_assert();
        for command in cli.get_subcommands().filter(|c| c.get_name() != "help") {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for arg in command.get_arguments() {
                assert!(
                    arg.get_help().is_some(),
                    "{} {}",
                    command.get_name(),
                    arg.get_id()
                );
            }
        }
    }
}
