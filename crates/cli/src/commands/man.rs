//! `flowork man`: what packages install as manual pages.

use std::path::PathBuf;

use clap::CommandFactory;

use crate::{
    args::Cli,
    exit::{Exit, Failure},
};

/// Write a manual page for each command
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder to write them to; it must be there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[expect(clippy::needless_pass_by_value, reason = "each command owns its arguments")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    clap_mangen::generate_to(Cli::command(), &args.out).map_err(|error| {
        let failure = format!("cannot write manual pages to {}: {error}", args.out.display());
        Failure::new(Exit::Failed, "MAN", failure).hint("make the folder first".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_is_shown_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        run(Args { out: folder.path().to_owned() }).unwrap();
        let page = |name: &str| std::fs::read_to_string(folder.path().join(name));
        assert!(page("flowork.1").unwrap().contains(".TH flowork 1"));
        assert!(page("flowork-job-enqueue.1").unwrap().contains("payload"), "commands of commands have theirs");
        assert!(page("flowork-openapi.1").is_err(), "what help does not show has none");
    }

    #[test]
    fn folder_that_is_not_there_is_named() {
        let failure = run(Args { out: "/nowhere/at/all".into() }).unwrap_err();
        assert!(failure.body.message.contains("/nowhere/at/all"), "{}", failure.body.message);
    }
}
