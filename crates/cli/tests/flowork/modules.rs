//! Modules from the command line.

use crate::world::World;

#[test]
fn new_module_passes_its_check_and_becomes_a_kind() {
    let world = World::new();
    let made = world.json(&["module", "new", "greet", "--template", "shell"]);
    assert_eq!(made["kind"], "module.greet");
    let report = world.json(&["module", "check", "greet"]);
    assert_eq!((&report["ok"], report["runs"].as_array().unwrap().is_empty()), (&true.into(), false));

    let _node = world.serve();
    // The node answers before it has looked for modules.
    while !world.json(&["module", "list"])["items"].to_string().contains("module.greet") {}
    let listed = world.json(&["module", "list"])["items"].to_string();
    for sample in ["csv-profile", "image-thumbnails", "site-check"] {
        assert!(listed.contains(&format!("module.{sample}")), "{listed}");
    }
}

#[test]
fn sample_module_runs_as_a_job() {
    let world = World::new();
    let _node = world.serve();
    while !world.json(&["module", "list"])["items"].to_string().contains("module.csv-profile") {}
    let file = world.data().join("people.csv");
    std::fs::write(&file, "name,age\nada,36\nalan,41\n").unwrap();
    let payload = serde_json::json!({"path": file}).to_string();
    let job = world.json(&["job", "enqueue", "module.csv-profile", "--payload", &payload, "--wait"]);
    assert_eq!(job["state"], "completed", "{job}");
    assert!(job["result"].to_string().contains("age"), "{job}");
}

#[test]
fn broken_and_missing_modules_are_named() {
    let world = World::new();
    let folder = world.data().join("modules/broken");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("manifest.json"), "{").unwrap();
    let check = |arguments: &[&str], code: i32| {
        let outcome = world.run(arguments);
        assert_eq!(outcome.code(), code, "{arguments:?}: {}", outcome.stderr());
    };
    check(&["module", "check", "broken"], 1);
    check(&["module", "check", "nowhere"], 3);
    check(&["module", "new", "Not An Id"], 2);
    check(&["module", "new", "broken"], 1);
}
