//! Files that the modules of the house read, given to the modules as the node gives them.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};

use crate::node::Scratch;

pub(super) fn csv(data: &[u8]) {
    thread_local!(static FOLDER: Scratch = Scratch::new("csv"));
    FOLDER.with(|folder| {
        let path = folder.path().join("table.csv");
        std::fs::write(&path, data).expect("a file can be written");
        run("csv-profile", &json!({"path": path}));
    });
}

pub(super) fn image(data: &[u8]) {
    thread_local!(static FOLDER: Scratch = Scratch::new("image"));
    FOLDER.with(|folder| {
        let (pictures, thumbnails) = (folder.path().join("in"), folder.path().join("out"));
        std::fs::create_dir_all(&pictures).expect("a folder can be made");
        std::fs::write(pictures.join("picture.png"), data).expect("a file can be written");
        run("image-thumbnails", &json!({"folder": pictures, "output_folder": thumbnails, "size": 64}));
        drop(std::fs::remove_dir_all(&thumbnails));
    });
}

/// Whatever the file holds, a module ends with one result or one error that has a code.
fn run(module: &str, inputs: &Value) {
    let request = json!({"id": "job", "attempt": 1, "inputs": inputs}).to_string();
    let written = Written::default();
    flowork_sample_modules::run_with(module, request.as_bytes(), written.clone());
    let written = written.0.lock().unwrap_or_else(PoisonError::into_inner);
    let ends = written.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).filter(|line| {
        let line: Value = serde_json::from_slice(line).expect("every line is JSON");
        match line["type"].as_str() {
            Some("error") => line["code"].as_str().is_some_and(|code| !code.is_empty()),
            kind => kind == Some("result"),
        }
    });
    assert_eq!(ends.count(), 1, "{module} ends once");
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
