//! The encrypted file and its random key, in one process and in several.

use std::{fs, path::PathBuf, process::Child};

use flowork_vault::{BackEnd, OpenError, Secret, Vault, VaultChoice, VaultError, VaultOptions, keys};

use crate::place::{Place, assert_passes, chain};

#[test]
fn items_survive_closing_and_are_not_on_disk_in_the_clear() {
    let place = Place::new();
    let vault = place.file_vault();
    vault.set("provider/openai", &Secret::new(b"sk-canary-1234".to_vec())).unwrap();
    vault.set("jwt/user", &Secret::new(vec![0, 255, 7])).unwrap();
    drop(vault);

    let vault = Vault::open(place.options(VaultChoice::Auto)).unwrap();
    assert_eq!(vault.back_end(), BackEnd::File, "the recorded back end is used, whatever auto would pick now");
    assert_eq!(vault.get("provider/openai").unwrap().unwrap().expose_str(), Some("sk-canary-1234"));
    assert_eq!(vault.list().unwrap(), ["jwt/user", "provider/openai"]);
    assert!(vault.notices()[0].message.contains("protects copies of the data, not the machine"));
    assert!(vault.notices()[0].hint.contains("flowork vault migrate"));
    place.assert_nowhere(b"sk-canary");
    place.assert_nowhere(b"provider/openai");
    vault.delete("provider/openai").unwrap();
    vault.delete("provider/openai").unwrap();
    assert!(vault.get("provider/openai").unwrap().is_none());
}

#[test]
fn every_changed_byte_of_the_encrypted_file_is_noticed() {
    let place = Place::new();
    place.file_vault().set("a", &Secret::new(b"b".to_vec())).unwrap();
    let path = place.data().join("vault.enc");
    let good = fs::read(&path).unwrap();
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 1;
        fs::write(&path, bad).unwrap();
        let error = Vault::open(place.options(VaultChoice::Only(BackEnd::File))).expect_err("a changed byte");
        let text = chain(&error);
        assert!(
            text.contains("damaged or changed") || text.contains("is not the key of") || text.contains("another kind"),
            "byte {index}: {text}"
        );
        assert!(error.hint().unwrap().contains("restore"));
    }
    fs::write(&path, &good[..good.len() - 1]).unwrap();
    assert!(Vault::open(place.options(VaultChoice::Only(BackEnd::File))).is_err(), "a file cut short");
    fs::write(&path, &good).unwrap();
    assert!(Vault::open(place.options(VaultChoice::Only(BackEnd::File))).is_ok(), "the file itself was fine all along");
}

#[test]
fn wrong_missing_or_exposed_key_is_named() {
    let (place, other) = (Place::new(), Place::new());
    place.file_vault();
    other.file_vault();
    let (key, good) = (place.key_file(), fs::read(place.key_file()).unwrap());
    let refusal = || chain(&Vault::open(place.options(VaultChoice::Only(BackEnd::File))).expect_err("a bad key"));

    fs::write(&key, fs::read(other.key_file()).unwrap()).unwrap();
    assert!(refusal().contains("is not the key of"), "{}", refusal());
    fs::write(&key, "nonsense").unwrap();
    assert!(refusal().contains("does not hold a vault key"), "{}", refusal());
    fs::remove_file(&key).unwrap();
    assert!(refusal().contains("key of the encrypted vault is missing"), "{}", refusal());
    assert!(
        Vault::open_or_create(place.options(VaultChoice::Only(BackEnd::File))).is_err(),
        "a lost key never makes a new vault"
    );
    fs::write(&key, &good).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(refusal().contains("can be read by other users"), "{}", refusal());
    }
}

#[test]
fn lost_encrypted_file_does_not_come_back_empty() {
    let place = Place::new();
    place.file_vault().set("a", &Secret::new(b"b".to_vec())).unwrap();
    fs::remove_file(place.data().join("vault.enc")).unwrap();
    let error = Vault::open_or_create(place.options(VaultChoice::Auto)).expect_err("the secrets are gone");
    assert!(chain(&error).contains("is gone"), "{}", chain(&error));
}

#[test]
fn secrets_whose_record_was_lost_are_never_taken_for_a_first_start() {
    let place = Place::new();
    place.file_vault().set("owner/key", &Secret::new(b"kept".to_vec())).unwrap();
    let (record, sealed) = (place.data().join("vault.json"), place.data().join("vault.enc"));
    let (text, bytes) = (fs::read(&record).unwrap(), fs::read(&sealed).unwrap());
    fs::remove_file(&record).unwrap();
    // As a migration names its file, and one that is damaged besides.
    let moved = place.data().join("vault-00112233445566778899aabbccddeeff.enc");
    for (path, bytes) in [(&sealed, &bytes[..]), (&moved, &bytes[..]), (&sealed, &b"FLOWORK-VAU"[..]), (&sealed, b"")] {
        for left in [&sealed, &moved].into_iter().filter(|left| left.exists()) {
            fs::remove_file(left).unwrap();
        }
        fs::write(path, bytes).unwrap();
        for choice in [VaultChoice::Auto, VaultChoice::Only(BackEnd::File)] {
            let made = Vault::open_or_create(place.options(choice));
            let error = made.expect_err("a new vault would destroy the one that is there");
            assert!(chain(&error).contains("vault.json is gone"), "{}", chain(&error));
            let hint = error.hint().unwrap();
            assert!(hint.contains("restore") && hint.contains(path.to_str().unwrap()), "{hint}");
        }
        assert!(matches!(Vault::open(place.options(VaultChoice::Auto)), Err(OpenError::Record(_))));
        assert_eq!(fs::read(path).unwrap(), bytes, "it is as it was");
        assert!(!record.exists());
    }
    // Both ways out that the hint names.
    fs::write(&sealed, &bytes).unwrap();
    fs::write(&record, &text).unwrap();
    assert_eq!(place.file_vault().get("owner/key").unwrap().unwrap().expose(), b"kept");
    fs::remove_file(&record).unwrap();
    fs::rename(&sealed, place.root().join("aside.enc")).unwrap();
    assert_eq!(place.file_vault().list().unwrap().len(), 0, "a new one, since somebody said so");
}

