//! The file in which the owner's key leaves the node: Web3 Secret Storage, version 3, which wallets read and write.
//!
//! The key is encrypted (AES-128-CTR) with one that scrypt makes of a passphrase, so the file is as strong as that. On
//! the way out the parameters are those that OWASP asks for; on the way in they are bounded, because a file decides
//! about the memory and the time that reading it takes.
//!
//! Source: <https://ethereum.org/en/developers/docs/data-structures-and-encoding/web3-secret-storage/>

use aws_lc_rs::{
    cipher::{AES_128, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey},
    constant_time,
    iv::FixedLength,
};
use ethers_core::utils::keccak256;
use flowork_api_types::member::KeyAddress;
use scrypt::Params;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{OwnerKey, OwnerKeyError, hex};

/// The shortest passphrase for a new file, in characters.
pub const PASSPHRASE_CHARS_MIN: usize = 12;
/// Longer text is no keystore file.
pub const FILE_BYTES_MAX: usize = 64 << 10;

const VERSION: u32 = 3;
const CIPHER: &str = "aes-128-ctr";
const KDF: &str = "scrypt";
const DERIVED_BYTES: usize = 32;
const SALT_BYTES: usize = 32;
const SALT_BYTES_MAX: usize = 1 << 10;
const IV_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;
/// What reading a file may take: four times what the strongest wallets write (N = 2^18, r = 8), with the few blocks that
/// are beside the table.
const MEMORY_BYTES_MAX: u64 = (1 << 30) + (16 << 10);
/// Passes over that memory.
const PARALLEL_MAX: u32 = 8;

/// Why a file or a passphrase gives no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeystoreError {
    /// The passphrase for a new file is too short.
    #[error("a passphrase has at least {PASSPHRASE_CHARS_MIN} characters")]
    ShortPassphrase,
    /// Too long, or not JSON of the form.
    #[error("this is not a keystore file of version 3")]
    Form,
    /// It is encrypted in a way that is not known here.
    #[error("the keystore file uses {0}, which is not known here")]
    Unknown(String),
    /// Reading it would take too much.
    #[error("the keystore file asks for more memory or time than any wallet's does")]
    TooCostly,
    /// The passphrase is another, or the file was damaged.
    #[error("the passphrase does not fit the keystore file")]
    Passphrase,
    /// What is in it is no key.
    #[error("the keystore file holds no key")]
    Key(#[source] OwnerKeyError),
    /// It holds the key of another address than it says.
    #[error("the keystore file says another address than its key has")]
    OtherAddress,
}

impl KeystoreError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::ShortPassphrase => "take several words; the passphrase is all that protects the file".to_owned(),
            Self::Form | Self::Key(_) | Self::OtherAddress => {
                "name a file made by `flowork key export`, or a wallet's JSON keystore".to_owned()
            }
            Self::Unknown(_) => format!("export the key from the wallet with {KDF} and {CIPHER}"),
            Self::TooCostly => "export the key from the wallet again, with its usual strength".to_owned(),
            Self::Passphrase => "type it again; it is the one that was chosen at the export".to_owned(),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct File {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(alias = "Crypto")]
    crypto: Crypto,
    #[serde(default)]
    id: Option<String>,
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: String,
    kdf: String,
    kdfparams: serde_json::Value,
    mac: String,
}

#[derive(Serialize, Deserialize)]
struct CipherParams {
    iv: String,
}

#[derive(Serialize, Deserialize)]
struct ScryptParams {
    dklen: usize,
    n: u64,
    p: u32,
    r: u32,
    salt: String,
}

/// Encrypts the key for a file. Takes about a second, and 128 MiB.
///
/// # Errors
/// The passphrase is too short.
pub fn export(key: &OwnerKey, passphrase: &str) -> Result<String, KeystoreError> {
    if passphrase.chars().count() < PASSPHRASE_CHARS_MIN {
        return Err(KeystoreError::ShortPassphrase);
    }
    Ok(encrypt(key, passphrase, Params::RECOMMENDED_LOG_N))
}

