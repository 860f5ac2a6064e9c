//! Login items of macOS and Windows.

use std::{
    io,
    path::{Path, PathBuf},
};

use auto_launch::{AutoLaunch, AutoLaunchBuilder, MacOSLaunchMode, WindowsEnableMode};

use super::{Autostart, AutostartError, Repaired, text_of};

pub(super) fn is_on(autostart: &Autostart) -> Result<bool, AutostartError> {
    item(autostart)?.is_enabled().map_err(|error| failed(&error))
}

pub(super) fn set(autostart: &Autostart, on: bool) -> Result<(), AutostartError> {
    let item = item(autostart)?;
    // Turning off what is off is an error there.
    match (on, item.is_enabled().map_err(|error| failed(&error))?) {
        (true, _) => item.enable().map_err(|error| failed(&error)),
        (false, true) => item.disable().map_err(|error| failed(&error)),
        (false, false) => Ok(()),
    }
}

/// What is on is written anew with the path of now; whether it was another one is not told there.
pub(super) fn repair(autostart: &Autostart) -> Result<Repaired, AutostartError> {
    let item = item(autostart)?;
    if !item.is_enabled().map_err(|error| failed(&error))? {
        return Ok(Repaired::Off);
    }
    item.enable().map_err(|error| failed(&error))?;
    Ok(Repaired::Fine)
}

/// The name of the entry says whose it is. On Windows it is a value of the registry and no file.
pub(super) fn entry_on(autostart: &Autostart, _: &Path) -> Option<PathBuf> {
    let name = name(autostart);
    if !is_on(autostart).ok()? {
        return None;
    }
    if cfg!(windows) {
        Some(PathBuf::from(format!(r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run\{name}")))
    } else {
        dirs::home_dir().map(|home| home.join("Library/LaunchAgents").join(format!("{name}.plist")))
    }
}

fn name(autostart: &Autostart) -> String {
    format!("Flowork{}", autostart.suffix)
}

fn item(autostart: &Autostart) -> Result<AutoLaunch, AutostartError> {
    let program = text_of(&autostart.program)?;
    // On Windows this becomes a command line.
    let quoted = |text: &str| if cfg!(windows) { format!("\"{text}\"") } else { text.to_owned() };
    let arguments: Vec<String> = autostart.arguments.iter().map(|argument| quoted(argument)).collect();
    AutoLaunchBuilder::new()
        .set_app_name(&name(autostart))
        .set_app_path(&quoted(program))
        .set_args(&arguments)
        .set_macos_launch_mode(MacOSLaunchMode::LaunchAgent)
        .set_windows_enable_mode(WindowsEnableMode::CurrentUser)
        .build()
        .map_err(|error| failed(&error))
}

fn failed(error: &auto_launch::Error) -> AutostartError {
    AutostartError::Unsupported(io::Error::other(error.to_string()).to_string())
}
