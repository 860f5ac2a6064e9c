//! What may run, where, and with which variables. Everything is refused that the owner did not list.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use flowork_engine::JobFailure;

use super::{CommandOptions, Payload};

/// Arguments of one program.
pub(super) const ARGS_MAX: usize = 1_000;
/// All arguments and variables together. The system has a bound too, of about this size on some.
pub(super) const ARGS_BYTES_MAX: usize = 128 << 10;
/// Input of one program.
pub(super) const STDIN_BYTES_MAX: usize = 512 << 10;

/// Variables that change which code a program runs before its own. A job never sets them, even where programs get
/// those of the node.
const NEVER_FROM_A_JOB: [&str; 4] = ["PATH", "IFS", "ENV", "BASH_ENV"];
/// Their families.
const NEVER_FROM_A_JOB_PREFIXES: [&str; 2] = ["LD_", "DYLD_"];

/// What the owner listed, as it was when the node started.
pub(super) struct Guard {
    /// By the path that was listed: the file it led to. A path that led nowhere is not here.
    programs: BTreeMap<PathBuf, PathBuf>,
    environment: BTreeSet<String>,
    /// Without symbolic links.
    work_dirs: Vec<PathBuf>,
}

/// What to start.
#[derive(Debug)]
pub(super) struct Allowed {
    /// Without symbolic links, so that none can be changed between the check and the start.
    pub(super) program: PathBuf,
    /// As it was listed.
    pub(super) called: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) environment: Vec<(OsString, OsString)>,
}

/// Why a command is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0:?} is not one of the programs that the owner lists")]
    NotListed(String),
    #[error("{} does not lead where it did when the node started", .0.display())]
    Changed(PathBuf),
    #[error("{} is not a file, or can't be found", .0.display())]
    NoFile(PathBuf),
    #[error("{} can be changed by every user of this machine", .0.display())]
    WritableByAll(PathBuf),
    #[error("the folder {0:?} is not an absolute path")]
    RelativeFolder(String),
    #[error("the folder {folder:?} can't be used")]
    NoFolder {
        folder: String,
        #[source]
        source: io::Error,
    },
    #[error("the folder {0:?} is not below one that the owner lists")]
    FolderNotListed(String),
    #[error("the variable {0:?} is not one of those that the owner lists")]
    VariableNotListed(String),
    #[error("the variable {0} can't be set by a job: it says which code a program runs")]
    VariableNeverSet(String),
    #[error("{0} holds a NUL byte")]
    Nul(&'static str),
    #[error("there are more than {ARGS_MAX} arguments")]
    TooManyArgs,
    #[error("the arguments and variables are longer than {ARGS_BYTES_MAX} bytes")]
    ArgsTooLong,
    #[error("the input is longer than {STDIN_BYTES_MAX} bytes")]
    StdinTooLong,
}

impl Refusal {
    fn hint(&self) -> &'static str {
        match self {
            Self::NotListed(_) => "GET /v1/kinds shows the programs; the owner lists them in commands.programs",
            Self::Changed(_) => "if it was updated on purpose, restart the node",
            Self::NoFile(_) => "install it, or correct commands.programs, and restart the node",
            Self::WritableByAll(_) => "take the right to write from others: chmod o-w",
            Self::RelativeFolder(_) | Self::NoFolder { .. } => "give the full path of a folder that is there",
            Self::FolderNotListed(_) => {
                "leave cwd out to run in an empty folder, or let the owner add the folder to commands.work_dirs"
            }
            Self::VariableNotListed(_) => "the owner lists variables in commands.env",
            Self::VariableNeverSet(_) => "leave it out; the program gets the node's own if the owner lists it",
            Self::Nul(_) => "leave it out; no program can take it",
            Self::TooManyArgs | Self::ArgsTooLong => "hand long data to the program on its standard input",
            Self::StdinTooLong => "put the data into a file that the program reads",
        }
    }
}

impl From<Refusal> for JobFailure {
    fn from(refusal: Refusal) -> Self {
        let cause = std::error::Error::source(&refusal).map(|cause| format!(": {cause}")).unwrap_or_default();
        Self::permanent("COMMAND_REFUSED", format!("{refusal}{cause}")).hint(refusal.hint())
    }
}

impl Guard {
    /// Follows the listed paths to what they lead to now.
    pub(super) fn new(options: &CommandOptions) -> Self {
        let real = |path: &PathBuf| fs::canonicalize(path).ok();
        let programs = options.programs.iter().filter(|path| path.is_absolute());
        Self {
            programs: programs.filter_map(|path| Some((path.clone(), real(path)?))).collect(),
            environment: options.environment.iter().cloned().collect(),
            work_dirs: options.work_dirs.iter().filter_map(real).collect(),
        }
    }

    /// Checks a payload; `own_folder` is where to run if it names none.
    pub(super) fn check(&self, payload: &Payload, own_folder: Option<&Path>) -> Result<Allowed, Refusal> {
        check_sizes(payload)?;
        let (called, program) = self.program(&payload.program)?;
        let folder = match (&payload.cwd, own_folder) {
            (Some(folder), _) => self.folder(folder)?,
            (None, Some(folder)) => folder.to_owned(),
            (None, None) => return Err(Refusal::FolderNotListed(String::new())),
        };
        Ok(Allowed { program, called, folder, environment: self.environment(&payload.env)? })
    }

