//! The back ends, in the order in which a new vault takes the first that works.

use serde::{Deserialize, Serialize};

/// Who keeps the key to the secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackEnd {
    /// The keychain of the operating system.
    Keychain,
    /// systemd, which gives it to the unit as a credential.
    Systemd,
    /// A person, who knows a passphrase.
    Passphrase,
    /// A file outside the data directory, with a random key.
    File,
}

impl BackEnd {
    /// All of them, the best first.
    pub const ALL: [Self; 4] = [Self::Keychain, Self::Systemd, Self::Passphrase, Self::File];

    /// The name people see and write.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keychain => "keychain",
            Self::Systemd => "systemd",
            Self::Passphrase => "passphrase",
            Self::File => "file",
        }
    }

    /// The back end of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|back_end| back_end.as_str() == name)
    }

    /// What it protects, on one line.
    pub const fn protection(self) -> &'static str {
        match self {
            Self::Keychain => "encrypted; the key is in the system's keychain, which this account's login unlocks",
            Self::Systemd => "encrypted; systemd gives the key to this unit alone",
            Self::Passphrase => "encrypted; the key comes from a passphrase that is not stored with the data",
            Self::File => "encrypted, but the key is on this machine too: it protects copies of the data only",
        }
    }
}

/// Which back end a person wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VaultChoice {
    /// The first that works, in the order of [`BackEnd::ALL`].
    #[default]
    Auto,
    /// This one or nothing.
    Only(BackEnd),
}

impl VaultChoice {
    /// What `auto` or the name of a back end means.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "auto" { Some(Self::Auto) } else { BackEnd::parse(text).map(Self::Only) }
    }

    /// Whether secrets in this back end are where the person wants them.
    pub fn allows(self, back_end: BackEnd) -> bool {
        self == Self::Auto || self == Self::Only(back_end)
    }
}