/// Decrypts the key in a file.
///
/// # Errors
/// See [`KeystoreError`].
pub fn import(file: &str, passphrase: &str) -> Result<OwnerKey, KeystoreError> {
    if file.len() > FILE_BYTES_MAX {
        return Err(KeystoreError::Form);
    }
    let file: File = serde_json::from_str(file).map_err(|_| KeystoreError::Form)?;
    if file.version != VERSION {
        return Err(KeystoreError::Unknown(format!("version {}", file.version)));
    }
    let derived = derive_from(&file.crypto, passphrase)?;
    let bytes = |digits: &str| hex::decode(digits.strip_prefix("0x").unwrap_or(digits)).ok_or(KeystoreError::Form);
    let ciphertext = bytes(&file.crypto.ciphertext)?;
    let iv: [u8; IV_BYTES] =
        bytes(&file.crypto.cipherparams.iv)?.try_into().map_err(|_: Vec<u8>| KeystoreError::Form)?;
    let mac = bytes(&file.crypto.mac)?;
    if constant_time::verify_slices_are_equal(&mac, &authenticate(&derived, &ciphertext)).is_err() {
        return Err(KeystoreError::Passphrase);
    }
    let mut secret = Zeroizing::new(ciphertext);
    DecryptingKey::ctr(cipher_key(&derived))
        .and_then(|cipher| cipher.decrypt(&mut secret, DecryptionContext::Iv128(FixedLength::from(iv))).map(|_| ()))
        .expect("CTR takes every length");
    let key = OwnerKey::from_secret(&secret).map_err(KeystoreError::Key)?;
    match file.address.map(|text| address(&text)) {
        Some(None) => Err(KeystoreError::Form),
        Some(Some(named)) if named != key.address() => Err(KeystoreError::OtherAddress),
        _ => Ok(key),
    }
}

fn encrypt(key: &OwnerKey, passphrase: &str, log_n: u8) -> String {
    let (salt, iv) = (random::<SALT_BYTES>(), random::<IV_BYTES>());
    let (r, p) = (Params::RECOMMENDED_R, Params::RECOMMENDED_P);
    let derived = derive(passphrase, &salt, log_n, r, p).expect("these parameters are scrypt's own");
    let mut text = key.to_secret();
    debug_assert_eq!(text.len(), SECRET_BYTES);
    EncryptingKey::ctr(cipher_key(&derived))
        .and_then(|cipher| {
            cipher.less_safe_encrypt(&mut text, EncryptionContext::Iv128(FixedLength::from(iv))).map(|_| ())
        })
        .expect("CTR takes every length");
    let params = ScryptParams { dklen: DERIVED_BYTES, n: 1 << log_n, p, r, salt: hex::encode(&salt) };
    let file = File {
        address: Some(hex::encode(&key.address().0)),
        crypto: Crypto {
            cipher: CIPHER.to_owned(),
            cipherparams: CipherParams { iv: hex::encode(&iv) },
            mac: hex::encode(&authenticate(&derived, &text)),
            ciphertext: hex::encode(&text),
            kdf: KDF.to_owned(),
            kdfparams: serde_json::to_value(params).expect("numbers and text"),
        },
        id: Some(uuid::Uuid::new_v4().to_string()),
        version: VERSION,
    };
    serde_json::to_string_pretty(&file).expect("numbers and text")
}

fn derive_from(crypto: &Crypto, passphrase: &str) -> Result<Zeroizing<[u8; DERIVED_BYTES]>, KeystoreError> {
    if crypto.cipher != CIPHER {
        return Err(KeystoreError::Unknown(format!("the cipher {:?}", shown(&crypto.cipher))));
    }
    if crypto.kdf != KDF {
        return Err(KeystoreError::Unknown(format!("the key derivation {:?}", shown(&crypto.kdf))));
    }
    let params: ScryptParams = serde_json::from_value(crypto.kdfparams.clone()).map_err(|_| KeystoreError::Form)?;
    let salt = hex::decode(params.salt.strip_prefix("0x").unwrap_or(&params.salt)).ok_or(KeystoreError::Form)?;
    if params.dklen != DERIVED_BYTES || salt.len() > SALT_BYTES_MAX || !params.n.is_power_of_two() || params.n < 2 {
        return Err(KeystoreError::Form);
    }
    if params.p > PARALLEL_MAX || memory_of(&params).is_none_or(|bytes| bytes > MEMORY_BYTES_MAX) {
        return Err(KeystoreError::TooCostly);
    }
    derive(passphrase, &salt, params.n.trailing_zeros() as u8, params.r, params.p)
}

