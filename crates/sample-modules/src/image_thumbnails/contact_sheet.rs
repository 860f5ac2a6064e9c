//! All thumbnails on one page.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use image::{DynamicImage, Rgb, RgbImage, imageops};

use super::output::OutputFolder;
use crate::failure::Failure;

/// One picture on the sheet, in pixels.
const CELL: u32 = 160;
/// Between two pictures, in pixels.
const GAP: u32 = 10;
/// Pictures on the sheet; the first by name.
const CELLS_MAX: usize = 400;
/// Columns, where not given.
const COLUMNS_MAX: u32 = 10;
const PAPER: Rgb<u8> = Rgb([250, 250, 250]);

/// The pictures of the sheet as they come, by name.
#[derive(Default)]
pub(super) struct ContactSheet {
    cells: BTreeMap<PathBuf, RgbImage>,
}

impl ContactSheet {
    /// Puts a picture on the sheet; the last by name falls off a full one.
    pub(super) fn add(&mut self, name: &Path, picture: &DynamicImage) {
        if self.cells.len() >= CELLS_MAX && self.cells.last_key_value().is_some_and(|(last, _)| name > last) {
            return;
        }
        let small = if picture.width() <= CELL && picture.height() <= CELL {
            picture.to_rgba8()
        } else {
            picture.thumbnail(CELL, CELL).to_rgba8()
        };
        let mut cell = RgbImage::from_pixel(small.width(), small.height(), PAPER);
        for (x, y, pixel) in small.enumerate_pixels() {
            let alpha = u16::from(pixel[3]);
            let blend = |index: usize| {
                ((u16::from(pixel[index]) * alpha + u16::from(PAPER[index]) * (255 - alpha)) / 255) as u8
            };
            cell.put_pixel(x, y, Rgb([blend(0), blend(1), blend(2)]));
        }
        self.cells.insert(name.to_owned(), cell);
        if self.cells.len() > CELLS_MAX {
            self.cells.pop_last();
        }
    }

    /// Writes the sheet; `None` if there is nothing on it.
    pub(super) fn write(self, output: &OutputFolder, columns: Option<u32>) -> Result<Option<PathBuf>, Failure> {
        if self.cells.is_empty() {
            return Ok(None);
        }
        let count = self.cells.len() as u32;
        let square = (f64::from(count)).sqrt().ceil() as u32;
        let columns = columns.unwrap_or_else(|| square.min(COLUMNS_MAX)).clamp(1, count.min(40));
        let rows = count.div_ceil(columns);
        let side = |cells: u32| cells * (CELL + GAP) + GAP;
        let mut sheet = RgbImage::from_pixel(side(columns), side(rows), PAPER);
        for (index, cell) in (0..count).zip(self.cells.values()) {
            let x = GAP + index % columns * (CELL + GAP) + (CELL - cell.width()) / 2;
            let y = GAP + index / columns * (CELL + GAP) + (CELL - cell.height()) / 2;
            imageops::replace(&mut sheet, cell, i64::from(x), i64::from(y));
        }
        let (path, _) = output.write_png("contact-sheet", &DynamicImage::ImageRgb8(sheet))?;
        Ok(Some(path))
    }
}
