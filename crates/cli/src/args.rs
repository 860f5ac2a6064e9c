//! What all commands share on the command line.

use clap::Parser;
use flowork_node::{Config, ConfigError, Flags};

use crate::{
    commands::Command,
    exit::{EXIT_CODES_HELP, Exit, Failure},
    version::VERSION,
};

/// An automation engine on your own machine.
#[derive(Debug, Parser)]
#[command(name = "flowork", version = VERSION.as_str(), after_help = EXIT_CODES_HELP, max_term_width = 100)]
pub(crate) struct Cli {
    /// Where the node keeps everything [env: FLOWORK_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,

    /// Answer in JSON: one document, or one a line
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// The flags that every command has.
    pub(crate) fn flags(&self) -> Flags {
        Flags { data_dir: self.data_dir.clone(), ..Flags::default() }
    }
}

/// Reads the settings, with the error as this program tells it.
pub(crate) fn load_config(flags: &Flags) -> Result<Config, Failure> {
    Config::load(flags)
        .map_err(|error: ConfigError| Failure::from_error(Exit::Usage, "CONFIG", &error).hint(error.hint()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_may_follow_the_command() {
        let cli = Cli::try_parse_from(["flowork", "job", "list", "--data-dir", "/x", "--json"]).unwrap();
        assert_eq!((cli.data_dir.as_deref(), cli.json), (Some("/x"), true));
    }

    #[test]
    fn every_command_explains_itself() {
        fn walk(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no description", command.get_name());
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {} has no description",
                    command.get_name(),
                    argument.get_id()
                );
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }
}
