//! The command line of the app. The system, scripts, tests and the app itself write it, and seldom a person.

use clap::{Parser, Subcommand};
use flowork_node::Flags;

/// What the app was started with.
#[derive(Clone, Debug, Parser)]
#[command(name = "flowork-desktop", version, about = "Flowork in a window and the tray")]
pub(crate) struct Arguments {
    /// Where the node keeps its data
    // The environment is read with the rest of the configuration, so that an error names the variable.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,
    /// Where the node listens; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<String>,
    /// Open no window where there is a tray; for the start with the session
    #[arg(long)]
    pub(crate) background: bool,
    /// Start the node without workers and modules, to look at what is wrong
    #[arg(long)]
    pub(crate) recovery: bool,
    /// A link to open, such as flowork://job/<id>
    pub(crate) url: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What the app does instead of opening a window.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Sample modules run as child processes of this very program
    #[command(subcommand, hide = true)]
    Module(ModuleCommand),
}

/// What can be done with a sample module.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ModuleCommand {
    /// Run one attempt: a request on stdin, lines of JSON on stdout
    Run {
        /// The id of the module
        name: String,
    },
}

impl Arguments {
    /// What the node is told of them. `recovery` is for this one start: what was asked for with the first is not for ever.
    pub(crate) fn flags(&self, recovery: bool) -> Flags {
        Flags { data_dir: self.data_dir.clone(), listen: self.listen.clone(), recovery, ..Flags::default() }
    }

    /// Reads what a second start was given. A command line that nobody can read just brings the window forward.
    pub(crate) fn handed_over(arguments: &[String]) -> Self {
        Self::try_parse_from(arguments).unwrap_or_else(|error| {
            tracing::warn!(%error, "the arguments of a second start cannot be read");
            Self::parse_from(["flowork-desktop"])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_is_run_without_a_window() {
        let arguments = Arguments::parse_from(["flowork-desktop", "module", "run", "csv-profile"]);
        let Some(Command::Module(ModuleCommand::Run { name })) = arguments.command else {
            panic!("`module run` was not understood");
        };
        assert_eq!(name, "csv-profile");
    }

    #[test]
    fn node_is_placed_by_flags() {
        let arguments = Arguments::parse_from(["flowork-desktop", "--data-dir", "/a", "--listen", "127.0.0.1:0"]);
        let flags = arguments.flags(false);
        assert_eq!(flags.data_dir.as_deref(), Some("/a"));
        assert_eq!(flags.listen.as_deref(), Some("127.0.0.1:0"));
        assert!(!flags.recovery && !arguments.background, "it opens the window and runs jobs");
        assert!(arguments.command.is_none());
        assert!(arguments.flags(true).recovery, "after starts that failed");
    }

    #[test]
    fn link_is_opened_wherever_it_stands() {
        let arguments = Arguments::parse_from(["flowork-desktop", "flowork://job/job_1", "--recovery"]);
        assert_eq!(arguments.url.as_deref(), Some("flowork://job/job_1"));
        assert!(arguments.recovery && arguments.flags(true).recovery);
        assert!(!arguments.flags(false).recovery, "a later start can be as usual");
    }

    #[test]
    fn second_start_is_understood_or_brings_the_window_forward() {
        let given = |arguments: &[&str]| {
            let arguments: Vec<_> = arguments.iter().map(|text| (*text).to_owned()).collect();
            Arguments::handed_over(&arguments)
        };
        assert_eq!(given(&["flowork-desktop", "flowork://open"]).url.as_deref(), Some("flowork://open"));
        assert!(given(&["flowork-desktop", "--recovery"]).recovery);
        assert!(given(&["flowork-desktop", "--background"]).background);
        let unread = given(&["flowork-desktop", "--no-such-flag", "flowork://open"]);
        assert!(unread.url.is_none() && !unread.background, "{unread:?}");
    }
}