/// What scrypt takes: `n` blocks of `128 * r` bytes to look up, `p` to begin with, and one to work in.
///
/// Source: RFC 7914, section 6.
fn memory_of(params: &ScryptParams) -> Option<u64> {
    let blocks = params.n.checked_add(u64::from(params.p))?.checked_add(1)?;
    blocks.checked_mul(u64::from(params.r))?.checked_mul(128)
}

fn derive(
    passphrase: &str,
    salt: &[u8],
    log_n: u8,
    r: u32,
    p: u32,
) -> Result<Zeroizing<[u8; DERIVED_BYTES]>, KeystoreError> {
    let params = Params::new(log_n, r, p).map_err(|_| KeystoreError::Form)?;
    let mut derived = Zeroizing::new([0; DERIVED_BYTES]);
    scrypt::scrypt(passphrase.as_bytes(), salt, &params, &mut *derived).map_err(|_| KeystoreError::Form)?;
    Ok(derived)
}

/// The first half encrypts, the second one authenticates.
fn cipher_key(derived: &[u8; DERIVED_BYTES]) -> UnboundCipherKey {
    UnboundCipherKey::new(&AES_128, &derived[..16]).expect("16 bytes are a key of AES-128")
}

fn authenticate(derived: &[u8; DERIVED_BYTES], ciphertext: &[u8]) -> [u8; 32] {
    let mut text = Zeroizing::new(derived[16..].to_vec());
    text.extend_from_slice(ciphertext);
    keccak256(&*text)
}

