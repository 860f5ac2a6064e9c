//! Makes sure the folder of the built web GUI exists, so that the crate builds before the GUI does, and rebuilds the
//! crate when its files change.

fn main() {
    let dist = std::path::Path::new("../ui/dist");
    if let Err(error) = std::fs::create_dir_all(dist) {
        println!("cargo::warning=can't make {}: {error}", dist.display());
    }
    println!("cargo::rerun-if-changed=../ui/dist");
    println!("cargo::rerun-if-changed=build.rs");
}
