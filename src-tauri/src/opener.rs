//! Opening files, folders and addresses with the system's own programs.

use std::ffi::OsStr;
use std::io;

/// Opens it, and does not wait for the program.
///
/// # Errors
/// There is none for it.
#[cfg(target_os = "linux")]
pub(crate) fn open(what: impl AsRef<OsStr>) -> io::Result<()> {
    started(open::commands(what), std::env::home_dir().as_deref())
}

/// Opens it, and does not wait for the program.
///
/// # Errors
/// There is none for it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn open(what: impl AsRef<OsStr>) -> io::Result<()> {
    open::that_detached(what)
}

/// Starts the first of these programs that there is, in a folder that is the person's: a browser that was started from an
/// AppImage would otherwise stay in that image's mount for as long as it runs.
#[cfg(target_os = "linux")]
fn started(commands: Vec<std::process::Command>, folder: Option<&std::path::Path>) -> io::Result<()> {
    use std::os::unix::process::CommandExt;
    use std::process::Stdio;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for mut command in commands {
        // A group of its own: what ends this app by its terminal does not end it.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        if let Some(folder) = folder.filter(|folder| folder.is_dir()) {
            command.current_dir(folder);
        }
        match command.spawn() {
            Ok(mut child) => {
                // Somebody has to hear that it ended.
                std::thread::spawn(move || child.wait());
                return Ok(());
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn first_program_that_there_is_runs_in_the_folder_of_the_person() {
        let home = tempfile::tempdir().unwrap();
        let told = home.path().join("told");
        let none = Command::new("no-such-program-anywhere");
        let mut shell = Command::new("sh");
        let script = format!("pwd > '{0}.part' && mv '{0}.part' '{0}'", told.display());
        shell.arg("-c").arg(script);
        started(vec![none, shell], Some(home.path())).unwrap();
        let folder = loop {
            if let Ok(folder) = std::fs::read_to_string(&told) {
                break folder;
            }
            std::thread::yield_now();
        };
        assert_eq!(folder.trim_end(), home.path().canonicalize().unwrap().to_str().unwrap());
        assert!(started(vec![Command::new("no-such-program-anywhere")], None).is_err());
    }
}