#[test]
fn first_start_that_ended_before_its_record_was_written_is_made_up_for() {
    let place = Place::new();
    drop(place.file_vault());
    // What is there then: the encrypted file, with nothing in it, and its key.
    fs::remove_file(place.data().join("vault.json")).unwrap();
    assert!(matches!(Vault::open(place.options(VaultChoice::Auto)), Err(OpenError::NoVault(_))));
    let vault = place.file_vault();
    vault.set("a", &Secret::new(b"b".to_vec())).unwrap();
    drop(vault);
    let vault = Vault::open(place.options(VaultChoice::Auto)).unwrap();
    assert_eq!(vault.get("a").unwrap().unwrap().expose(), b"b");
}

#[test]
fn key_inside_the_data_directory_is_refused() {
    let place = Place::new();
    let refused = |key_dir: PathBuf, data_dir: PathBuf| {
        let options = VaultOptions {
            data_dir,
            choice: VaultChoice::Only(BackEnd::File),
            key_dir: Some(key_dir),
            ..VaultOptions::default()
        };
        let error = Vault::open_or_create(options).expect_err("a key beside what it protects");
        assert!(chain(&error).contains("must not be inside"), "{}", chain(&error));
    };
    refused(place.data().join("keys"), place.data());
    refused(place.data().join("keys"), place.data().join("../data"));
    #[cfg(unix)]
    {
        let link = place.data().parent().unwrap().join("link");
        std::os::unix::fs::symlink(place.data(), &link).unwrap();
        refused(link.join("keys"), place.data());
        refused(place.data().join("keys"), link);
    }
}

#[test]
fn asking_for_another_back_end_than_the_recorded_one_is_an_error() {
    let place = Place::new();
    place.file_vault();
    let error = Vault::open_or_create(place.only(BackEnd::Keychain)).expect_err("the other back end");
    assert!(matches!(error, OpenError::OtherBackEnd { recorded: BackEnd::File, wanted: BackEnd::Keychain }));
    assert!(error.hint().unwrap().contains("flowork vault migrate --to keychain"));
}

#[test]
fn names_that_are_none_are_refused() {
    let vault = Place::new();
    let vault = vault.file_vault();
    for name in ["", "a b", "ä", &"x".repeat(201)] {
        assert!(matches!(vault.get(name), Err(VaultError::InvalidName(_))), "{name:?}");
    }
}

fn digest_of_key(vault: &Vault) -> String {
    let key = vault.get_or_make("jwt/user", keys::generate_user_key).unwrap();
    fingerprint(key.expose()).to_string()
}

/// A stand-in for a hash that needs no further dependency: equal for equal keys, and unequal for two RSA keys.
fn fingerprint(bytes: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn processes_that_race_the_first_start_share_one_key() {
    if let Some(place) = Place::of_parent() {
        println!("key={}", digest_of_key(&place.file_vault()));
        return;
    }
    let place = Place::new();
    let child = || place.child("file::processes_that_race_the_first_start_share_one_key").spawn().unwrap();
    let racing: Vec<Child> = (0..4).map(|_| child()).collect();
    let keys: Vec<String> = racing
        .into_iter()
        .map(|process| {
            let output = process.wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            text.lines().find_map(|line| line.split_once("key=")).expect("the child prints its key").1.to_owned()
        })
        .collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(place.key_files(), 1, "one vault, one key file");
}

#[cfg(target_os = "linux")]
#[test]
fn recorded_keychain_that_is_away_is_an_error_and_makes_nothing_new() {
    if let Some(place) = Place::of_parent() {
        let error = Vault::open_or_create(place.all_options(VaultChoice::Auto)).expect_err("the keychain is away");
        assert!(error.to_string().contains("are in the keychain vault, which does not open"), "{error}");
        assert!(error.hint().unwrap().contains("desktop session"), "{error:?}");
        return;
    }
    for version in [1, 2] {
        let place = Place::new();
        place.give_all();
        let id = "00112233445566778899aabbccddeeff";
        let record = format!(r#"{{"version":{version},"backend":"keychain","id":"{id}","items":["jwt/user"]}}"#);
        fs::write(place.data().join("vault.json"), &record).unwrap();
        // Whatever is sealed in it: the key is what is missing.
        let sealed = [b"FLOWORK-VAULT\0\x02\x03".as_slice(), &[0; 60]].concat();
        fs::write(place.data().join("vault.enc"), &sealed).unwrap();
        assert_passes(&mut place.child("file::recorded_keychain_that_is_away_is_an_error_and_makes_nothing_new"));
        assert_eq!(fs::read_to_string(place.data().join("vault.json")).unwrap(), record);
        assert_eq!(fs::read(place.data().join("vault.enc")).unwrap(), sealed);
    }
}

#[test]
fn unreadable_record_is_an_error() {
    let place = Place::new();
    for bad in [
        "",
        "{}",
        r#"{"version":9,"backend":"file","id":"00112233445566778899aabbccddeeff"}"#,
        r#"{"version":1,"backend":"file","id":"../x"}"#,
    ] {
        fs::write(place.data().join("vault.json"), bad).unwrap();
        assert!(matches!(Vault::open_or_create(place.options(VaultChoice::Auto)), Err(OpenError::Record(_))), "{bad}");
    }
}
