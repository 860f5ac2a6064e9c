//! Bytes that must not be seen.

use std::fmt;

use aws_lc_rs::constant_time;
use zeroize::Zeroizing;

/// A secret: erased from memory when dropped, compared in constant time, and never printed.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes. Whoever asks must not log them, nor put them in an error or an argument.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, where they are that.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_does_not_show_the_bytes() {
        let secret = Secret::new(b"hunter2".to_vec());
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "[redacted] Some([redacted])");
    }

    #[test]
    fn secrets_are_equal_only_where_every_byte_is() {
        let secret = |bytes: &[u8]| Secret::new(bytes.to_vec());
        assert_eq!(secret(b"hunter2"), secret(b"hunter2"));
        assert_ne!(secret(b"hunter2"), secret(b"hunter3"));
        assert_ne!(secret(b"hunter2"), secret(b"hunter"));
    }
}
