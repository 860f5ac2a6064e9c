//! Members and their keys, on real files.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;

use flowork_api_types::{
    Timestamp,
    auth::Role,
    member::{KEYS_PER_MEMBER_MAX, KeyAddress, KeyKind, MEMBERS_MAX},
};
use flowork_control::{ControlStore, MemberChange, MemberError};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const LATER: Timestamp = Timestamp(1_700_000_060_000);

async fn open(directory: &Path) -> ControlStore {
    ControlStore::open(&directory.join("control.db")).await.unwrap()
}

fn address(first: u8) -> KeyAddress {
    let mut bytes = [7; 20];
    bytes[0] = first;
    KeyAddress(bytes)
}

fn disabled(yes: bool) -> MemberChange {
    MemberChange { disabled: Some(yes), ..MemberChange::default() }
}

fn role(role: Role) -> MemberChange {
    MemberChange { role: Some(role), ..MemberChange::default() }
}

#[tokio::test]
async fn members_and_keys_are_there_again_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let mut versions = store.allow_list_changes();
    versions.mark_unchanged();
    assert_eq!((store.allow_list_version(), store.allow_list().subjects), (0, vec!["owner".to_owned()]));
    let zoe = store.create_member(" Zoe ", Role::Operator, NOW).await.unwrap();
    let adam = store.create_member("adam", Role::Viewer, NOW).await.unwrap();
    assert_eq!((zoe.name.as_str(), zoe.subject.len(), &zoe.subject[..2]), ("Zoe", 34, "m_"));
    store.add_member_key(&zoe.subject, address(1), KeyKind::Wallet, "her wallet", NOW).await.unwrap();
    store.add_member_key(&zoe.subject, address(2), KeyKind::Device, "her phone", LATER).await.unwrap();
    store.add_member_key("owner", address(3), KeyKind::Wallet, "mine", NOW).await.unwrap();
    store.sign_in(address(1), None, LATER).await.unwrap();
    store.remove_member_key(address(2), LATER).await.unwrap();
    store.update_member(&adam.subject, disabled(true), LATER).await.unwrap();
    assert_eq!(store.allow_list_version(), 7, "each change of a member or a key counts");
    assert!(versions.has_changed().unwrap(), "whoever tells engines is told");
    let (members, list) = (store.members(), store.allow_list());
    store.close().await;

    let store = open(directory.path()).await;
    assert_eq!((store.members(), store.allow_list()), (members.clone(), list.clone()));
    let names: Vec<_> = members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["Owner", "adam", "Zoe"]);
    assert_eq!((list.version, list.subjects), (7, vec![zoe.subject.clone(), "owner".to_owned()]));
    let keys = store.member_keys(&zoe.subject);
    assert_eq!(keys.len(), 1);
    assert_eq!((keys[0].address, keys[0].kind, keys[0].last_used_at), (address(1), KeyKind::Wallet, Some(LATER)));
    assert_eq!(store.member_of_address(address(1)).unwrap().subject, zoe.subject);
    assert_eq!(store.member_of_address(address(2)), None);
    assert_eq!(store.member_of_address(address(3)).unwrap().role, Role::Owner);
    assert_eq!(store.role_of(&zoe.subject), Some(Role::Operator));
    assert_eq!(store.role_of(&adam.subject), None, "who is kept out may do nothing");
    assert_eq!(store.member(&adam.subject).unwrap().disabled_at, Some(LATER));
}

#[tokio::test]
async fn the_owner_stays_the_owner() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    for change in [disabled(true), role(Role::Member), role(Role::Viewer)] {
        let refused = store.update_member("owner", change, NOW).await;
        assert!(matches!(refused, Err(MemberError::OwnerStays)), "{refused:?}");
    }
    assert!(matches!(store.delete_member("owner", NOW).await, Err(MemberError::OwnerStays)));
    let renamed = MemberChange { name: Some("Ada".to_owned()), role: Some(Role::Owner), disabled: Some(false) };
    let owner = store.update_member("owner", renamed, NOW).await.unwrap();
    assert_eq!((owner.name.as_str(), owner.role, store.role_of("owner")), ("Ada", Role::Owner, Some(Role::Owner)));
    let second = store.create_member("second", Role::Owner, NOW).await;
    assert!(matches!(second, Err(MemberError::InvalidRole { role: Role::Owner })), "there is one owner");
    let member = store.create_member("member", Role::Member, NOW).await.unwrap();
    let raised = store.update_member(&member.subject, role(Role::Owner), NOW).await;
    assert!(matches!(raised, Err(MemberError::InvalidRole { .. })));
    assert_eq!(store.role_of(&member.subject), Some(Role::Member), "a refused change changes nothing");
}

