//! Lets Tauri read tauri.conf.json, the capabilities and the permissions, which do not lie where it expects them.

use tauri_build::{AppManifest, Attributes};

/// What each window may call. Their commands are in `src-tauri/src/commands.rs`.
const PERMISSIONS: &str = "src-tauri/permissions/*.toml";

fn main() {
    println!("cargo::rerun-if-changed=src-tauri/permissions");
    let attributes = Attributes::new()
        .capabilities_path_pattern("src-tauri/capabilities/**/*")
        .app_manifest(AppManifest::new().permissions_path_pattern(PERMISSIONS));
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo::error={error:#}");
    }
}
