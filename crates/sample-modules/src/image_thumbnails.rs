//! `image-thumbnails`: a folder of pictures becomes a folder of thumbnails and one contact sheet.
//!
//! Originals are only read. A file that is no picture after all is listed, not fatal.

mod contact_sheet;
mod output;
mod picture;

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::{contact_sheet::ContactSheet, output::OutputFolder};
use crate::{channel::Channel, failure::Failure};

/// Pictures in one run.
const FILES_MAX: usize = 10_000;
/// Entries of each list in the result; more would not fit into it.
const LISTED_MAX: usize = 2_000;
/// Pictures decoded at the same time; each may take 256 MiB.
const THREADS_MAX: usize = 4;
/// Extensions of the formats that can be read.
const EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "png", "gif", "webp", "bmp"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inputs {
    folder: PathBuf,
    output_folder: Option<PathBuf>,
    #[serde(default = "default_size")]
    size: u32,
    columns: Option<u32>,
    #[serde(default)]
    recursive: bool,
}

fn default_size() -> u32 {
    256
}

/// One thumbnail.
#[derive(Debug, Serialize)]
struct Thumbnail {
    source: PathBuf,
    #[serde(rename = "thumbnail")]
    path: PathBuf,
    width: u32,
    height: u32,
    bytes: u64,
}

/// A file that could not be used.
#[derive(Debug, Serialize)]
struct Rejected {
    source: PathBuf,
    reason: String,
}

/// Makes the thumbnails.
pub(crate) fn run(inputs: &Inputs, channel: &Channel) -> Result<Value, Failure> {
    let started = Instant::now();
    if !(16..=2_048).contains(&inputs.size) {
        return Err(Failure::new("INVALID_INPUTS", "size must be from 16 to 2048 pixels"));
    }
    let metadata = std::fs::metadata(&inputs.folder).map_err(|error| Failure::io("read", &inputs.folder, &error))?;
    if !metadata.is_dir() {
        return Err(Failure::new("NOT_A_FOLDER", format!("{} is a file", inputs.folder.display()))
            .hint("give the folder that holds the pictures"));
    }
    let output_path = inputs.output_folder.clone().unwrap_or_else(|| inputs.folder.join("thumbnails"));
    let output = OutputFolder::open(&output_path, &inputs.folder)?;
    let (files, skipped) = find(&inputs.folder, &output_path, inputs.recursive)?;
    if files.is_empty() {
        return Err(Failure::new("NO_PICTURES", format!("{} holds no pictures", inputs.folder.display()))
            .hint(format!("files ending in {} are read; set recursive for folders inside", EXTENSIONS.join(", "))));
    }
    channel.log("info", &format!("{} pictures, {skipped} other files", files.len()));
    let batch = Batch::new(inputs, &output, &files, channel);
    batch.make_all();
    let Done { mut thumbnails, mut rejected, sheet, fatal } =
        batch.done.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(failure) = fatal {
        return Err(failure);
    }
    thumbnails.sort_by(|a, b| a.source.cmp(&b.source));
    rejected.sort_by(|a, b| a.source.cmp(&b.source));
    let contact_sheet = sheet.write(&output, inputs.columns)?;
    output.finish()?;
    channel.progress(1.0, &format!("{} thumbnails", thumbnails.len()));
    let (made, failed) = (thumbnails.len(), rejected.len());
    thumbnails.truncate(LISTED_MAX);
    rejected.truncate(LISTED_MAX / 4);
    Ok(json!({
        "folder": inputs.folder,
        "output_folder": output_path,
        "contact_sheet": contact_sheet,
        "pictures": files.len(),
        "made": made,
        "failed": failed,
        "other_files": skipped,
        "thumbnails": thumbnails,
        "failures": rejected,
        "elapsed_ms": started.elapsed().as_millis() as u64,
    }))
}

/// What the threads have got done.
#[derive(Default)]
struct Done {
    thumbnails: Vec<Thumbnail>,
    rejected: Vec<Rejected>,
    sheet: ContactSheet,
    fatal: Option<Failure>,
}

/// The work the threads share.
struct Batch<'a> {
    inputs: &'a Inputs,
    output: &'a OutputFolder,
    files: &'a [PathBuf],
    channel: &'a Channel,
    next: AtomicUsize,
    done: Mutex<Done>,
}

impl<'a> Batch<'a> {
    fn new(inputs: &'a Inputs, output: &'a OutputFolder, files: &'a [PathBuf], channel: &'a Channel) -> Self {
        Self { inputs, output, files, channel, next: AtomicUsize::new(0), done: Mutex::default() }
    }

    fn make_all(&self) {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        std::thread::scope(|scope| {
            for _ in 0..threads.min(self.files.len()) {
                scope.spawn(|| {
                    while let Some(source) = self.files.get(self.next.fetch_add(1, Ordering::Relaxed)) {
                        if !self.make(source) {
                            return;
                        }
                    }
                });
            }
        });
    }

    /// Makes one; false if there is no point in going on.
    fn make(&self, source: &Path) -> bool {
        let relative = source.strip_prefix(&self.inputs.folder).unwrap_or(source);
        let made = picture::open(source).map_err(|reason| Rejected { source: source.to_owned(), reason });
        let made = made.map(|picture| {
            let (width, height) = (picture.width(), picture.height());
            let small = picture::shrink(picture, self.inputs.size);
            let written = self.output.write_thumbnail(relative, &small);
            (small, written, width, height)
        });
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        match made {
            Ok((small, Ok((path, bytes)), width, height)) => {
                done.sheet.add(relative, &small);
                done.thumbnails.push(Thumbnail { source: source.to_owned(), path, width, height, bytes });
            }
            Ok((_, Err(failure), ..)) => {
                done.fatal = Some(failure);
                return false;
            }
            Err(rejected) => {
                self.channel.log("warn", &format!("{}: {}", relative.display(), rejected.reason));
                done.rejected.push(rejected);
            }
        }
        let count = done.thumbnails.len() + done.rejected.len();
        self.channel.progress(
            count as f64 / self.files.len() as f64 * 0.95,
            &format!("{count} of {}: {}", self.files.len(), relative.display()),
        );
        done.fatal.is_none()
    }
}

/// The pictures of a folder in the order of their names, and how many other files there are.
fn find(folder: &Path, output_folder: &Path, recursive: bool) -> Result<(Vec<PathBuf>, usize), Failure> {
    let (mut files, mut skipped) = (Vec::new(), 0);
    let output_folder = output_folder.canonicalize().ok();
    let mut folders = VecDeque::from([folder.to_owned()]);
    while let Some(folder) = folders.pop_front() {
        let entries = std::fs::read_dir(&folder).map_err(|error| Failure::io("read", &folder, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| Failure::io("read", &folder, &error))?;
            // Not followed: a link to a folder above would make this endless.
            let Ok(file_type) = entry.file_type() else { continue };
            let path = entry.path();
            if file_type.is_dir() {
                if recursive && path.canonicalize().ok() != output_folder {
                    folders.push_back(path);
                }
                continue;
            }
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            if !EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)) {
                skipped += 1;
                continue;
            }
            files.push(path);
            if files.len() > FILES_MAX {
                return Err(Failure::new("TOO_MANY_FILES", format!("there are more than {FILES_MAX} pictures"))
                    .hint("run one job for each folder inside"));
            }
        }
    }
    files.sort();
    Ok((files, skipped))
}
