//! `csv-profile` on real files.
#![allow(clippy::unwrap_used, clippy::format_collect, reason = "a test stops at the first surprise")]

#[path = "support/lines.rs"]
mod support;

use std::{fs, io::Write};

use serde_json::{Value, json};
use support::{expect_error, run, run_all, run_raw, value};

fn profile(bytes: &[u8]) -> Value {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    value(run("csv-profile", &json!({"path": file.path()}), &[]))
}

#[test]
fn columns_get_types_and_figures() {
    let profile = profile(
        b"id,price,when,at,ok,name,zip,none\n\
          1,1.5,2026-01-01,2026-01-01T10:00,true,Ann,00501,\n\
          2,2.5,2026-02-01,2026-01-02 11:30:00Z,false,Bob,10115,NA\n\
          3,,2026-03-01,2026-01-03T12:00:00,yes,Ann,80331,null\n",
    );
    assert_eq!(
        (&profile["rows"], &profile["has_header"], &profile["delimiter"]),
        (&json!(3), &json!(true), &json!(","))
    );
    let types: Vec<_> = profile["columns"].as_array().unwrap().iter().map(|column| &column["type"]).collect();
    assert_eq!(types, ["integer", "number", "date", "datetime", "boolean", "text", "text", "empty"]);
    let column = |index: usize| &profile["columns"][index];
    assert_eq!((&column(0)["min"], &column(0)["max"], &column(0)["mean"]), (&json!(1), &json!(3), &json!(2.0)));
    assert_eq!((&column(0)["std"], &column(0)["quantiles"]["p50"]), (&json!(1.0), &json!(2.0)));
    assert_eq!((&column(1)["missing"], &column(1)["mean"]), (&json!(1), &json!(2.0)));
    assert_eq!((&column(2)["min"], &column(2)["max"]), (&json!("2026-01-01"), &json!("2026-03-01")));
    assert_eq!(
        (&column(5)["distinct"], &column(5)["top_values"][0]),
        (&json!(2), &json!({"value": "Ann", "count": 2}))
    );
    assert_eq!(column(7)["missing"], 3);
    assert_eq!(profile["sample_rows"].as_array().unwrap().len(), 3);
}

#[test]
fn encodings_are_told_apart() {
    for (bytes, encoding, bom) in [
        ("name;city\nJos\u{e9};K\u{f6}ln\n".as_bytes().to_vec(), "utf-8", false),
        ("\u{feff}name;city\nJos\u{e9};K\u{f6}ln\n".as_bytes().to_vec(), "utf-8", true),
        (b"name;city\nJos\xe9;K\xf6ln\n".to_vec(), "windows-1252", false),
        (
            "\u{feff}name;city\nJos\u{e9};K\u{f6}ln\n".encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "utf-16le",
            true,
        ),
        (
            "\u{feff}name;city\nJos\u{e9};K\u{f6}ln\n".encode_utf16().flat_map(u16::to_be_bytes).collect(),
            "utf-16be",
            true,
        ),
    ] {
        let profile = profile(&bytes);
        assert_eq!((&profile["encoding"], &profile["bom"]), (&json!(encoding), &json!(bom)));
        assert_eq!(profile["columns"][0]["name"], "name", "{encoding}");
        assert_eq!(profile["sample_rows"][0], json!(["Jos\u{e9}", "K\u{f6}ln"]), "{encoding}");
    }
}

#[test]
fn ragged_rows_and_quoted_fields_are_understood() {
    let profile = profile(b"a,b\n1,2\n3\n4,5,6\n\"x, y\",\"line\nbreak\"\n");
    assert_eq!(profile["rows"], 4);
    assert_eq!(profile["ragged_rows"], json!({"count": 2, "first_lines": [3, 4]}));
    assert_eq!(profile["sample_rows"][3], json!(["x, y", "line\nbreak"]));
    assert_eq!(self::profile(b"1,2\n3,4\n")["columns"][0]["name"], "column_1", "a file without a header");
    assert_eq!(self::profile(b"a\tb\n1,5\t2\n")["columns"][0]["type"], "number");
}

#[test]
fn a_long_file_is_read_in_pieces_with_progress() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "n,text").unwrap();
    let mut writer = std::io::BufWriter::new(file.as_file_mut());
    for number in 0..300_000 {
        writeln!(writer, "{number},value {}", number % 7).unwrap();
    }
    writer.flush().unwrap();
    drop(writer);
    let mut lines = run_all("csv-profile", &json!({"path": file.path()}), &[]);
    let profile = value(lines.pop().unwrap());
    assert_eq!(profile["rows"], 300_000);
    let column = &profile["columns"][0];
    assert_eq!((&column["distinct"], &column["distinct_exact"]), (&json!(100_000), &json!(false)));
    assert_eq!(column["quantiles"]["exact"], false);
    assert!((column["quantiles"]["p50"].as_f64().unwrap() - 150_000.0).abs() < 5_000.0);
    assert_eq!(profile["columns"][1]["distinct"], 7);
    let fractions: Vec<_> = lines.iter().filter_map(|line| line["fraction"].as_f64()).collect();
    assert!(fractions.is_sorted() && fractions.len() > 1, "{fractions:?}");
}

#[test]
fn files_that_are_no_csv_are_refused_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        json!({"path": path})
    };
    expect_error(&run("csv-profile", &json!({"path": dir.path().join("absent.csv")}), &[]), "NOT_FOUND");
    expect_error(&run("csv-profile", &json!({"path": dir.path()}), &[]), "NOT_A_FILE");
    expect_error(&run("csv-profile", &path("a.xlsx", b"PK\x03\x04\0\0binary"), &[]), "NOT_CSV");
    expect_error(&run("csv-profile", &path("empty.csv", b""), &[]), "EMPTY_FILE");
    expect_error(&run("csv-profile", &path("wide.csv", ",".repeat(1_500).as_bytes()), &[]), "TOO_MANY_COLUMNS");
    let open_quote = format!("a,b\n1,\"{}", "x".repeat(18 << 20));
    expect_error(&run("csv-profile", &path("quote.csv", open_quote.as_bytes()), &[]), "RECORD_TOO_LONG");
}

#[cfg(unix)]
#[test]
fn what_is_no_plain_file_is_refused_and_not_waited_for() {
    expect_error(&run("csv-profile", &json!({"path": "/dev/null"}), &[]), "NOT_A_FILE");
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    expect_error(&run("csv-profile", &json!({"path": pipe}), &[]), "NOT_A_FILE");
}

#[test]
fn bad_requests_end_in_an_error_line() {
    for (input, code) in [
        (&b""[..], "INVALID_REQUEST"),
        (b"{", "INVALID_REQUEST"),
        (b"7", "INVALID_REQUEST"),
        (b"{\"inputs\":{}}", "INVALID_INPUTS"),
        (b"{\"inputs\":{\"path\":\"x\",\"other\":1}}", "INVALID_INPUTS"),
    ] {
        let line = run_raw("csv-profile", input).pop().unwrap();
        assert_eq!((&line["type"], &line["code"]), (&json!("error"), &json!(code)), "{line}");
    }
    assert_eq!(run_raw("nothing", b"{\"inputs\":{}}").pop().unwrap()["code"], "UNKNOWN_MODULE");
}
