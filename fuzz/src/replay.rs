//! Targets without a fuzzer: the kept seeds, and a bounded number of changes of them that are the same each time.

use std::{fs, panic, path::Path};

use crate::Target;

/// A random source that is the same everywhere and for ever.
///
/// Source: Marsaglia, "Xorshift RNGs".
struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// What was replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Seeds.
    pub seeds: usize,
    /// Changes of seeds.
    pub changes: usize,
}

/// Bytes that a target did not take.
#[derive(Debug)]
pub struct Find {
    /// The seed they were made from.
    pub seed: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Reads the seeds in a folder, in the order of their names.
///
/// # Errors
/// The folder can't be read.
pub fn seeds(folder: &Path) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut seeds = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        seeds.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?));
    }
    seeds.sort();
    Ok(seeds)
}

/// Gives the target every seed as it is, and then `changes` of them changed.
///
/// # Errors
/// The first bytes on which it panicked.
pub fn replay(target: &Target, seeds: &[(String, Vec<u8>)], changes: usize) -> Result<Replayed, Find> {
    let attempt = |seed: &str, bytes: &[u8]| {
        let result = panic::catch_unwind(|| (target.run)(bytes));
        result.map_err(|_| Find { seed: seed.to_owned(), bytes: bytes.to_vec() })
    };
    for (name, bytes) in seeds {
        attempt(name, bytes)?;
    }
    let mut random = Xorshift(0x9E37_79B9_7F4A_7C15);
    for _ in 0..changes {
        let (name, bytes) = &seeds[random.below(seeds.len())];
        let other = &seeds[random.below(seeds.len())].1;
        attempt(name, &changed(bytes, other, &mut random))?;
    }
    Ok(Replayed { seeds: seeds.len(), changes })
}

/// Changes bytes in the ways a fuzzer does, one to four times.
fn changed(bytes: &[u8], other: &[u8], random: &mut Xorshift) -> Vec<u8> {
    const WORDS: [&[u8]; 12] = [
        b"\0",
        b"\n",
        b"\r\n\r\n",
        b"\"",
        b"{",
        b"[",
        b"-1",
        b"18446744073709551615",
        b"1e999",
        b"%00",
        b"\xFF",
        b"..",
    ];
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = random.next() as u8,
            2 if !bytes.is_empty() => {
                let end = (at + 1 + random.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => bytes.truncate(at),
            4 => {
                let word = WORDS[random.below(WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            _ => {
                let from = random.below(other.len());
                let end = (from + 1 + random.below(32)).min(other.len());
                bytes.splice(at..at, other[from..end].iter().copied());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A parser with a fault of the usual kind: it believes a length.
    fn faulty(data: &[u8]) {
        if let [b'L', length, rest @ ..] = data {
            assert!(usize::from(*length) <= rest.len(), "the length is not the sender's to say");
        }
    }

    fn sound(data: &[u8]) {
        if let [b'L', length, rest @ ..] = data {
            let _ = rest.get(..usize::from(*length));
        }
    }

    #[test]
    fn a_faulty_parser_is_found_out_and_a_sound_one_is_not() {
        let seeds = [("a".to_owned(), b"L\x03abc".to_vec()), ("b".to_owned(), b"L\x00".to_vec())];
        let target = |run| Target { name: "x", about: "x", run };
        let find = replay(&target(faulty), &seeds, 1_000).expect_err("a thousand changes are enough for this one");
        assert!(find.bytes.starts_with(b"L"), "{find:?}");
        assert_eq!(replay(&target(sound), &seeds, 1_000).expect("it is sound"), Replayed { seeds: 2, changes: 1_000 });
        assert_eq!(replay(&target(faulty), &seeds, 0).expect("seeds alone are fine").changes, 0);
    }
}
