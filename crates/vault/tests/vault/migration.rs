//! Moving the secrets, and stopping in the middle of it.

use std::{fs, ops::ControlFlow};

use flowork_vault::{
    BackEnd, MigrateError, MigrationStep, OpenError, PassphraseSource, Secret, Vault, VaultChoice, VaultError,
    change_passphrase, migrate,
};

use crate::place::{Place, chain, secret, write_private};

const CANARY: &str = "sk-canary-migration";
const STEPS: [MigrationStep; 7] = [
    MigrationStep::Planned,
    MigrationStep::Prepared,
    MigrationStep::Copied,
    MigrationStep::Verified,
    MigrationStep::Switched,
    MigrationStep::Erased,
    MigrationStep::Finished,
];
/// Each of the back ends that need no bus, to and from.
const MOVES: [(BackEnd, BackEnd); 6] = [
    (BackEnd::File, BackEnd::Passphrase),
    (BackEnd::Passphrase, BackEnd::File),
    (BackEnd::File, BackEnd::Systemd),
    (BackEnd::Systemd, BackEnd::File),
    (BackEnd::Systemd, BackEnd::Passphrase),
    (BackEnd::Passphrase, BackEnd::Systemd),
];

fn go_on(_: MigrationStep) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A vault with two items.
fn filled(back_end: BackEnd) -> Place {
    let place = Place::new();
    place.give_all();
    let vault = Vault::open_or_create(place.only(back_end)).unwrap();
    vault.set("provider/openai", &secret(CANARY)).unwrap();
    vault.set("jwt/user", &Secret::new(vec![0, 255, 7])).unwrap();
    place
}

/// Opens whatever is recorded and sees that everything is in it and nothing else is left of any vault.
fn assert_complete(place: &Place, expected: BackEnd, when: &str) {
    let vault = Vault::open(place.all_options(VaultChoice::Auto)).unwrap_or_else(|error| {
        panic!("{when}: {}: {:?}", chain(&error), fs::read_to_string(place.data().join("vault.json")))
    });
    assert_eq!(vault.back_end(), expected, "{when}");
    assert_eq!(vault.list().unwrap(), ["jwt/user", "provider/openai"], "{when}");
    assert_eq!(vault.get("provider/openai").unwrap().unwrap().expose_str(), Some(CANARY), "{when}");
    assert_eq!(vault.get("jwt/user").unwrap().unwrap().expose(), [0, 255, 7], "{when}");
    assert!(!vault.notices().iter().any(|notice| notice.code == "VAULT_LEFTOVER"), "{when}");
    let sealed = vault.file().file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(place.files(), [sealed.as_str(), "vault.json", "vault.lock"], "{when}: one vault and nothing else");
    assert_eq!(place.key_files(), usize::from(expected == BackEnd::File), "{when}: no key of a vault that is gone");
    vault.set("provider/openai", &secret(CANARY)).unwrap();
    place.assert_nowhere(CANARY.as_bytes());
}

#[test]
fn secrets_move_between_all_back_ends() {
    for (from, to) in MOVES {
        let place = filled(from);
        let moved = migrate(&place.all_options(VaultChoice::Auto), to, &mut go_on).unwrap();
        assert_eq!((moved.from, moved.to, moved.items, moved.leftover), (from, to, 2, None));
        assert_complete(&place, to, &format!("{from:?} to {to:?}"));
    }
}

#[test]
fn a_migration_that_stops_anywhere_leaves_one_complete_vault() {
    // Every kind of key once as the new one: the order does not depend on the pair.
    let moves =
        [(BackEnd::File, BackEnd::Passphrase), (BackEnd::File, BackEnd::Systemd), (BackEnd::Systemd, BackEnd::File)];
    for (from, to) in moves {
        for last in STEPS {
            let place = filled(from);
            let mut stop = |step| if step == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            let stopped = migrate(&place.all_options(VaultChoice::Auto), to, &mut stop);
            assert!(matches!(stopped, Err(MigrateError::Stopped(step)) if step == last), "{stopped:?}");
            let switched = STEPS.iter().position(|step| *step == last) >= Some(4);
            let when = format!("{from:?} to {to:?}, after {last:?}");
            assert_complete(&place, if switched { to } else { from }, &when);
        }
    }
}

