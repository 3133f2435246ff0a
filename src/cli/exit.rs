//! How a command ends: an exit code that a script can rely on, and for a failure one line that says what to do.

use clap::CommandFactory;
use std::fmt;

/// Exit codes. They are documented in `chorus --help` and stay the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Ok = 0,
    Error = 1,
    /// The command cannot be meant as it was written.
    Usage = 2,
    /// `zone plan --detailed-exitcode`: there is something to change.
    Changes = 3,
    /// Preflight failed, or the transition waits for a person.
    Blocked = 4,
    /// `--wait` ran out of `--timeout`; the transition goes on.
    TimedOut = 5,
    /// It does not go with what is there now.
    Conflict = 6,
    NotAuthorised = 7,
    /// `operator test`, `operator check`: something could not be tried now, and nothing that was tried failed.
    Untried = 8,
    /// Ctrl-C in a `--wait`; the transition goes on. As the shell does: 128 + SIGINT.
    Detached = 130,
}

/// Why a command came to nothing. Shown as `chorus: <sentence>. <what to do>`, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    sentence: String,
    fix: Option<String>,
    silence: bool,
}

impl Failure {
    pub fn new(exit: Exit, sentence: impl Into<String>, fix: impl Into<String>) -> Failure {
        Failure { exit, sentence: sentence.into(), fix: Some(fix.into()), silence: false }
    }

    /// For errors whose text says what to do already.
    pub fn told(exit: Exit, sentence: impl fmt::Display) -> Failure {
        Failure { exit, sentence: sentence.to_string(), fix: None, silence: false }
    }

    /// For what can only be a fault of this program.
    pub fn internal(error: &dyn fmt::Display) -> Failure {
        Failure::new(Exit::Error, format!("this is a fault of Chorus itself: {error}"), "Report it")
    }

    /// Marks that nobody answered, or that the daemon cannot answer now: asking again may help.
    pub(super) fn of_silence(mut self) -> Failure {
        self.silence = true;
        self
    }

    pub(super) fn is_silence(&self) -> bool {
        self.silence
    }

    pub(super) fn with_fix(mut self, fix: Option<String>) -> Failure {
        self.fix = fix;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = super::render::escape(self.sentence.trim_end_matches(['.', ' ']));
        write!(f, "chorus: {sentence}.")?;
        match &self.fix {
            Some(fix) => write!(f, " {}.", super::render::escape(fix.trim_end_matches(['.', ' ']))),
            None => Ok(()),
        }
    }
}

/// What clap refused, as one line. `typed` are the arguments without the program's name; from them comes which help
/// to read, for clap does not always say.
pub fn of_usage(error: &clap::Error, typed: impl IntoIterator<Item = String>) -> Failure {
    let text = error.render().to_string();
    let mut sentence = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with("Usage: ") || line.starts_with("For more information") {
            continue;
        }
        let line = line.strip_prefix("error: ").unwrap_or(line);
        if !sentence.is_empty() {
            sentence.push_str(if sentence.ends_with(':') || line.starts_with('[') { " " } else { "; " });
        }
        sentence.push_str(line);
    }
    // Without a subcommand clap gives the whole help.
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        sentence = "a command is missing".to_owned();
    }
    let root = super::args::Cli::command();
    let (mut at, mut path) = (&root, root.get_name().to_owned());
    for word in typed {
        if let Some(child) = at.find_subcommand(&word) {
            at = child;
            path = format!("{path} {word}");
        }
    }
    Failure::new(Exit::Usage, sentence, format!("See '{path} --help'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use clap::Parser;

    #[test]
    fn a_failure_is_one_line_whatever_a_server_sent() {
        let failure = Failure::new(Exit::Error, "no zone 'a\u{1b}[31m\nb'.", "Add it");
        assert_eq!(failure.to_string(), "chorus: no zone 'a\\u{1b}[31m\\u{a}b'. Add it.");
    }

    #[test]
    fn a_wrong_usage_is_one_line_that_names_the_help_to_read() {
        let line = |args: &[&str]| {
            let typed = args.iter().skip(1).map(|arg| (*arg).to_owned());
            of_usage(&Cli::try_parse_from(args).unwrap_err(), typed).to_string()
        };
        let algorithm = ["chorus", "operator", "add", "a", "--tsig-algorithm", "hmac-md5"];
        assert_eq!(
            line(&algorithm),
            "chorus: invalid value 'hmac-md5' for '--tsig-algorithm <TSIG_ALGORITHM>' \
             [possible values: hmac-sha256, hmac-sha384, hmac-sha512]; tip: a similar value exists: \
             'hmac-sha512'. See 'chorus operator add --help'."
        );
        let missing = line(&["chorus", "zone", "join", "example.org"]);
        assert!(missing.starts_with("chorus: the following required arguments were not provided: <OPERATOR>"));
        assert!(missing.ends_with("See 'chorus zone join --help'."), "{missing}");
        let unknown = line(&["chorus", "zoen", "list"]);
        assert!(unknown.contains("'zone'") && !unknown.contains('\n'), "{unknown}");
    }
}
