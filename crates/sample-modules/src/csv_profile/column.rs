//! One column: takes cells in, gives its profile out. Memory is bounded whatever comes.

use std::{
    collections::{HashMap, HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

use serde::Serialize;

use super::{
    quantiles::{Quantiles, Sample},
    value::{ValueType, number, value_type},
};

/// Values kept for quantiles, in all columns together (8 bytes each).
const SAMPLE_VALUES_ALL: usize = 4_000_000;
/// Values kept for quantiles, in one column.
const SAMPLE_VALUES: usize = 100_000;
/// Distinct values counted exactly, in all columns together (16 bytes each).
const DISTINCT_ALL: usize = 2_000_000;
/// Distinct values counted exactly, in one column.
const DISTINCT: usize = 100_000;
/// Values whose frequency is counted, in one column.
const FREQUENT_TRACKED: usize = 1_000;
/// Frequent values in the profile.
const FREQUENT_SHOWN: usize = 5;
/// Above this many columns the frequent values are left out: the profile would not fit into a result.
const FREQUENT_COLUMNS_MAX: usize = 200;
/// Text in the profile is cut here, in characters.
const TEXT_CHARS: usize = 80;

/// A column as it grows.
pub(super) struct Column {
    name: String,
    counts: [u64; 6],
    missing: u64,
    present: u64,
    distinct: HashSet<u64>,
    distinct_max: usize,
    frequent: HashMap<String, u64>,
    frequent_max: usize,
    frequent_exact: bool,
    numbers: Numbers,
    sample: Sample,
    text_min: Option<String>,
    text_max: Option<String>,
    longest: usize,
    longest_text: String,
}

/// Mean and spread by Welford's method, which stays exact for long columns of large numbers.
#[derive(Default)]
struct Numbers {
    count: u64,
    mean: f64,
    squares: f64,
    min: f64,
    max: f64,
}

/// What is known about a column.
#[derive(Debug, Serialize)]
pub(super) struct ColumnProfile {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    count: u64,
    missing: u64,
    distinct: u64,
    /// False if there are at least `distinct` different values.
    distinct_exact: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<f64>,
    /// Of a sample: divided by n - 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    std: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantiles: Option<Quantiles>,
    top_values: Vec<Frequent>,
    /// False if a frequent value may be missing from `top_values`.
    top_values_exact: bool,
    longest_chars: usize,
    longest_text: String,
}

#[derive(Debug, Serialize)]
struct Frequent {
    value: String,
    count: u64,
}

impl Column {
    /// A column of a table that is `width` columns wide.
    pub(super) fn new(name: &str, width: usize) -> Self {
        Self {
            name: cut(name),
            counts: [0; 6],
            missing: 0,
            present: 0,
            distinct: HashSet::new(),
            distinct_max: DISTINCT.min(DISTINCT_ALL / width.max(1)),
            frequent: HashMap::new(),
            frequent_max: if width > FREQUENT_COLUMNS_MAX { 0 } else { FREQUENT_TRACKED },
            frequent_exact: true,
            numbers: Numbers::default(),
            sample: Sample::new(SAMPLE_VALUES.min(SAMPLE_VALUES_ALL / width.max(1))),
            text_min: None,
            text_max: None,
            longest: 0,
            longest_text: String::new(),
        }
    }

    /// Takes a cell in.
    pub(super) fn add(&mut self, cell: &str, decimal_comma: bool) {
        let cell = cell.trim();
        let Some(kind) = value_type(cell, decimal_comma) else {
            self.missing += 1;
            return;
        };
        self.present += 1;
        self.counts[kind as usize] += 1;
        if let (ValueType::Integer | ValueType::Number, Some(number)) = (kind, number(cell, decimal_comma)) {
            self.numbers.add(number);
            self.sample.add(number);
        }
        if self.distinct.len() < self.distinct_max {
            let mut hasher = DefaultHasher::new();
            cell.hash(&mut hasher);
            self.distinct.insert(hasher.finish());
        }
        self.count_frequent(cell);
        if self.text_min.as_deref().is_none_or(|min| cell < min) {
            self.text_min = Some(cut(cell));
        }
        if self.text_max.as_deref().is_none_or(|max| cell > max) {
            self.text_max = Some(cut(cell));
        }
        // Bytes are never fewer than characters: most cells need no counting.
        if cell.len() > self.longest {
            let chars = cell.chars().count();
            if chars > self.longest {
                self.longest = chars;
                self.longest_text = cut(cell);
            }
        }
    }

    fn count_frequent(&mut self, cell: &str) {
        if let Some(count) = self.frequent.get_mut(cell) {
            *count += 1;
        } else if self.frequent.len() < self.frequent_max && cell.len() <= TEXT_CHARS {
            self.frequent.insert(cell.to_owned(), 1);
        } else {
            self.frequent_exact = false;
        }
    }

    /// The profile.
    pub(super) fn finish(self) -> ColumnProfile {
        let kind = self.kind();
        let is_numeric = matches!(kind, "integer" | "number");
        let has_order = matches!(kind, "date" | "datetime") && self.is_iso();
        let number = |value: f64| {
            if kind == "integer" { serde_json::json!(value as i64) } else { serde_json::json!(value) }
        };
        let (min, max) = if is_numeric {
            (Some(number(self.numbers.min)), Some(number(self.numbers.max)))
        } else if has_order || kind == "text" {
            (self.text_min.clone().map(Into::into), self.text_max.clone().map(Into::into))
        } else {
            (None, None)
        };
        let mut top_values: Vec<_> =
            self.frequent.into_iter().map(|(value, count)| Frequent { value: cut(&value), count }).collect();
        top_values.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
        top_values.truncate(FREQUENT_SHOWN);
        ColumnProfile {
            name: self.name,
            kind,
            count: self.present,
            missing: self.missing,
            distinct: self.distinct.len() as u64,
            distinct_exact: self.distinct.len() < self.distinct_max,
            min,
            max,
            mean: is_numeric.then_some(self.numbers.mean),
            std: (is_numeric && self.numbers.count > 1).then(|| self.numbers.deviation()),
            quantiles: if is_numeric { self.sample.quantiles() } else { None },
            top_values,
            top_values_exact: self.frequent_exact,
            longest_chars: self.longest,
            longest_text: self.longest_text,
        }
    }

    /// The narrowest type that all cells have.
    fn kind(&self) -> &'static str {
        let count = |kind: ValueType| self.counts[kind as usize];
        let only = |kinds: &[ValueType]| kinds.iter().map(|kind| count(*kind)).sum::<u64>() == self.present;
        if self.present == 0 {
            "empty"
        } else if only(&[ValueType::Integer]) {
            "integer"
        } else if only(&[ValueType::Integer, ValueType::Number]) {
            "number"
        } else if only(&[ValueType::Boolean]) {
            "boolean"
        } else if only(&[ValueType::Date]) {
            "date"
        } else if only(&[ValueType::Date, ValueType::Datetime]) {
            "datetime"
        } else {
            "text"
        }
    }

    /// Dates that start with the year come in the order of their text.
    fn is_iso(&self) -> bool {
        let starts_with_year = |text: &Option<String>| {
            text.as_ref().is_some_and(|text| text.len() > 4 && text.as_bytes()[..4].iter().all(u8::is_ascii_digit))
        };
        starts_with_year(&self.text_min) && starts_with_year(&self.text_max)
    }
}

impl Numbers {
    fn add(&mut self, number: f64) {
        self.count += 1;
        let delta = number - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (number - self.mean);
        self.min = if self.count == 1 { number } else { self.min.min(number) };
        self.max = if self.count == 1 { number } else { self.max.max(number) };
    }

    fn deviation(&self) -> f64 {
        (self.squares / (self.count - 1) as f64).sqrt()
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
