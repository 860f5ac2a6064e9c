//! The content of the encrypted file.
//!
//! Items as `name length, name, value length, value`, lengths as 32 bits: no escaping, hence no copies to erase.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::Secret;

/// Secrets by name.
pub(crate) type Items = BTreeMap<String, Secret>;

/// The items as bytes, in a buffer that never moves and has room for what encryption adds.
pub(super) fn encode(items: &Items, spare: usize) -> Zeroizing<Vec<u8>> {
    let length: usize = items.iter().map(|(name, secret)| 8 + name.len() + secret.expose().len()).sum();
    let mut plain = Zeroizing::new(Vec::with_capacity(length + spare));
    for (name, secret) in items {
        for part in [name.as_bytes(), secret.expose()] {
            plain.extend_from_slice(&(part.len() as u32).to_le_bytes());
            plain.extend_from_slice(part);
        }
    }
    plain
}

/// Reads what [`encode`] wrote; nothing for anything else.
pub(crate) fn decode(mut plain: &[u8]) -> Option<Items> {
    let mut items = Items::new();
    while !plain.is_empty() {
        let name = str::from_utf8(part(&mut plain)?).ok()?.to_owned();
        items.insert(name, Secret::new(part(&mut plain)?.to_vec()));
    }
    Some(items)
}

fn part<'a>(plain: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = plain.split_first_chunk::<4>()?;
    let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *plain = rest;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_back_and_a_cut_list_is_none() {
        let mut items = Items::new();
        items.insert("a".to_owned(), Secret::new(vec![1, 2]));
        items.insert("b/c".to_owned(), Secret::new(Vec::new()));
        let plain = encode(&items, 16);
        assert!(plain.capacity() >= plain.len() + 16, "sealing moves nothing");
        assert_eq!(decode(&plain).unwrap(), items);
        assert_eq!(decode(&plain[..plain.len() - 1]), None);
        assert_eq!(decode(&[255; 8]), None, "a length past the end");
    }
}
