//! An entry in `~/.config/autostart`, as the XDG specification of desktop entries has it.
//!
//! Not by a crate: those that there are take any file for "on", write the path without quotes and ignore
//! `XDG_CONFIG_HOME`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Autostart, AutostartError, DATA_DIR, Repaired, is_usual, text_of};
use crate::disk;

/// How the name begins: as that of the app's entry in the menus.
const FILE: &str = "flowork-desktop";
/// The one group that counts.
const GROUP: &str = "[Desktop Entry]";

pub(super) fn is_on(autostart: &Autostart) -> Result<bool, AutostartError> {
    Ok(read(autostart)?.is_some_and(|text| is_entry_on(&text)))
}

pub(super) fn set(autostart: &Autostart, on: bool) -> Result<(), AutostartError> {
    let path = path(autostart);
    if !on {
        return match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(AutostartError::Entry { path, source }),
            _ => Ok(()),
        };
    }
    let text = format!(
        "{GROUP}\nType=Application\nVersion=1.0\nName=Flowork\nComment=Automation on your own machine\nIcon=flowork\n\
         {}\n{}\nTerminal=false\nX-GNOME-Autostart-enabled=true\n",
        exec(autostart)?,
        try_exec(autostart)?
    );
    write(path, &text)
}

pub(super) fn repair(autostart: &Autostart) -> Result<Repaired, AutostartError> {
    let Some(text) = read(autostart)?.filter(|text| is_entry_on(text)) else { return Ok(Repaired::Off) };
    let line = value(&text, "Exec").unwrap_or_default();
    // What the session looks for by itself is somebody's choice.
    if program(line).is_some_and(|program| !Path::new(&program).is_absolute() || Path::new(&program).exists()) {
        return Ok(Repaired::Fine);
    }
    // What follows the program is somebody's choice, too.
    let repaired = match rest_after_program(line) {
        Some(rest) => format!("Exec={}{rest}", quoted(text_of(&autostart.program)?)),
        None => exec(autostart)?,
    };
    write(path(autostart), &with_lines(&text, &repaired, &try_exec(autostart)?))?;
    Ok(Repaired::Moved)
}

pub(super) fn entry_on(autostart: &Autostart, data_dir: &Path) -> Option<PathBuf> {
    let text = read(autostart).ok()??;
    let exec = value(&text, "Exec")?;
    let is_its = match exec.split_once(DATA_DIR) {
        None => is_usual(data_dir),
        Some((_, named)) => text_of(data_dir).is_ok_and(|data_dir| named.trim() == quoted(data_dir)),
    };
    is_its.then(|| path(autostart))
}

fn path(autostart: &Autostart) -> PathBuf {
    autostart.directory.join(format!("{FILE}{}.desktop", autostart.suffix))
}

fn read(autostart: &Autostart) -> Result<Option<String>, AutostartError> {
    let path = path(autostart);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(AutostartError::Entry { path, source }),
    }
}

fn write(path: PathBuf, text: &str) -> Result<(), AutostartError> {
    disk::replace(&path, text.as_bytes()).map_err(|source| AutostartError::Entry { path, source })
}

/// An entry is off without being deleted where a desktop's own settings say so.
fn is_entry_on(text: &str) -> bool {
    let says = |key, expected| value(text, key).is_some_and(|value| value.eq_ignore_ascii_case(expected));
    value(text, "Exec").is_some() && !says("Hidden", "true") && !says("X-GNOME-Autostart-enabled", "false")
}

/// The value of a key in the group of desktop entries.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let group = text.lines().skip_while(|line| line.trim() != GROUP).skip(1);
    let mut lines = group.take_while(|line| !line.starts_with('['));
    lines.find_map(|line| line.split_once('=').filter(|(name, _)| name.trim() == key)).map(|(_, value)| value.trim())
}

