//! Every kept seed, and a fixed number of changes of each, on every run of the tests.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use flowork_fuzz::{TARGETS, replay};

/// Enough to meet the usual slips, and few enough to stay within seconds.
const CHANGES: usize = 300;

macro_rules! targets {
    ($($name:ident)*) => {
        const REPLAYED: &[&str] = &[$(stringify!($name)),*];
        mod every_seed_is_taken_by {
            $(#[test]
            fn $name() {
                super::check(stringify!($name));
            })*
        }
    };
}

targets! {
    http_head http_body http_query http_headers access_token signed_token sign_in_message keystore_file
    vault_parts schedule_timing egress_url config_file vault_files
    module_output module_manifest llm_stream web_page csv_file image_file
    socket_messages access_assertion audit_rows
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name)
}

fn check(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let seeds = replay::seeds(&folder(name)).unwrap();
    assert!(!seeds.is_empty(), "{name} has seeds");
    match replay::replay(target, &seeds, CHANGES) {
        Ok(replayed) => println!("{name}: {} seeds, {} changes of them", replayed.seeds, replayed.changes),
        Err(find) => panic!(
            "{name} did not take these bytes, made from {}: \"{}\"\nkeep them in {}",
            find.seed,
            find.bytes.escape_ascii(),
            folder(name).display()
        ),
    }
}

#[test]
fn every_target_has_a_program_seeds_and_a_test() {
    let manifest = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let names: BTreeSet<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, REPLAYED.iter().copied().collect(), "each target is replayed here");
    let folders = fs::read_dir(folder("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names, folders.collect::<Vec<_>>().iter().map(String::as_str).collect(), "each has seeds");
    for name in names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is a program in Cargo.toml");
        let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz_targets/{name}.rs"));
        assert!(fs::read_to_string(program).unwrap().contains(&format!("program!(\"{name}\")")), "{name}");
    }
}
