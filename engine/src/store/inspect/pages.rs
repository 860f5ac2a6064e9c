//! A database file as pages, with what its write-ahead log has on top, read without SQLite.
//!
//! Source: sqlite.org/fileformat2.html.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use super::beside;

/// What SQLite makes unless it is told otherwise; ours are made so.
const PAGE_BYTES_DEFAULT: usize = 4_096;
const WAL_HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// SQLite keeps locks in the page that holds this byte, and nothing else.
const PENDING_BYTE: u64 = 0x4000_0000;

/// Pages by number, counted from 1.
pub(super) struct Pages {
    file: RefCell<File>,
    wal: Option<RefCell<File>>,
    page_bytes: usize,
    /// Bytes at the end of each page that are not SQLite's.
    reserved: usize,
    count: u32,
    /// Where in the log the newest version of a page is.
    newer: HashMap<u32, u64>,
    /// The log goes on after a frame whose checksum is wrong.
    pub(super) wal_cut_short: bool,
}

/// What the pointer map says of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Holds nothing.
    Free,
    /// Holds the end of a long row.
    Overflow,
    /// Part of a tree, or unknown.
    Tree,
}

impl Pages {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut header = [0; 100];
        let read = read_up_to(&mut file, &mut header)?;
        let wal = match File::open(beside(path, "-wal")) {
            Ok(wal) => Some(wal),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let stated = usize::from(u16::from_be_bytes([header[16], header[17]]));
        let stated = if stated == 1 { 65_536 } else { stated };
        let sound = read == header.len() && header.starts_with(b"SQLite format 3\0");
        let page_bytes = if sound && is_page_size(stated) { stated } else { PAGE_BYTES_DEFAULT };
        let reserved = if sound { usize::from(header[20]) } else { 0 };
        let count = file.metadata()?.len() / page_bytes as u64;
        let mut pages = Self {
            file: RefCell::new(file),
            wal: None,
            page_bytes,
            reserved,
            count: u32::try_from(count).unwrap_or(u32::MAX),
            newer: HashMap::new(),
            wal_cut_short: false,
        };
        if let Some(mut wal) = wal {
            pages.read_wal(&mut wal)?;
            pages.wal = Some(RefCell::new(wal));
        }
        Ok(pages)
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of a page that SQLite uses.
    pub(super) fn usable(&self) -> usize {
        self.page_bytes - self.reserved
    }

    /// The newest version of a page; `None` if it cannot be read.
    pub(super) fn page(&self, number: u32) -> Option<Vec<u8>> {
        let mut page = vec![0; self.page_bytes];
        let (file, at) = match (self.newer.get(&number), &self.wal) {
            (Some(&at), Some(wal)) => (wal, at),
            _ => (&self.file, u64::from(number.checked_sub(1)?) * self.page_bytes as u64),
        };
        let mut file = file.borrow_mut();
        file.seek(SeekFrom::Start(at)).ok()?;
        file.read_exact(&mut page).ok()?;
        Some(page)
    }

    /// Takes note of every frame up to the last commit, as SQLite does when it recovers.
    fn read_wal(&mut self, wal: &mut File) -> io::Result<()> {
        let mut header = [0; WAL_HEADER_BYTES];
        if read_up_to(wal, &mut header)? < WAL_HEADER_BYTES {
            return Ok(());
        }
        let magic = word(&header, 0);
        if magic & !1 != 0x377f_0682 || word(&header, 8) as usize != self.page_bytes {
            self.wal_cut_short = true;
            return Ok(());
        }
        let big_endian = magic & 1 == 1;
        let mut sum = checksum((0, 0), &header[..24], big_endian);
        if sum != (word(&header, 24), word(&header, 28)) {
            self.wal_cut_short = true;
            return Ok(());
        }
        let mut frame = vec![0; FRAME_HEADER_BYTES + self.page_bytes];
        let mut open = HashMap::new();
        let mut at = WAL_HEADER_BYTES as u64;
        while read_up_to(wal, &mut frame)? == frame.len() && frame[8..16] == header[16..24] {
            sum = checksum(sum, &frame[..8], big_endian);
            sum = checksum(sum, &frame[FRAME_HEADER_BYTES..], big_endian);
            if sum != (word(&frame, 16), word(&frame, 20)) {
                self.wal_cut_short = true;
                break;
            }
            open.insert(word(&frame, 0), at + FRAME_HEADER_BYTES as u64);
            let pages_after = word(&frame, 4);
            if pages_after != 0 {
                self.newer.extend(open.drain());
                self.count = self.count.max(pages_after);
            }
            at += frame.len() as u64;
        }
        Ok(())
    }

    /// Pages on the free list, as far as it can be followed.
    pub(super) fn free(&self) -> HashSet<u32> {
        let mut free = HashSet::new();
        let Some(first) = self.page(1).map(|header| word(&header, 32)) else { return free };
        let mut trunk = first;
        while trunk != 0 && trunk <= self.count && free.insert(trunk) {
            let Some(page) = self.page(trunk) else { break };
            let leaves = (word(&page, 4) as usize).min(self.usable() / 4 - 2);
            free.extend((0..leaves).map(|index| word(&page, 8 + 4 * index)));
            trunk = word(&page, 0);
        }
        free
    }

    /// What the pointer map says of a page.
    pub(super) fn use_of(&self, number: u32) -> Use {
        let map = self.map_of(number);
        if map == number || u64::from(number - 1) == PENDING_BYTE / self.page_bytes as u64 {
            return Use::Free;
        }
        let Some(page) = self.page(map) else { return Use::Tree };
        match page.get(5 * (number - map - 1) as usize) {
            Some(2) => Use::Free,
            Some(3 | 4) => Use::Overflow,
            _ => Use::Tree,
        }
    }

    fn map_of(&self, number: u32) -> u32 {
        let covered = (self.usable() / 5) as u32 + 1;
        let map = (number - 2) / covered * covered + 2;
        map + u32::from(u64::from(map - 1) == PENDING_BYTE / self.page_bytes as u64)
    }
}

fn is_page_size(bytes: usize) -> bool {
    bytes.is_power_of_two() && (512..=65_536).contains(&bytes)
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read(&mut buffer[read..])? {
            0 => break,
            bytes => read += bytes,
        }
    }
    Ok(read)
}

/// Four bytes as SQLite writes numbers.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    if let Some(found) = bytes.get(at..at + 4) {
        word.copy_from_slice(found);
    }
    u32::from_be_bytes(word)
}

fn checksum((mut a, mut b): (u32, u32), bytes: &[u8], big_endian: bool) -> (u32, u32) {
    for pair in bytes.chunks_exact(8) {
        let [x, y] = [word(pair, 0), word(pair, 4)].map(|word| if big_endian { word } else { word.swap_bytes() });
        a = a.wrapping_add(x).wrapping_add(b);
        b = b.wrapping_add(y).wrapping_add(a);
    }
    (a, b)
}
