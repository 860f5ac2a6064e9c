//! Readers of the gateway at which no request of ours arrives: sockets that are open, and the edge in front of a tunnel.

use std::sync::OnceLock;

use flowork_api_types::Timestamp;
use flowork_gateway::fuzzing::{Assertions, hear};
use flowork_tokens::TokenKeys;

use super::{http::base64url, keys::Nowhere};
use crate::node::runtime;

/// 2026-03-29T00:00:00Z
const NOW: Timestamp = Timestamp(1_774_742_400_000);
/// What the edge's word is for.
const AUDIENCE: &str = "fuzz";
/// More keys than a team has are not taken.
const KEYS_MAX: usize = 32;

/// After an even byte the bytes of a connection; after an odd one texts, one a line, each in a frame of its own.
pub(super) fn socket(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let (bytes, lines) = match kind % 2 {
        0 => (rest.to_vec(), None),
        _ => {
            let lines: Vec<_> = rest.split(|byte| *byte == b'\n').collect();
            (lines.iter().flat_map(|line| frame(line)).collect(), Some(lines.len()))
        }
    };
    let taken = runtime().block_on(hear(&bytes));
    // Frames that are sound are all heard, unless one is no text or too long.
    if let (Some(lines), None) = (lines, taken.fault) {
        assert_eq!(taken.understood + taken.others, lines, "{taken:?}");
    }
    let told = taken.fault.is_none_or(|code| matches!(code, 1_002 | 1_007 | 1_009));
    assert!(told, "{taken:?}");
}

/// A frame of text, as a client sends it.
fn frame(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u16::try_from(text.len()) {
        Ok(length @ 0..0x7e) => frame.push(0x80 | length as u8),
        Ok(length) => {
            frame.push(0x80 | 0x7e);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 0x7f);
            frame.extend((text.len() as u64).to_be_bytes());
        }
    }
    // A mask of zeros changes nothing.
    frame.extend([0; 4]);
    frame.extend(text);
    frame
}

/// The first byte says what follows: the answer of a team with its keys, an assertion as text, two of them on two lines,
/// or the three parts of one on three lines, where `KID` stands for the id of a key that the team has.
pub(super) fn assertion(data: &[u8]) {
    static TEAM: OnceLock<(Assertions, String)> = OnceLock::new();
    let (team, kid) = TEAM.get_or_init(|| {
        let keys = TokenKeys::open(Nowhere, NOW).expect("a key can be made");
        let team = Assertions::new(AUDIENCE);
        let known = runtime().block_on(team.know(keys.key_set().to_string().as_bytes()));
        assert_eq!(known, Some(1), "its one key can be used");
        (team, keys.list()[0].kid.clone())
    });
    let Some((kind, rest)) = data.split_first() else { return };
    let assertions: Vec<Vec<u8>> = match kind % 4 {
        0 => {
            let known = runtime().block_on(Assertions::new(AUDIENCE).know(rest));
            assert!(known.is_none_or(|count| (1..=KEYS_MAX).contains(&count)), "{known:?}");
            return;
        }
        1 => vec![rest.to_vec()],
        2 => rest.splitn(2, |byte| *byte == b'\n').map(<[u8]>::to_vec).collect(),
        _ => {
            let mut parts = rest.splitn(3, |byte| *byte == b'\n');
            let head = String::from_utf8_lossy(parts.next().unwrap_or_default()).replace("KID", kid);
            let text = parts.fold(base64url(head), |text, part| text + "." + &base64url(part));
            vec![text.into_bytes()]
        }
    };
    let assertions: Vec<_> = assertions.iter().map(Vec::as_slice).collect();
    assert!(!runtime().block_on(team.lets_in(&assertions)), "nobody signed this");
}
