//! Looks for secrets in whatever was written, in each form in which one could have been written.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use memchr::memmem::Finder;
use serde_json::Value;

/// Shorter bytes turn up by chance.
const SECRET_BYTES_MIN: usize = 12;

/// Secrets, each under a name that may be told.
#[derive(Default)]
pub(super) struct Secrets(Vec<Form>);

struct Form {
    name: String,
    finder: Finder<'static>,
}

impl Secrets {
    /// Adds a secret as it is, in hexadecimal digits and in base64.
    pub(super) fn add(&mut self, name: &str, secret: impl AsRef<[u8]>) {
        let secret = secret.as_ref();
        assert!(secret.len() >= SECRET_BYTES_MIN, "{name} is too short to look for");
        let hex = secret.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let (standard, url) = (base64(secret, *b"+/"), base64(secret, *b"-_"));
        let forms = [
            ("as it is", secret.to_vec()),
            ("in hexadecimal digits", hex.clone().into_bytes()),
            ("in upper hexadecimal digits", hex.to_uppercase().into_bytes()),
            ("in base64", standard.into_bytes()),
            ("in base64 for URLs", url.into_bytes()),
            ("as a list of numbers", format!("{secret:?}").trim_matches(['[', ']']).into()),
        ];
        for (form, bytes) in forms {
            let finder = Finder::new(&bytes).into_owned();
            self.0.push(Form { name: format!("{name} {form}"), finder });
        }
    }

    /// Adds an item of a vault; of a document, each text in it that is as long as a key.
    pub(super) fn add_item(&mut self, name: &str, item: &[u8]) {
        match serde_json::from_slice::<Value>(item) {
            Ok(document @ (Value::Array(_) | Value::Object(_))) => self.add_texts(name, &document),
            _ => self.add(name, item),
        }
    }

    fn add_texts(&mut self, name: &str, value: &Value) {
        match value {
            Value::String(text) if text.len() >= 40 => self.add(name, text),
            Value::Array(items) => items.iter().for_each(|item| self.add_texts(name, item)),
            Value::Object(fields) => fields.values().for_each(|field| self.add_texts(name, field)),
            _ => {}
        }
    }

    /// How many secrets there are.
    pub(super) fn len(&self) -> usize {
        self.0.len() / 6
    }

    /// Names what is in `bytes`.
    pub(super) fn found_in(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let found = self.0.iter().filter(|form| form.finder.find(bytes).is_some());
        found.map(|form| format!("{} is in {place}", form.name)).collect()
    }

    /// Names what is in the files of a folder; says how many there are.
    pub(super) fn found_below(&self, folder: &Path) -> anyhow::Result<(usize, Vec<String>)> {
        let mut found = Vec::new();
        let files = files_below(folder)?;
        for file in &files {
            found.extend(self.found_in(&file.display().to_string(), &fs::read(file)?));
        }
        Ok((files.len(), found))
    }
}

/// Every file below a folder.
pub(super) fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

/// Without padding, which may be missing where it is found.
fn base64(bytes: &[u8], last: [u8; 2]) -> String {
    let mut letters: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').collect();
    letters.extend(last);
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            text.push(char::from(letters[(bits >> (18 - 6 * index) & 63) as usize]));
        }
    }
    text
}

#[test]
fn a_secret_is_found_in_every_form_and_only_where_it_is() {
    let mut secrets = Secrets::default();
    secrets.add("the key", b"\x00\xffsecret of mine");
    secrets.add_item(
        "a document",
        br#"[{"kid": "0123456789abcdef", "pkcs8": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj"}]"#,
    );
    assert_eq!(secrets.len(), 2, "a name is no secret");
    for text in [
        &b"...\x00\xffsecret of mine..."[..],
        b"key=00ff736563726574206f66206d696e65;",
        b"key=00FF736563726574206F66206D696E65;",
        b"AP9zZWNyZXQgb2YgbWluZQ",
        b"AP9zZWNyZXQgb2YgbWluZQ==",
        b"Secret([0, 255, 115, 101, 99, 114, 101, 116, 32, 111, 102, 32, 109, 105, 110, 101])",
        b"{\"k\":\"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\"}",
    ] {
        assert!(!secrets.found_in("text", text).is_empty(), "{}", text.escape_ascii());
    }
    assert!(secrets.found_in("text", b"secret of min, 0123456789abcdef").is_empty());
}
