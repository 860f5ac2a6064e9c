//! The check of the edge's word without an edge, for fuzz targets and for nothing else.

use http::{HeaderMap, HeaderValue};

use super::{ASSERTION, Access};
use crate::options::AccessOptions;

/// A node's view of a team whose keys it has just fetched.
pub struct Assertions(Access);

impl Assertions {
    /// Knows no keys yet, and where none are.
    ///
    /// # Panics
    /// Never: the address is a team's.
    pub fn new(audience: &str) -> Self {
        let options = AccessOptions { team_domain: "http://127.0.0.1:9".to_owned(), audience: audience.to_owned() };
        Self(Access::new(&options).expect("an address of this machine"))
    }

    /// Takes an answer of the team in place of the one before; how many keys of it can be used, if it is one.
    pub async fn know(&self, answer: &[u8]) -> Option<usize> {
        self.0.keys.know(answer).await
    }

    /// Whether a request with these headers passes.
    pub async fn lets_in(&self, assertions: &[&[u8]]) -> bool {
        let mut headers = HeaderMap::new();
        for assertion in assertions {
            // What is no header gets no further than the server.
            let Ok(value) = HeaderValue::from_bytes(assertion) else { return false };
            headers.append(ASSERTION, value);
        }
        self.0.verify(&headers).await.is_ok()
    }
}
