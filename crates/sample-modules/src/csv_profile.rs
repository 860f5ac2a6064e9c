//! `csv-profile`: what is in a CSV file. Columns and their types, what is missing, quantiles, frequent values.
//!
//! Reads the file once, in bounded memory, whatever its size.

mod column;
mod detect;
mod quantiles;
mod reader;
mod value;

use std::{path::PathBuf, time::Instant};

use csv::{ByteRecord, ReaderBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::{
    column::{Column, ColumnProfile},
    detect::{Delimiter, has_header},
    reader::{Encoding, SourceFile, decode},
};
use crate::{channel::Channel, failure::Failure};

/// A wider table is almost surely one read with the wrong delimiter, and its profile would not fit into a result.
const COLUMNS_MAX: usize = 1_000;
/// Rows that do not have the width of the first are listed up to here.
const RAGGED_LINES_MAX: usize = 10;
/// Rows looked at before the first is taken for a header or for data.
const HEADER_SAMPLE_ROWS: usize = 100;
/// Rows between two looks at the progress.
const PROGRESS_ROWS: u64 = 2_000;
/// A cell in the sample is cut here, in characters.
const SAMPLE_CELL_CHARS: usize = 200;
/// Cells in the sample of all rows together.
const SAMPLE_CELLS_MAX: usize = 2_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inputs {
    path: PathBuf,
    #[serde(default)]
    delimiter: Delimiter,
    #[serde(default)]
    has_header: HasHeader,
    #[serde(default = "default_sample_rows")]
    sample_rows: usize,
}

fn default_sample_rows() -> usize {
    5
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum HasHeader {
    #[default]
    Auto,
    Yes,
    No,
}

#[derive(Debug, Default, Serialize)]
struct RaggedRows {
    count: u64,
    first_lines: Vec<u64>,
}

/// Profiles the file.
pub(crate) fn run(inputs: &Inputs, channel: &Channel) -> Result<Value, Failure> {
    let started = Instant::now();
    let source = SourceFile::open(&inputs.path)?;
    let delimiter = inputs.delimiter.byte().unwrap_or_else(|| detect::delimiter(&source.sample));
    channel.log("info", &format!("delimiter {}, {} bytes", detect::delimiter_name(delimiter), source.bytes));

    let (bytes, bom, meter) = (source.bytes, source.bom, source.meter.clone());
    let mut encoding = source.encoding;
    let mut rows =
        ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(source.reader);
    let mut table = Table::new(delimiter, inputs.sample_rows.min(50), inputs.has_header);
    let mut record = ByteRecord::new();
    let mut count: u64 = 0;
    while rows.read_byte_record(&mut record).map_err(|error| reader::explain(&error, &inputs.path))? {
        meter.start_record();
        table.add(&record, &mut encoding)?;
        count += 1;
        if count.is_multiple_of(PROGRESS_ROWS) {
            let fraction = meter.read_bytes() as f64 / bytes.max(1) as f64;
            channel.progress(fraction.min(0.99), &format!("{count} rows"));
        }
    }
    table.settle(&mut encoding)?;
    if table.columns.is_empty() {
        return Err(Failure::new("EMPTY_FILE", format!("{} holds no rows", inputs.path.display()))
            .hint("check that the file was written completely"));
    }
    channel.progress(1.0, &format!("{} rows", table.rows));
    if table.ragged.count > 0 {
        channel.log("warn", &format!("{} rows have more or fewer fields than the first", table.ragged.count));
    }
    let profiles: Vec<ColumnProfile> = table.columns.into_iter().map(Column::finish).collect();
    Ok(json!({
        "path": inputs.path,
        "bytes": bytes,
        "encoding": encoding.name(),
        "bom": bom,
        "delimiter": detect::delimiter_name(delimiter),
        "has_header": table.has_header,
        "rows": table.rows,
        "column_count": profiles.len(),
        "ragged_rows": table.ragged,
        "columns": profiles,
        "sample_rows": table.sample,
        "elapsed_ms": started.elapsed().as_millis() as u64,
    }))
}

/// The columns as they grow, and the first rows until it is clear whether there is a header.
struct Table {
    delimiter: u8,
    sample_rows: usize,
    wants_header: HasHeader,
    has_header: bool,
    pending: Option<Vec<ByteRecord>>,
    columns: Vec<Column>,
    rows: u64,
    ragged: RaggedRows,
    sample: Vec<Vec<String>>,
}

impl Table {
    fn new(delimiter: u8, sample_rows: usize, wants_header: HasHeader) -> Self {
        Self {
            delimiter,
            sample_rows,
            wants_header,
            has_header: false,
            pending: Some(Vec::new()),
            columns: Vec::new(),
            rows: 0,
            ragged: RaggedRows::default(),
            sample: Vec::new(),
        }
    }

    fn add(&mut self, record: &ByteRecord, encoding: &mut Encoding) -> Result<(), Failure> {
        if let Some(pending) = &mut self.pending {
            pending.push(record.clone());
            if pending.len() < HEADER_SAMPLE_ROWS {
                return Ok(());
            }
            return self.settle(encoding);
        }
        self.add_row(record, encoding);
        Ok(())
    }

    /// Decides about the header and takes in the rows that waited for it.
    fn settle(&mut self, encoding: &mut Encoding) -> Result<(), Failure> {
        let Some(pending) = self.pending.take() else {
            return Ok(());
        };
        let Some(first) = pending.first() else {
            return Ok(());
        };
        let width = first.len();
        if width > COLUMNS_MAX {
            return Err(Failure::new("TOO_MANY_COLUMNS", format!("the first row has {width} fields"))
                .hint(format!("set the delimiter; at most {COLUMNS_MAX} columns are profiled")));
        }
        let rows: Vec<Vec<String>> = pending
            .iter()
            .map(|record| record.iter().map(|field| decode(field, encoding).into_owned()).collect())
            .collect();
        self.has_header = match self.wants_header {
            HasHeader::Yes => true,
            HasHeader::No => false,
            HasHeader::Auto => has_header(&rows, self.delimiter),
        };
        self.columns = (0..width)
            .map(|index| {
                let name = rows[0].get(index).filter(|name| self.has_header && !name.trim().is_empty());
                match name {
                    Some(name) => Column::new(name.trim(), width),
                    None => Column::new(&format!("column_{}", index + 1), width),
                }
            })
            .collect();
        for record in pending.iter().skip(usize::from(self.has_header)) {
            self.add_row(record, encoding);
        }
        Ok(())
    }

    fn add_row(&mut self, record: &ByteRecord, encoding: &mut Encoding) {
        self.rows += 1;
        if record.len() != self.columns.len() {
            self.ragged.count += 1;
            if self.ragged.first_lines.len() < RAGGED_LINES_MAX {
                self.ragged.first_lines.extend(record.position().map(csv::Position::line));
            }
        }
        let decimal_comma = self.delimiter != b',';
        for (index, column) in self.columns.iter_mut().enumerate() {
            let field = decode(record.get(index).unwrap_or_default(), encoding);
            column.add(&field, decimal_comma);
        }
        if self.sample.len() < self.sample_rows.min(SAMPLE_CELLS_MAX / self.columns.len().max(1)) {
            let cut = |field: &[u8]| decode(field, &mut Encoding::default()).chars().take(SAMPLE_CELL_CHARS).collect();
            self.sample.push(record.iter().take(COLUMNS_MAX).map(cut).collect());
        }
    }
}
