//! `flowork vault …`: where the secrets are, moving them, and what a node then says.

use std::{fs, path::PathBuf, process::Stdio};

use serde_json::json;

use crate::world::{Outcome, Served, World};

const CANARY: &str = "sk-canary-of-the-vault-tests";
const PASSPHRASE: &str = "correct horse battery";

/// A node's data directory with one secret in it, and everything that any back end but the keychain wants.
struct Kept {
    world: World,
}

impl Kept {
    fn new() -> Self {
        let kept = Self { world: World::new() };
        kept.write("passphrase", PASSPHRASE);
        kept.write("credentials/flowork-vault-key", &"k".repeat(40));
        let mut node = kept.serve();
        node.signal("TERM");
        assert!(node.wait().success());
        let mut command = kept.command(&["provider", "set-key", "ollama"]);
        command.stdin(Stdio::from(fs::File::open(kept.write("canary", CANARY)).unwrap()));
        assert!(command.status().unwrap().success());
        kept
    }

    /// Writes a private file beside the data directory.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.world.data().parent().unwrap().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        path
    }

    /// `flowork` without a keychain, on auto.
    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let beside = self.world.data().parent().unwrap().to_owned();
        let mut command = self.world.command(arguments);
        command.env("FLOWORK_VAULT", "auto").env_remove("XDG_RUNTIME_DIR");
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/flowork-test-bus");
        if self.world.data().join("vault.json").exists() {
            command.env("CREDENTIALS_DIRECTORY", beside.join("credentials"));
            command.env("FLOWORK_VAULT_PASSPHRASE_FILE", beside.join("passphrase"));
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(arguments))
    }

    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let outcome = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(outcome.code(), 0, "{arguments:?}: {}", outcome.stderr());
        serde_json::from_str(&outcome.stdout()).unwrap()
    }

    fn serve(&self) -> Served {
        Served::start(self.command(&["serve", "--json", "--listen", "127.0.0.1:0"]))
    }

    /// The secret is there, and its bytes are nowhere in the data directory.
    fn assert_kept(&self) {
        let providers = self.json(&["provider", "list"]);
        assert_eq!(providers["providers"][0]["has_key"], true, "{providers}");
        let mut folders = vec![self.world.data()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let bytes = fs::read(&path).unwrap();
                let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
                assert!(!found, "{} has a secret in the clear", path.display());
            }
        }
    }
}

#[test]
fn secrets_move_and_the_node_says_where_they_are() {
    let kept = Kept::new();
    let status = kept.json(&["vault", "status"]);
    assert_eq!(status["back_end"], "file");
    assert_eq!(status["notices"][0]["code"], "VAULT_KEY_ON_DISK");
    let works: Vec<_> = status["back_ends"].as_array().unwrap().iter().map(|found| found["works"] == true).collect();
    if cfg!(target_os = "linux") {
        assert_eq!(works, [false, true, true, true], "{status}");
    }

    for to in ["systemd", "passphrase"] {
        let moved = kept.json(&["vault", "migrate", "--to", to]);
        assert_eq!((&moved["to"], &moved["leftover"]), (&to.into(), &serde_json::Value::Null));
        kept.assert_kept();
        let text = kept.run(&["vault", "status"]).stdout();
        assert!(text.contains("provider/ollama") && text.contains("in use") && !text.contains(CANARY), "{text}");
        let mut node = kept.serve();
        let status = kept.json(&["status"]);
        assert_eq!(status["vault"], to);
        assert!(!status["notices"].to_string().contains("VAULT_"), "{status}");
        node.signal("TERM");
        assert!(node.wait().success());
    }

    let mut outside = kept.command(&["vault", "status"]);
    outside.env_remove("FLOWORK_VAULT_PASSPHRASE_FILE");
    let refused = Outcome::of(&mut outside);
    assert_eq!(refused.code(), 5, "{}", refused.stderr());
    assert!(refused.stderr().contains("FLOWORK_VAULT_PASSPHRASE_FILE"), "{}", refused.stderr());
}

