//! Opens one picture under limits, turned the right way up, and makes it small.

use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

/// The longest side of a picture, in pixels.
const SIDE_MAX: u32 = 30_000;
/// Memory to decode one picture, in bytes. A file of some KiB can claim to be far larger.
const MEMORY_MAX: u64 = 256 << 20;

/// Decodes a picture.
///
/// # Errors
/// A reason for a person: no picture, broken, too large.
pub(super) fn open(path: &Path) -> Result<DynamicImage, String> {
    let mut reader = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(|error| format!("can't be read: {error}"))?;
    if reader.format().is_none() {
        return Err("is not a picture".to_owned());
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(MEMORY_MAX);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| explain(&error))?;
    if decoder.total_bytes() > MEMORY_MAX {
        let (width, height) = decoder.dimensions();
        return Err(format!("is too large: {width} × {height} pixels need more than {} MiB", MEMORY_MAX >> 20));
    }
    let orientation = decoder.orientation().map_err(|error| explain(&error))?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| explain(&error))?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Fits a picture into a square of `size` pixels; smaller ones stay as they are.
pub(super) fn shrink(picture: DynamicImage, size: u32) -> DynamicImage {
    if picture.width() <= size && picture.height() <= size { picture } else { picture.thumbnail(size, size) }
}

fn explain(error: &image::ImageError) -> String {
    match error {
        image::ImageError::Limits(limits) => format!("is too large: {limits}"),
        image::ImageError::Unsupported(_) => "is of a kind that is not supported".to_owned(),
        error => format!("is damaged: {error}"),
    }
}
