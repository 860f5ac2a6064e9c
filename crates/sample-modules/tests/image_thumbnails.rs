//! `image-thumbnails` on real pictures.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/lines.rs"]
mod support;

use std::{fs, path::Path};

use image::{DynamicImage, GenericImageView, Rgb, RgbImage, Rgba, RgbaImage};
use serde_json::json;
use support::{expect_error, run, value};

fn picture(path: &Path, width: u32, height: u32) {
    RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([200, 10, 10]) } else { Rgb([10, 10, 200]) })
        .save(path)
        .unwrap();
}

/// A JPEG whose EXIF says that it must be turned by 90 degrees to the right.
fn turned_jpeg(path: &Path) {
    let mut jpeg = std::io::Cursor::new(Vec::new());
    let left_red = RgbImage::from_fn(400, 200, |x, _| if x < 200 { Rgb([200, 10, 10]) } else { Rgb([10, 10, 200]) });
    DynamicImage::ImageRgb8(left_red).write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    let jpeg = jpeg.into_inner();
    let tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let mut exif = b"Exif\0\0".to_vec();
    exif.extend_from_slice(tiff);
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    let bytes = [&jpeg[..2], &[0xFF, 0xE1], &length[..], &exif, &jpeg[2..]].concat();
    fs::write(path, bytes).unwrap();
}

#[test]
fn pictures_become_thumbnails_and_a_contact_sheet() {
    let dir = tempfile::tempdir().unwrap();
    picture(&dir.path().join("wide.png"), 800, 400);
    picture(&dir.path().join("small.bmp"), 20, 10);
    turned_jpeg(&dir.path().join("turned.JPG"));
    RgbaImage::from_pixel(300, 300, Rgba([0, 255, 0, 100])).save(dir.path().join("glass.png")).unwrap();
    fs::write(dir.path().join("broken.jpg"), b"\xff\xd8\xff\xe0 no more").unwrap();
    fs::write(dir.path().join("text.png"), b"not a picture").unwrap();
    fs::write(dir.path().join("notes.txt"), b"x").unwrap();
    fs::create_dir(dir.path().join("inside")).unwrap();
    picture(&dir.path().join("inside/deep.png"), 100, 100);
    let before = fs::read(dir.path().join("wide.png")).unwrap();

    let result = value(run("image-thumbnails", &json!({"folder": dir.path(), "size": 64}), &[]));
    assert_eq!(
        (&result["made"], &result["failed"], &result["other_files"]),
        (&json!(4), &json!(2), &json!(1)),
        "{result}"
    );
    let out = dir.path().join("thumbnails");
    assert_eq!(image::open(out.join("wide.png.jpg")).unwrap().dimensions(), (64, 32));
    assert_eq!(image::open(out.join("small.bmp.jpg")).unwrap().dimensions(), (20, 10), "small ones stay small");
    assert!(image::open(out.join("glass.png.png")).unwrap().color().has_alpha());
    let turned = image::open(out.join("turned.JPG.jpg")).unwrap();
    assert_eq!(turned.dimensions(), (32, 64), "the orientation of EXIF is respected");
    assert!(turned.get_pixel(16, 5)[0] > 100, "what was left is on top");
    assert!(image::open(result["contact_sheet"].as_str().unwrap()).unwrap().width() > 300);
    assert_eq!(fs::read(dir.path().join("wide.png")).unwrap(), before, "originals are only read");
    for failure in result["failures"].as_array().unwrap() {
        assert!(!failure["reason"].as_str().unwrap().is_empty());
    }

    // Again, and deeper: earlier thumbnails are replaced and not taken for pictures.
    let again = value(run("image-thumbnails", &json!({"folder": dir.path(), "size": 64, "recursive": true}), &[]));
    assert_eq!(again["made"], 5);
    assert!(out.join("inside__deep.png.jpg").is_file());
    assert!(!out.join("wide.png-2.jpg").exists());
}

#[test]
fn a_file_of_somebody_else_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (source, out) = (dir.path().join("in"), dir.path().join("out"));
    fs::create_dir(&source).unwrap();
    fs::create_dir(&out).unwrap();
    picture(&source.join("a.png"), 50, 50);
    fs::write(out.join("a.png.jpg"), "mine").unwrap();
    value(run("image-thumbnails", &json!({"folder": source, "output_folder": out}), &[]));
    assert_eq!(fs::read_to_string(out.join("a.png.jpg")).unwrap(), "mine");
    assert!(out.join("a.png-2.jpg").is_file());
}

#[test]
fn a_decompression_bomb_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    picture(&dir.path().join("good.png"), 10, 10);
    // A PNG header that claims 29,000 × 29,000 pixels, with a correct checksum.
    let mut head = b"IHDR".to_vec();
    head.extend_from_slice(&29_000_u32.to_be_bytes());
    head.extend_from_slice(&29_000_u32.to_be_bytes());
    head.extend_from_slice(&[8, 6, 0, 0, 0]);
    let crc = head.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    });
    let mut bomb = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    bomb.extend_from_slice(&head);
    bomb.extend_from_slice(&(!crc).to_be_bytes());
    bomb.extend_from_slice(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    fs::write(dir.path().join("bomb.png"), bomb).unwrap();
    let result = value(run("image-thumbnails", &json!({"folder": dir.path()}), &[]));
    assert_eq!((&result["made"], &result["failed"]), (&json!(1), &json!(1)));
    assert!(result["failures"][0]["reason"].as_str().unwrap().contains("too large"), "{result}");
}

#[test]
fn folders_that_can_not_be_used_are_refused_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    expect_error(&run("image-thumbnails", &json!({"folder": folder}), &[]), "NO_PICTURES");
    expect_error(&run("image-thumbnails", &json!({"folder": folder.join("absent")}), &[]), "NOT_FOUND");
    picture(&folder.join("a.png"), 10, 10);
    expect_error(&run("image-thumbnails", &json!({"folder": folder.join("a.png")}), &[]), "NOT_A_FOLDER");
    expect_error(&run("image-thumbnails", &json!({"folder": folder, "output_folder": folder}), &[]), "SAME_FOLDER");
}