#[test]
fn a_migration_whose_process_dies_leaves_one_complete_vault() {
    const LAST: &str = "VAULT_TEST_LAST";
    if let Some(place) = Place::of_parent() {
        let last: usize = std::env::var(LAST).unwrap().parse().unwrap();
        let mut die = |step| if step == STEPS[last] { std::process::abort() } else { ControlFlow::Continue(()) };
        migrate(&place.all_options(VaultChoice::Auto), BackEnd::Systemd, &mut die).unwrap();
        return;
    }
    for (index, step) in STEPS.iter().enumerate() {
        let place = filled(BackEnd::File);
        let mut child = place.child("migration::a_migration_whose_process_dies_leaves_one_complete_vault");
        assert!(!child.env(LAST, index.to_string()).output().unwrap().status.success(), "it died");
        let expected = if index >= 4 { BackEnd::Systemd } else { BackEnd::File };
        assert_complete(&place, expected, &format!("after {step:?}"));
    }
}

#[test]
fn a_migration_that_cannot_be_leaves_everything_as_it_was() {
    let place = filled(BackEnd::File);
    fs::remove_file(place.credentials().join("flowork-vault-key")).unwrap();
    let before = (place.files(), fs::read(place.data().join("vault.json")).unwrap());
    let options = place.all_options(VaultChoice::Auto);
    let error = migrate(&options, BackEnd::Systemd, &mut go_on).expect_err("systemd gives no key");
    assert!(chain(&error).contains("there is no credential flowork-vault-key"), "{}", chain(&error));
    assert!(error.hint().unwrap().contains("LoadCredentialEncrypted="));
    assert_eq!((place.files(), fs::read(place.data().join("vault.json")).unwrap()), before);
    assert_complete(&place, BackEnd::File, "after a refusal");
    let error = migrate(&options, BackEnd::File, &mut go_on).expect_err("they are there");
    assert!(matches!(error, MigrateError::AlreadyThere(BackEnd::File)));
}

#[test]
fn a_program_that_still_has_the_old_vault_is_told_and_writes_nothing() {
    let place = filled(BackEnd::File);
    let old = Vault::open(place.all_options(VaultChoice::Auto)).unwrap();
    migrate(&place.all_options(VaultChoice::Auto), BackEnd::Passphrase, &mut go_on).unwrap();
    assert!(matches!(old.get("provider/openai"), Err(VaultError::Moved)));
    assert!(matches!(old.set("new", &secret("x")), Err(VaultError::Moved)));
    assert_complete(&place, BackEnd::Passphrase, "after the old one tried to write");
}

#[test]
fn changed_passphrase_opens_and_the_old_one_does_not() {
    for last in [Some(&MigrationStep::Verified), Some(&MigrationStep::Switched), None] {
        let place = filled(BackEnd::Passphrase);
        let new = place.root().join("new");
        write_private(&new, b"another long passphrase\n");
        let mut watch = |step| if Some(&step) == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let options = place.all_options(VaultChoice::Auto);
        let changed = change_passphrase(&options, PassphraseSource::new(Some(new), None), &mut watch);
        assert_eq!(changed.is_ok(), last.is_none(), "{changed:?}");
        let switched = last.is_none() || STEPS.iter().position(|step| Some(step) == last) >= Some(4);
        if switched {
            let error = Vault::open(place.all_options(VaultChoice::Auto)).expect_err("the old passphrase");
            assert!(matches!(error, OpenError::Closed { .. }), "{}", chain(&error));
            place.give_passphrase("another long passphrase");
        }
        assert_complete(&place, BackEnd::Passphrase, &format!("after {last:?}"));
    }
}

#[test]
fn only_a_vault_with_a_passphrase_can_get_another() {
    let place = filled(BackEnd::File);
    let options = place.all_options(VaultChoice::Auto);
    let error = change_passphrase(&options, options.passphrase.clone(), &mut go_on).expect_err("it has none");
    assert!(matches!(error, MigrateError::NoPassphrase(BackEnd::File)));
    assert!(error.hint().unwrap().contains("--to passphrase"));
}

#[cfg(unix)]
#[test]
fn what_cannot_be_erased_yet_is_told_of_and_erased_later() {
    // A directory in the key's place: erasing fails whoever asks.
    let place = filled(BackEnd::File);
    let mut block = |step| {
        if step == MigrationStep::Verified {
            let key = place.key_file();
            fs::remove_file(&key).unwrap();
            fs::create_dir(key).unwrap();
        }
        ControlFlow::Continue(())
    };
    let moved = migrate(&place.all_options(VaultChoice::Auto), BackEnd::Passphrase, &mut block).unwrap();
    assert!(moved.leftover.is_some());
    let vault = Vault::open(place.all_options(VaultChoice::Auto)).unwrap();
    let codes: Vec<_> = vault.notices().iter().map(|notice| notice.code).collect();
    assert_eq!(codes, ["VAULT_LEFTOVER"]);
    fs::remove_dir(place.key_file()).unwrap();
    assert_complete(&place, BackEnd::Passphrase, "once it can be erased");
}