    /// The path as it was listed, and the file behind it.
    ///
    /// Only the very paths that were listed are taken: a file may do other things under another name (as busybox
    /// does), so a second path to a listed file is another program.
    fn program(&self, asked: &str) -> Result<(PathBuf, PathBuf), Refusal> {
        if asked.contains('\0') {
            return Err(Refusal::Nul("the program"));
        }
        let listed = self.programs.get_key_value(Path::new(asked));
        // `Path` takes "/bin//sh" and "/bin/./sh" for "/bin/sh"; what runs should be what was read.
        let listed = listed.filter(|(path, _)| path.as_os_str() == asked);
        let (path, before) = listed.ok_or_else(|| Refusal::NotListed(asked.to_owned()))?;
        let now = fs::canonicalize(path).map_err(|_| Refusal::NoFile(path.clone()))?;
        if now != *before {
            return Err(Refusal::Changed(path.clone()));
        }
        let metadata = fs::symlink_metadata(&now).map_err(|_| Refusal::NoFile(path.clone()))?;
        if !metadata.is_file() {
            return Err(Refusal::NoFile(path.clone()));
        }
        check_writers(&now)?;
        Ok((path.clone(), now))
    }

    fn folder(&self, asked: &str) -> Result<PathBuf, Refusal> {
        if asked.contains('\0') {
            return Err(Refusal::Nul("the folder"));
        }
        if !Path::new(asked).is_absolute() {
            return Err(Refusal::RelativeFolder(asked.to_owned()));
        }
        let fail = |source| Refusal::NoFolder { folder: asked.to_owned(), source };
        let folder = fs::canonicalize(asked).map_err(fail)?;
        if !self.work_dirs.iter().any(|root| folder.starts_with(root)) {
            return Err(Refusal::FolderNotListed(asked.to_owned()));
        }
        if folder.is_dir() { Ok(folder) } else { Err(fail(io::ErrorKind::NotADirectory.into())) }
    }

    /// The node's values of what is listed, and the job's over them.
    fn environment(&self, asked: &BTreeMap<String, String>) -> Result<Vec<(OsString, OsString)>, Refusal> {
        let mut environment: BTreeMap<String, OsString> =
            self.environment.iter().filter_map(|name| Some((name.clone(), std::env::var_os(name)?))).collect();
        for (name, value) in asked {
            if name.contains('\0') || value.contains('\0') {
                return Err(Refusal::Nul("a variable"));
            }
            let listed = self.environment.iter().find(|listed| is_same_variable(listed, name));
            let listed = listed.ok_or_else(|| Refusal::VariableNotListed(name.clone()))?;
            if is_never_set(listed) {
                return Err(Refusal::VariableNeverSet(name.clone()));
            }
            environment.insert(listed.clone(), value.into());
        }
        // No program starts without it there.
        if cfg!(windows)
            && let Some(root) = std::env::var_os("SystemRoot")
        {
            environment.entry("SystemRoot".to_owned()).or_insert(root);
        }
        Ok(environment.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

fn is_same_variable(one: &str, other: &str) -> bool {
    if cfg!(windows) { one.eq_ignore_ascii_case(other) } else { one == other }
}

fn is_never_set(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    NEVER_FROM_A_JOB.contains(&name.as_str()) || NEVER_FROM_A_JOB_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn check_sizes(payload: &Payload) -> Result<(), Refusal> {
    if payload.args.len() > ARGS_MAX {
        return Err(Refusal::TooManyArgs);
    }
    if payload.args.iter().any(|argument| argument.contains('\0')) {
        return Err(Refusal::Nul("an argument"));
    }
    let args: usize = payload.args.iter().map(|argument| argument.len() + 1).sum();
    let variables: usize = payload.env.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    if args + variables > ARGS_BYTES_MAX {
        return Err(Refusal::ArgsTooLong);
    }
    if payload.stdin.len() > STDIN_BYTES_MAX {
        return Err(Refusal::StdinTooLong);
    }
    Ok(())
}

/// Refuses a program that anybody on the machine could have put there.
#[cfg(unix)]
fn check_writers(program: &Path) -> Result<(), Refusal> {
    use std::os::unix::fs::PermissionsExt;
    const WRITABLE_BY_ALL: u32 = 0o002;
    /// Others can't replace files in such a folder, though they can add some.
    const STICKY: u32 = 0o1000;
    let mode = |path: &Path| fs::metadata(path).map(|metadata| metadata.permissions().mode());
    let file = mode(program).map_err(|_| Refusal::NoFile(program.to_owned()))?;
    let folder = program.parent().map(mode).transpose().map_err(|_| Refusal::NoFile(program.to_owned()))?;
    let folder = folder.filter(|mode| mode & STICKY == 0).unwrap_or_default();
    if (file | folder) & WRITABLE_BY_ALL != 0 {
        return Err(Refusal::WritableByAll(program.to_owned()));
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn check_writers(_: &Path) -> Result<(), Refusal> {
    Ok(())
}
