//! Which back end a new vault gets.

#![cfg(target_os = "linux")]
use flowork_vault::{BackEnd, Vault, VaultChoice, VaultOptions, survey};

use crate::place::{PASSPHRASE, Place, chain};

use crate::place::assert_passes;

/// In a process without a bus, so that there is no keychain.

#[test]
fn without_a_keychain_a_new_vault_takes_the_next_that_was_set_up() {
    if Place::of_parent().is_none() {
        let name = "order::without_a_keychain_a_new_vault_takes_the_next_that_was_set_up";
        return assert_passes(&mut Place::new().child(name));
    }
    let check = |set_up: &dyn Fn(&Place), passphrase: bool, expected: BackEnd| {
        let place = Place::new();
        set_up(&place);
        let mut options = place.all_options(VaultChoice::Auto);
        if !passphrase {
            options = VaultOptions { credentials_dir: options.credentials_dir, ..place.options(VaultChoice::Auto) };
        }
        let vault = Vault::open_or_create(options).unwrap();
        assert_eq!(vault.back_end(), expected);
        vault
    };
    check(&Place::give_all, true, BackEnd::Systemd);
    check(&|place| place.give_passphrase(PASSPHRASE), true, BackEnd::Passphrase);
    let vault = check(&|_| (), false, BackEnd::File);
    assert!(vault.notices()[0].message.contains("The OS keychain could not be used"), "{:?}", vault.notices());
}

#[test]
fn what_was_set_up_and_does_not_work_is_an_error_and_nothing_weaker_is_taken() {
    if Place::of_parent().is_none() {
        let name = "order::what_was_set_up_and_does_not_work_is_an_error_and_nothing_weaker_is_taken";
        return assert_passes(&mut Place::new().child(name));
    }
    let refusal = |place: &Place| {
        let error = Vault::open_or_create(place.all_options(VaultChoice::Auto)).expect_err("a weaker one was taken");
        assert!(!place.data().join("vault.json").exists() && place.key_files() == 0);
        chain(&error)
    };
    let place = Place::new();
    place.give_passphrase(PASSPHRASE);
    place.give_credential("flowork-vault-key", b"short");
    assert!(refusal(&place).contains("holds 5 bytes"), "{}", refusal(&place));
    let place = Place::new();
    assert!(refusal(&place).contains("cannot read the passphrase from"), "{}", refusal(&place));
    let options = place.only(BackEnd::Keychain);
    let error = Vault::open_or_create(options).expect_err("there is no keychain");
    assert!(error.hint().unwrap().contains("FLOWORK_VAULT"), "{}", chain(&error));
    assert_eq!(place.key_files(), 0);
}

#[test]
fn survey_says_what_this_machine_could_use_and_makes_nothing() {
    if Place::of_parent().is_none() {
        let name = "order::survey_says_what_this_machine_could_use_and_makes_nothing";
        return assert_passes(&mut Place::new().child(name));
    }
    let place = Place::new();
    let works = |options: VaultOptions| {
        let found = survey(&options);
        assert!(found.iter().all(|candidate| candidate.refusal.is_none() || candidate.hint().is_some()), "{found:?}");
        found.into_iter().filter(|candidate| candidate.refusal.is_none()).map(|c| c.back_end).collect::<Vec<_>>()
    };
    assert_eq!(works(place.options(VaultChoice::Auto)), [BackEnd::File]);
    place.give_all();
    let all = [BackEnd::Systemd, BackEnd::Passphrase, BackEnd::File];
    assert_eq!(works(place.all_options(VaultChoice::Auto)), all);
    assert_eq!((place.files().len(), place.key_files()), (0, 0));
}
