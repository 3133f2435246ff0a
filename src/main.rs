//! `chorus`: reads the arguments, sets logging up, and hands over to `cli`.

use chorus::cli::args::{Cli, Command};
use chorus::cli::exit::{self, Exit, Failure};
use clap::Parser;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let ended = match Cli::try_parse() {
        Ok(cli) => run(cli),
        // --help and --version.
        Err(asked) if !asked.use_stderr() => asked.print().map(|()| Exit::Ok).or(Ok(Exit::Ok)),
        Err(error) => {
            let typed = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
            Err(exit::of_usage(&error, typed))
        }
    };
    let code = match ended {
        Ok(exit) => exit,
        Err(failure) => {
            // Nothing can be done when stderr is gone.
            let _ = writeln!(io::stderr(), "{failure}");
            failure.exit
        }
    };
    ExitCode::from(code as u8)
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    let daemon = matches!(cli.command, Command::Serve(_) | Command::ParentAgent { .. });
    let filter = match EnvFilter::try_from_env("CHORUS_LOG") {
        Ok(filter) => filter,
        Err(_) => EnvFilter::new(if daemon { "info" } else { "warn" }),
    };
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colour).init();
    let mut runtime = match daemon {
        true => tokio::runtime::Builder::new_multi_thread(),
        false => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build().map_err(|error| Failure::internal(&error))?;
    runtime.block_on(chorus::cli::run(cli))
}