fn address(text: &str) -> Option<KeyAddress> {
    let bytes = hex::decode(text.strip_prefix("0x").unwrap_or(text))?;
    bytes.try_into().ok().map(KeyAddress)
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives randomness");
    bytes
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use ethers_signers::{LocalWallet, Signer};

    use super::*;

    const PASSPHRASE: &str = "correct horse battery staple";
    /// Weak, so that tests do not wait.
    const QUICK_LOG_N: u8 = 4;

    fn key() -> OwnerKey {
        OwnerKey::from_secret(&OwnerKey::generate_secret()).unwrap()
    }

    #[test]
    fn a_key_comes_back_from_its_file() {
        let key = key();
        let file = encrypt(&key, PASSPHRASE, QUICK_LOG_N);
        assert!(!file.contains(&hex::encode(&key.to_secret())), "the secret is not in the file");
        assert_eq!(import(&file, PASSPHRASE).unwrap().to_secret(), key.to_secret());
    }

    #[test]
    fn the_exported_file_has_the_strength_that_owasp_asks_for_and_another_program_reads_it() {
        let key = key();
        let file = export(&key, PASSPHRASE).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&file).unwrap()["crypto"]["kdfparams"]["n"], 131_072);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.json");
        std::fs::write(&path, &file).unwrap();
        let wallet = LocalWallet::decrypt_keystore(&path, PASSPHRASE).unwrap();
        assert_eq!(wallet.address().0, key.address().0);
        assert!(LocalWallet::decrypt_keystore(&path, "another").is_err());
    }

    #[test]
    fn wrong_passphrases_and_changed_files_give_no_key() {
        let file = encrypt(&key(), PASSPHRASE, QUICK_LOG_N);
        assert_eq!(import(&file, "correct horse battery stable").err(), Some(KeystoreError::Passphrase));
        for field in ["ciphertext", "mac"] {
            let mut changed: serde_json::Value = serde_json::from_str(&file).unwrap();
            let text = changed["crypto"][field].as_str().unwrap().to_owned();
            let first = if text.starts_with('0') { "1" } else { "0" };
            changed["crypto"][field] = format!("{first}{}", &text[1..]).into();
            assert_eq!(import(&changed.to_string(), PASSPHRASE).err(), Some(KeystoreError::Passphrase), "{field}");
        }
        let mut other = serde_json::from_str::<serde_json::Value>(&file).unwrap();
        other["address"] = "00".repeat(20).into();
        assert_eq!(import(&other.to_string(), PASSPHRASE).err(), Some(KeystoreError::OtherAddress));
    }

    #[test]
    fn a_file_cannot_ask_for_all_the_memory_there_is() {
        let file = encrypt(&key(), PASSPHRASE, QUICK_LOG_N);
        let check = |field: &str, value: u64, expected: KeystoreError| {
            let mut changed: serde_json::Value = serde_json::from_str(&file).unwrap();
            changed["crypto"]["kdfparams"][field] = value.into();
            assert_eq!(import(&changed.to_string(), PASSPHRASE).err(), Some(expected), "{field} = {value}");
        };
        check("n", 1 << 21, KeystoreError::TooCostly);
        check("n", 1 << 62, KeystoreError::TooCostly);
        check("r", 1 << 24, KeystoreError::TooCostly);
        check("p", 1 << 20, KeystoreError::TooCostly);
        check("n", 1 << 63, KeystoreError::TooCostly);
        check("n", 3, KeystoreError::Form);
        check("n", 1, KeystoreError::Form);
        check("n", 0, KeystoreError::Form);
        check("r", 0, KeystoreError::Form);
        check("p", 0, KeystoreError::Form);
        check("dklen", 16, KeystoreError::Form);
    }

    #[test]
    fn all_that_scrypt_takes_is_counted_and_not_only_its_table() {
        let params = |n: u64, r: u32, p: u32| ScryptParams { dklen: DERIVED_BYTES, n, p, r, salt: String::new() };
        let fits = |n, r, p| memory_of(&params(n, r, p)).is_some_and(|bytes| bytes <= MEMORY_BYTES_MAX);
        assert!(fits(1 << 18, 8, 1), "what the strongest wallets write");
        assert!(fits(1 << 20, 8, PARALLEL_MAX), "four times that");
        assert!(!fits(1 << 21, 8, 1));
        assert!(fits(2, 1 << 20, 5) && !fits(2, 1 << 20, 6), "blocks to begin with are counted");
        assert!(!fits(2, 1 << 22, 8), "a small table, and 5 GiB beside it");
        for n in [1 << 62, 1 << 63, u64::MAX] {
            assert_eq!(memory_of(&params(n, u32::MAX, u32::MAX)), None, "{n}");
        }

        let mut file: serde_json::Value = serde_json::from_str(&encrypt(&key(), PASSPHRASE, QUICK_LOG_N)).unwrap();
        for (name, value) in [("n", 2_u64), ("r", 1 << 22), ("p", 8)] {
            file["crypto"]["kdfparams"][name] = value.into();
        }
        assert_eq!(import(&file.to_string(), PASSPHRASE).err(), Some(KeystoreError::TooCostly));
    }

    #[test]
    fn other_files_and_short_passphrases_are_refused() {
        assert_eq!(export(&key(), "eleven char").err(), Some(KeystoreError::ShortPassphrase));
        for text in ["", "{}", "[]", "null", "not json", "{\"version\":3}"] {
            assert_eq!(import(text, PASSPHRASE).err(), Some(KeystoreError::Form), "{text}");
        }
        assert_eq!(import(&" ".repeat(FILE_BYTES_MAX + 1), PASSPHRASE).err(), Some(KeystoreError::Form));
        let file = encrypt(&key(), PASSPHRASE, QUICK_LOG_N);
        for (from, to) in
            [("aes-128-ctr", "aes-256-gcm"), ("\"scrypt\"", "\"pbkdf2\""), ("\"version\": 3", "\"version\": 1")]
        {
            assert!(file.contains(from));
            let error = import(&file.replace(from, to), PASSPHRASE).err();
            assert!(matches!(error, Some(KeystoreError::Unknown(_))), "{to}: {error:?}");
        }
    }
}