#[test]
fn nothing_moves_under_a_running_node_or_against_the_settings() {
    let kept = Kept::new();
    let mut wanted = kept.command(&["vault", "migrate", "--to", "passphrase"]);
    wanted.env("FLOWORK_VAULT", "file");
    let refused = Outcome::of(&mut wanted);
    assert_eq!(refused.code(), 2);
    assert!(refused.stderr().contains("set vault = \"auto\" or \"passphrase\""), "{}", refused.stderr());
    assert_eq!(kept.run(&["vault", "migrate", "--to", "plaintext"]).code(), 2);

    let _node = kept.serve();
    for arguments in
        [&["vault", "migrate", "--to", "passphrase"][..], &["vault", "passwd", "--new-passphrase-file", "x"]]
    {
        let refused = kept.run(arguments);
        assert_eq!(refused.code(), 8, "{}", refused.stderr());
        assert!(refused.stderr().contains("stop the node first"));
    }
    assert_eq!(kept.json(&["vault", "status"])["back_end"], "file");
}

#[test]
fn passphrase_is_changed_by_a_file() {
    let kept = Kept::new();
    assert_eq!(kept.run(&["vault", "passwd"]).code(), 2, "nobody can be asked");
    let new = kept.write("new", "another long passphrase");
    let arguments = ["vault", "passwd", "--new-passphrase-file", new.to_str().unwrap()];
    let refused = kept.run(&arguments);
    assert!(refused.stderr().contains("flowork vault migrate --to passphrase"), "{}", refused.stderr());

    kept.json(&["vault", "migrate", "--to", "passphrase"]);
    let changed = kept.run(&arguments);
    assert_eq!(changed.code(), 0, "{}", changed.stderr());
    assert!(changed.stdout().contains("Put the new one into"), "{}", changed.stdout());
    let refused = kept.run(&["vault", "status"]);
    assert_eq!(refused.code(), 5);
    assert!(refused.stderr().contains("the passphrase does not open"), "{}", refused.stderr());
    kept.write("passphrase", "another long passphrase");
    kept.assert_kept();
    let _node = kept.serve();
    let log = kept.json(&["audit", "list", "--action", "vault"]);
    let log = log["items"].as_array().unwrap();
    let actions: Vec<_> = log.iter().map(|entry| (&entry["action"], &entry["actor"]["kind"])).collect();
    assert_eq!(actions, [(&json!("vault.migrate"), &json!("machine")), (&json!("vault.passwd"), &json!("machine"))]);
}

/// `script` plays the terminal that a person types on.
#[cfg(target_os = "linux")]
#[test]
fn passphrase_is_asked_for_on_a_terminal_and_not_shown() {
    use std::process::Command;

    let kept = Kept::new();
    let on_terminal = |arguments: &str, typed: &str| {
        let line = format!("{} {arguments}", env!("CARGO_BIN_EXE_flowork"));
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        for (name, value) in kept.command(&[]).get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env_remove("FLOWORK_VAULT_PASSPHRASE_FILE");
        command.stdin(Stdio::from(fs::File::open(kept.write("typed", typed)).unwrap()));
        Outcome::of(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    };
    let twice = format!("{PASSPHRASE}\n{PASSPHRASE}\n");
    let differ = on_terminal("vault migrate --to passphrase", &format!("{PASSPHRASE}\nsomething else\n"));
    assert_eq!(differ.code(), 5, "{}", differ.stdout());
    assert!(differ.stdout().contains("not the same"), "{}", differ.stdout());
    let moved = on_terminal("vault migrate --to passphrase", &twice);
    assert_eq!(moved.code(), 0, "{}{}", moved.stdout(), moved.stderr());
    assert!(moved.stdout().contains("moved from the file vault to the passphrase vault"), "{}", moved.stdout());
    let status = on_terminal("vault status", &format!("{PASSPHRASE}\n"));
    assert_eq!(status.code(), 0, "{}", status.stdout());
    assert!(status.stdout().contains("provider/ollama"), "{}", status.stdout());
    kept.assert_kept();
}
