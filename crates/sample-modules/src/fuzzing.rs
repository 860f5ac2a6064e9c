//! The reader of web pages, open to the fuzz targets and to nobody else: a fuzzer has no time for connections.

pub use crate::site_check::fuzz_page as web_page;
