//! Trees and the rows in them, from pages. What does not parse is skipped and told.
//!
//! Source: sqlite.org/fileformat2.html, sections 1.6 and 2.1.

use std::collections::HashSet;

use rusqlite::types::Value;

use super::pages::{Pages, word};

/// Pages of one row's end; more than the longest value that is ever stored has.
const OVERFLOW_PAGES_MAX: usize = 1 << 16;
/// Columns of the widest table, with room for those of later versions.
const COLUMNS_MAX: usize = 256;

/// A row: its row id, where the table has one, and its columns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    pub(super) row_id: Option<i64>,
    pub(super) columns: Vec<Value>,
}

/// What is on one page of a tree.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) is_leaf: bool,
    /// Rows carry a row id.
    pub(super) is_table: bool,
    pub(super) records: Vec<Record>,
    /// Rows that are there and cannot be read.
    pub(super) broken: u64,
    pub(super) children: Vec<u32>,
}

/// What a walk through a tree found.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Pages that should hold a part of the tree and don't.
    pub(super) broken_pages: Vec<u32>,
    pub(super) broken_rows: u64,
}

/// Visits every row below `root`, marking pages as `seen`.
pub(super) fn walk(pages: &Pages, root: u32, seen: &mut HashSet<u32>, mut visit: impl FnMut(Record)) -> Walk {
    let mut walk = Walk::default();
    let mut kind = None;
    let mut next = vec![root];
    while let Some(number) = next.pop() {
        if number == 0 || number > pages.count() || !seen.insert(number) {
            walk.broken_pages.push(number);
            continue;
        }
        // A page of another kind of tree is there by mistake.
        let node = read(pages, number).filter(|node| *kind.get_or_insert(node.is_table) == node.is_table);
        let Some(node) = node else {
            seen.remove(&number);
            walk.broken_pages.push(number);
            continue;
        };
        walk.broken_rows += node.broken;
        next.extend(node.children.iter().rev());
        if node.is_leaf || !node.is_table {
            node.records.into_iter().for_each(&mut visit);
        }
    }
    walk
}

/// Reads a page as part of a tree; `None` if it is none.
pub(super) fn read(pages: &Pages, number: u32) -> Option<Node> {
    let page = pages.page(number)?;
    let start = if number == 1 { 100 } else { 0 };
    let (is_leaf, is_table) = match page.get(start)? {
        0x0d => (true, true),
        0x05 => (false, true),
        0x0a => (true, false),
        0x02 => (false, false),
        _ => return None,
    };
    let cells = usize::from(u16::from_be_bytes([page[start + 3], page[start + 4]]));
    let pointers = start + if is_leaf { 8 } else { 12 };
    if pointers + 2 * cells > pages.usable() {
        return None;
    }
    let mut node = Node { is_leaf, is_table, ..Node::default() };
    for index in 0..cells {
        let at = pointers + 2 * index;
        let mut cell = usize::from(u16::from_be_bytes([page[at], page[at + 1]]));
        if cell < pointers + 2 * cells || cell >= pages.usable() {
            node.broken += 1;
            continue;
        }
        if !is_leaf {
            node.children.push(word(&page, cell));
            cell += 4;
        }
        if is_leaf || !is_table {
            match record(pages, &page, cell, is_table) {
                Some(record) => node.records.push(record),
                None => node.broken += 1,
            }
        }
    }
    if !is_leaf {
        node.children.push(word(&page, start + 8));
    }
    Some(node)
}

fn record(pages: &Pages, page: &[u8], mut at: usize, is_table: bool) -> Option<Record> {
    let bytes = usize::try_from(varint(page, &mut at)?).ok()?;
    let row_id = if is_table { Some(varint(page, &mut at)? as i64) } else { None };
    let usable = pages.usable();
    let least = (usable - 12) * 32 / 255 - 23;
    let most = if is_table { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
    if bytes <= most {
        return decode(page.get(at..at + bytes)?).map(|columns| Record { row_id, columns });
    }
    let fitting = least + (bytes - least) % (usable - 4);
    let local = if fitting <= most { fitting } else { least };
    let mut payload = page.get(at..at + local)?.to_vec();
    let mut next = word(page.get(..at + local + 4)?, at + local);
    for _ in 0..OVERFLOW_PAGES_MAX {
        if payload.len() == bytes {
            break;
        }
        if next == 0 || next > pages.count() {
            return None;
        }
        let overflow = pages.page(next)?;
        let rest = (bytes - payload.len()).min(usable - 4);
        payload.extend_from_slice(&overflow[4..4 + rest]);
        next = word(&overflow, 0);
    }
    (payload.len() == bytes).then(|| decode(&payload))?.map(|columns| Record { row_id, columns })
}

fn decode(payload: &[u8]) -> Option<Vec<Value>> {
    let mut at = 0;
    let header = usize::try_from(varint(payload, &mut at)?).ok()?;
    let mut body = header;
    let mut columns = Vec::new();
    while at < header {
        let kind = varint(payload, &mut at)?;
        columns.push(value(payload, kind, &mut body)?);
        if columns.len() > COLUMNS_MAX {
            return None;
        }
    }
    (at == header && body == payload.len()).then_some(columns)
}

fn value(payload: &[u8], kind: u64, at: &mut usize) -> Option<Value> {
    let bytes = match kind {
        0 | 8 | 9 => 0,
        1..=4 => kind as usize,
        5 => 6,
        6 | 7 => 8,
        10 | 11 => return None,
        _ => usize::try_from((kind - 12) / 2).ok()?,
    };
    let raw = payload.get(*at..at.checked_add(bytes)?)?;
    *at += bytes;
    Some(match kind {
        0 => Value::Null,
        8 => Value::Integer(0),
        9 => Value::Integer(1),
        1..=6 => Value::Integer(integer(raw)),
        7 => Value::Real(f64::from_be_bytes(raw.try_into().ok()?)),
        _ if kind.is_multiple_of(2) => Value::Blob(raw.to_vec()),
        // A letter that is broken costs the letter, not the row.
        _ => Value::Text(String::from_utf8_lossy(raw).into_owned()),
    })
}

/// A number in as few bytes as it needs, with its sign.
fn integer(raw: &[u8]) -> i64 {
    let sign = if raw.first().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
    raw.iter().fold(sign, |number, &byte| number << 8 | i64::from(byte))
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0_u64;
    for index in 0..9 {
        let byte = *bytes.get(*at)?;
        *at += 1;
        if index == 8 {
            return Some(number << 8 | u64::from(byte));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width_are_read() {
        assert_eq!(integer(&[0xff]), -1);
        assert_eq!(integer(&[0x01, 0x00, 0x00]), 65_536);
        assert_eq!(integer(&i64::MIN.to_be_bytes()), i64::MIN);
        assert_eq!(varint(&[0x81, 0x00], &mut 0), Some(128));
        assert_eq!(varint(&[0xff; 9], &mut 0), Some(u64::MAX));
        assert_eq!(varint(&[0xff; 8], &mut 0), None);
    }

    #[test]
    fn bytes_that_are_no_row_give_none() {
        for bytes in [&[][..], &[0x05], &[0x02, 0x0a], &[0x02, 0x06, 1], &[0x02, 0x01, 1, 2]] {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
        assert_eq!(decode(&[0x03, 0x01, 0x0f, 7, b'a']), Some(vec![Value::Integer(7), Value::Text("a".to_owned())]));
    }
}