#[tokio::test]
async fn bad_and_taken_names_and_addresses_are_refused_and_change_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let one = store.create_member("one", Role::Member, NOW).await.unwrap();
    let two = store.create_member("two", Role::Member, NOW).await.unwrap();
    for bad in ["", "  ", "a\nb", &"x".repeat(65)] {
        assert!(matches!(store.create_member(bad, Role::Member, NOW).await, Err(MemberError::InvalidName)), "{bad:?}");
        let key = store.add_member_key(&one.subject, address(1), KeyKind::Device, bad, NOW).await;
        assert!(matches!(key, Err(MemberError::InvalidName)), "{bad:?}");
    }
    assert!(matches!(store.create_member("ONE", Role::Member, NOW).await, Err(MemberError::NameTaken { .. })));
    let renamed = MemberChange { name: Some("One".to_owned()), ..MemberChange::default() };
    let refused = store.update_member(&two.subject, renamed.clone(), NOW).await;
    assert!(matches!(refused, Err(MemberError::NameTaken { .. })));
    assert_eq!(
        store.update_member(&one.subject, renamed, NOW).await.unwrap().name,
        "One",
        "the own name in other case"
    );

    store.add_member_key(&one.subject, address(1), KeyKind::Wallet, "first", NOW).await.unwrap();
    let version = store.allow_list_version();
    for subject in [&one.subject, &two.subject] {
        let taken = store.add_member_key(subject, address(1), KeyKind::Wallet, "again", NOW).await;
        assert!(matches!(taken, Err(MemberError::AddressTaken { .. })), "one address belongs to one member");
    }
    let nobody = format!("m_{}", "0".repeat(32));
    let refused = store.add_member_key(&nobody, address(2), KeyKind::Wallet, "x", NOW).await;
    assert!(matches!(refused, Err(MemberError::Unknown { .. })));
    assert!(matches!(store.update_member(&nobody, disabled(true), NOW).await, Err(MemberError::Unknown { .. })));
    assert!(matches!(store.delete_member(&nobody, NOW).await, Err(MemberError::Unknown { .. })));
    assert!(matches!(store.remove_member_key(address(9), NOW).await, Err(MemberError::UnknownKey { .. })));
    assert_eq!(store.allow_list_version(), version);
    for n in 2..=KEYS_PER_MEMBER_MAX as u8 {
        store.add_member_key(&one.subject, address(n), KeyKind::Device, "more", NOW).await.unwrap();
    }
    let full = store.add_member_key(&one.subject, address(200), KeyKind::Device, "too many", NOW).await;
    assert!(matches!(full, Err(MemberError::TooManyKeys)));
}

#[tokio::test]
async fn one_member_more_than_may_be_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let mut pending = Vec::new();
    for n in 1..MEMBERS_MAX {
        let store = store.clone();
        pending.push(tokio::spawn(async move { store.create_member(&format!("m{n}"), Role::Member, NOW).await }));
    }
    for made in pending {
        made.await.unwrap().unwrap();
    }
    assert!(matches!(store.create_member("one more", Role::Member, NOW).await, Err(MemberError::TooMany)));
}

#[tokio::test]
async fn who_is_removed_leaves_their_address_to_others() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let one = store.create_member("one", Role::Member, NOW).await.unwrap();
    store.add_member_key(&one.subject, address(1), KeyKind::Wallet, "first", NOW).await.unwrap();
    store.delete_member(&one.subject, NOW).await.unwrap();
    assert_eq!((store.member(&one.subject), store.member_of_address(address(1))), (None, None));
    let again = store.create_member("one", Role::Viewer, NOW).await.unwrap();
    assert_ne!(again.subject, one.subject, "a subject is never given to somebody else");
    store.add_member_key(&again.subject, address(1), KeyKind::Wallet, "first", NOW).await.unwrap();
}
