//! The folder the thumbnails go to. Files in it that an earlier run made are replaced; others are never touched.

use std::{
    collections::BTreeSet,
    io::{Cursor, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use image::{DynamicImage, ImageFormat, codecs::jpeg::JpegEncoder};

use crate::failure::Failure;

/// Says which files of the folder were made by this module.
const RECORD: &str = ".flowork-thumbnails.json";
/// Good enough for small pictures, and a third of the size of the best.
const JPEG_QUALITY: u8 = 85;

/// An open output folder.
pub(super) struct OutputFolder {
    path: PathBuf,
    /// Names made by earlier runs.
    earlier: BTreeSet<String>,
    /// Names made by this run.
    made: Mutex<BTreeSet<String>>,
}

impl OutputFolder {
    /// Makes the folder if need be.
    pub(super) fn open(path: &Path, source: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(path).map_err(|error| Failure::io("create", path, &error))?;
        let same = std::fs::canonicalize(path)
            .and_then(|path| Ok(path == std::fs::canonicalize(source)?))
            .map_err(|error| Failure::io("read", path, &error))?;
        if same {
            return Err(Failure::new("SAME_FOLDER", "the output folder is the folder of the pictures")
                .hint("leave output_folder out, or name another folder"));
        }
        let earlier = std::fs::read(path.join(RECORD))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Ok(Self { path: path.to_owned(), earlier, made: Mutex::default() })
    }

    /// Writes the thumbnail of the picture at `relative`; returns its path and size.
    pub(super) fn write_thumbnail(&self, relative: &Path, picture: &DynamicImage) -> Result<(PathBuf, u64), Failure> {
        let flat: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        let stem = flat.join("__");
        let (extension, bytes) = if picture.color().has_alpha() {
            ("png", encode_png(picture)?)
        } else {
            let mut bytes = Vec::new();
            JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)
                .encode_image(&DynamicImage::ImageRgb8(picture.to_rgb8()))
                .map_err(|error| Failure::new("ENCODING_FAILED", format!("{}: {error}", relative.display())))?;
            ("jpg", bytes)
        };
        self.write(&stem, extension, &bytes)
    }

    /// Writes a PNG of this name; returns its path and size.
    pub(super) fn write_png(&self, stem: &str, picture: &DynamicImage) -> Result<(PathBuf, u64), Failure> {
        self.write(stem, "png", &encode_png(picture)?)
    }

    /// Remembers what was made.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let names: BTreeSet<_> = self.earlier.union(&made).filter(|name| self.path.join(name).exists()).collect();
        let record = serde_json::to_vec(&names).unwrap_or_default();
        self.write_atomically(&self.path.join(RECORD), &record)
    }

    fn write(&self, stem: &str, extension: &str, bytes: &[u8]) -> Result<(PathBuf, u64), Failure> {
        let path = self.path.join(self.claim_name(stem, extension));
        self.write_atomically(&path, bytes)?;
        Ok((path, bytes.len() as u64))
    }

    /// A name that is free, or was made by an earlier run and not yet by this one.
    fn claim_name(&self, stem: &str, extension: &str) -> String {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let mut name = format!("{stem}.{extension}");
        let mut number = 2;
        while made.contains(&name) || (!self.earlier.contains(&name) && self.path.join(&name).exists()) {
            name = format!("{stem}-{number}.{extension}");
            number += 1;
        }
        made.insert(name.clone());
        name
    }

    fn write_atomically(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let partial = self.path.join(format!(".{name}.{}.part", std::process::id()));
        let written = std::fs::File::create(&partial)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| std::fs::rename(&partial, path));
        written.map_err(|error| {
            // Best effort: the reason to report is why the write failed.
            std::fs::remove_file(&partial).ok();
            Failure::io("write", path, &error)
        })
    }
}

fn encode_png(picture: &DynamicImage) -> Result<Vec<u8>, Failure> {
    let mut bytes = Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|error| Failure::new("ENCODING_FAILED", format!("can't write a PNG: {error}")))?;
    Ok(bytes.into_inner())
}