/// The same entry with another program, and everything else as somebody may have left it.
fn with_lines(text: &str, exec: &str, try_exec: &str) -> String {
    let mut in_group = false;
    let lines = text.lines().flat_map(|line| {
        if line.starts_with('[') {
            in_group = line.trim() == GROUP;
        }
        match line.split_once('=').map(|(name, _)| name.trim()).filter(|_| in_group) {
            Some("Exec") => vec![exec, try_exec],
            Some("TryExec") => Vec::new(),
            _ => vec![line],
        }
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The line that names the file without which the entry is none: once the program was removed, no session tries to start it.
fn try_exec(autostart: &Autostart) -> Result<String, AutostartError> {
    Ok(format!("TryExec={}", text_of(&autostart.program)?.replace('\\', "\\\\")))
}

/// The line that names the program. Arguments are in quotes, and each kind of escaping is the specification's: first that
/// of arguments, then that of texts.
fn exec(autostart: &Autostart) -> Result<String, AutostartError> {
    let mut line = String::from("Exec=");
    line.push_str(&quoted(text_of(&autostart.program)?));
    for argument in &autostart.arguments {
        line.push(' ');
        line.push_str(&if argument.starts_with("--") { argument.clone() } else { quoted(argument) });
    }
    Ok(line)
}

fn quoted(argument: &str) -> String {
    let mut text = String::from('"');
    for letter in argument.chars() {
        match letter {
            '"' | '`' | '$' => {
                text.push_str("\\\\");
                text.push(letter);
            }
            '\\' => text.push_str("\\\\\\\\"),
            // A field code otherwise.
            '%' => text.push_str("%%"),
            _ => text.push(letter),
        }
    }
    text.push('"');
    text
}

/// The program of an `Exec` line.
fn program(exec: &str) -> Option<String> {
    let unescaped = exec.replace("\\\\", "\\").replace("\\s", " ");
    let Some(rest) = unescaped.strip_prefix('"') else {
        return unescaped.split_whitespace().next().map(|word| word.replace("%%", "%"));
    };
    let (mut program, mut letters) = (String::new(), rest.chars());
    loop {
        match letters.next()? {
            '"' => return Some(program.replace("%%", "%")),
            '\\' => program.push(letters.next()?),
            letter => program.push(letter),
        }
    }
}

/// What follows the program in an `Exec` line.
fn rest_after_program(exec: &str) -> Option<&str> {
    let Some(mut rest) = exec.strip_prefix('"') else {
        return Some(exec.find(char::is_whitespace).map_or("", |end| &exec[end..]));
    };
    let mut is_escaped = false;
    loop {
        // The escaping of texts comes first, as in `program`.
        let letter = rest.chars().next()?;
        let width = if rest.starts_with("\\\\") { 2 } else { letter.len_utf8() };
        rest = &rest[width..];
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(rest),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn autostart(program: &str) -> (tempfile::TempDir, Autostart) {
        let dir = tempfile::tempdir().unwrap();
        let autostart = Autostart::new(PathBuf::from(program), &dir.path().join("config"));
        (dir, autostart)
    }

    fn text(autostart: &Autostart) -> String {
        fs::read_to_string(path(autostart)).unwrap()
    }

    #[test]
    fn it_is_off_until_somebody_turns_it_on_and_off_again_when_turned_off() {
        let (dir, autostart) = autostart("/usr/bin/flowork-desktop");
        assert!(!autostart.is_on().unwrap());
        assert_eq!(autostart.repair().unwrap(), Repaired::Off);
        autostart.set(false).unwrap();
        assert!(!dir.path().join("config").exists(), "looking writes nothing");
        autostart.set(true).unwrap();
        assert!(autostart.is_on().unwrap());
        assert!(text(&autostart).contains("\nExec=\"/usr/bin/flowork-desktop\" --background\n"));
        assert!(text(&autostart).contains("\nTryExec=/usr/bin/flowork-desktop\n"), "no program, no start");
        autostart.set(false).unwrap();
        assert!(!autostart.is_on().unwrap());
        assert!(!path(&autostart).exists());
    }

    #[test]
    fn what_a_desktops_settings_turned_off_stays_off() {
        let (_dir, autostart) = autostart("/nowhere/flowork-desktop");
        autostart.set(true).unwrap();
        let on = text(&autostart);
        let hidden = format!("{on}Hidden=true\n");
        let disabled = on.replace("X-GNOME-Autostart-enabled=true", "X-GNOME-Autostart-enabled=false");
        for off in [hidden, disabled, String::new(), "[Other]\nExec=x\n".to_owned()] {
            fs::write(path(&autostart), &off).unwrap();
            assert!(!autostart.is_on().unwrap(), "{off}");
            assert_eq!(autostart.repair().unwrap(), Repaired::Off);
            assert_eq!(text(&autostart), off, "a repair leaves what is off alone");
        }
        let elsewhere = format!("{on}[Desktop Action x]\nHidden=true\n");
        fs::write(path(&autostart), elsewhere).unwrap();
        assert!(autostart.is_on().unwrap(), "that key is of another group");
    }

    #[test]
    fn moved_program_is_found_again_and_the_rest_of_the_entry_kept() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("old place/flowork \"%f\" $HOME `x` \\");
        let config = dir.path().join("config");
        fs::create_dir_all(old.parent().unwrap()).unwrap();
        fs::write(&old, "").unwrap();
        let was = Autostart::new(old.clone(), &config);
        was.set(true).unwrap();
        fs::write(path(&was), format!("{}X-Mine=1\n[Desktop Action y]\nExec=y\n", text(&was))).unwrap();
        let is = Autostart::new(dir.path().join("new/flowork"), &config);
        assert_eq!(is.repair().unwrap(), Repaired::Fine, "another program that is there is somebody's choice");
        fs::remove_file(&old).unwrap();
        assert_eq!(is.repair().unwrap(), Repaired::Moved);
        let repaired = text(&is);
        assert!(repaired.contains(&exec(&is).unwrap()), "{repaired}");
        let tried: Vec<&str> = repaired.lines().filter(|line| line.starts_with("TryExec=")).collect();
        assert_eq!(tried, [format!("TryExec={}", dir.path().join("new/flowork").display())], "once, and of now");
        assert!(repaired.contains("X-Mine=1\n[Desktop Action y]\nExec=y\n"), "{repaired}");
        assert!(is.is_on().unwrap());
    }

    #[test]
    fn any_path_is_read_back_from_the_line_it_was_written_to() {
        for path in ["/a b/c", "/a\"b", "/a`b$c\\d", "/100%/x", "/ü/日本"] {
            let (_dir, autostart) = autostart(path);
            let line = exec(&autostart).unwrap();
            assert_eq!(program(line.strip_prefix("Exec=").unwrap()).as_deref(), Some(path), "{line}");
        }
        assert_eq!(program("/usr/bin/flowork --background").as_deref(), Some("/usr/bin/flowork"));
        assert_eq!(program("\"/usr/bin/flowork"), None, "its end is missing");
        let (_dir, autostart) = autostart("/a\nExec=/bin/sh");
        assert!(matches!(autostart.set(true), Err(AutostartError::Unsupported(_))), "it would be two lines");
    }

    #[test]
    fn repair_changes_the_program_and_none_of_its_arguments() {
        let (_dir, autostart) = autostart("/new \\place/flowork");
        autostart.set(true).unwrap();
        let on = text(&autostart);
        let old = exec(&autostart).unwrap();
        let program = quoted("/new \\place/flowork");
        for (was, rest) in [
            ("/nowhere/flowork", " --data-dir \"/a b\" --background"),
            ("\"/no where/a\\\\\"b\\\\\\\\\"", " --mine"),
            ("\"/nowhere\"", ""),
        ] {
            fs::write(path(&autostart), on.replace(&old, &format!("Exec={was}{rest}"))).unwrap();
            assert_eq!(autostart.repair().unwrap(), Repaired::Moved, "{was}");
            assert!(text(&autostart).contains(&format!("\nExec={program}{rest}\n")), "{}", text(&autostart));
        }
        let by_name = on.replace(&old, "Exec=env GDK_BACKEND=x11 flowork-desktop --background");
        fs::write(path(&autostart), &by_name).unwrap();
        assert_eq!(autostart.repair().unwrap(), Repaired::Fine, "the session finds it by its name");
        assert_eq!(text(&autostart), by_name);
    }

    #[test]
    fn each_data_directory_has_an_entry_of_its_own() {
        let (dir, usual) = autostart("/usr/bin/flowork-desktop");
        let on = |name: &str| usual.clone().with_data_dir(&dir.path().join(name)).unwrap();
        let (one, other) = (on("one"), on("other"));
        one.set(true).unwrap();
        assert!(one.is_on().unwrap() && !other.is_on().unwrap() && !usual.is_on().unwrap());
        usual.set(true).unwrap();
        one.set(false).unwrap();
        assert!(usual.is_on().unwrap(), "it is another one's");
        let usual_directory = dirs::data_dir().unwrap().join("flowork");
        let named = one.with_data_dir(&usual_directory).unwrap();
        assert_eq!((path(&named), exec(&named).unwrap()), (path(&usual), exec(&usual).unwrap()));
    }

    #[test]
    fn other_data_directory_is_in_the_line() {
        let (_dir, autostart) = autostart("/usr/bin/flowork-desktop");
        let autostart = autostart.with_data_dir(Path::new("/my data")).unwrap();
        let line = exec(&autostart).unwrap();
        assert_eq!(line, "Exec=\"/usr/bin/flowork-desktop\" --background --data-dir \"/my data\"");
        autostart.set(true).unwrap();
        assert_eq!(autostart.entry_on(Path::new("/my data")), Some(path(&autostart)));
        assert_eq!(autostart.entry_on(Path::new("/other")), None, "it is of another data directory");
    }
}
