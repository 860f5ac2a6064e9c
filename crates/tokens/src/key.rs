//! One RSA key.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use flowork_api_types::admin::TokenSet;
use jsonwebtoken::DecodingKey;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// Bytes that are not an RSA key in PKCS#8 form.
#[derive(Debug, thiserror::Error)]
#[error("the signing key is not an RSA key of 2048 to 8192 bits in PKCS#8 DER form")]
pub struct InvalidKeyError;

/// Characters of a key's name.
const ID_CHARS: usize = 16;

/// The key that signed a token. Whoever acts on the token for long asks again whether it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedBy {
    pub(crate) set: TokenSet,
    pub(crate) key: [u8; ID_CHARS],
}

/// A key that signs and checks.
pub(crate) struct Key {
    signing: RsaKeyPair,
    pub(crate) checking: DecodingKey,
    /// The start of the hash of the public half.
    pub(crate) id: String,
    modulus: String,
    exponent: String,
}

impl Key {
    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, InvalidKeyError> {
        let signing = RsaKeyPair::from_pkcs8(der).map_err(|_| InvalidKeyError)?;
        let public = signing.public_key();
        let modulus = public.modulus().big_endian_without_leading_zero().to_vec();
        let exponent = public.exponent().big_endian_without_leading_zero().to_vec();
        let document: PublicKeyX509Der<'_> = public.as_der().map_err(|_| InvalidKeyError)?;
        let id = blake3::hash(document.as_ref()).to_hex()[..ID_CHARS].to_owned();
        Ok(Self {
            checking: DecodingKey::from_rsa_raw_components(&modulus, &exponent),
            id,
            modulus: BASE64_URL_SAFE_NO_PAD.encode(modulus),
            exponent: BASE64_URL_SAFE_NO_PAD.encode(exponent),
            signing,
        })
    }

    /// Makes a new key with 2048 bits and gives its PKCS#8 form. Takes some tens of milliseconds.
    pub(crate) fn generate() -> Result<Zeroizing<Vec<u8>>, InvalidKeyError> {
        let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).map_err(|_| InvalidKeyError)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| InvalidKeyError)?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    /// Puts a token together and signs it (RFC 7515, section 7.1).
    pub(crate) fn sign(&self, token_type: &str, claims: &impl serde::Serialize) -> String {
        let head = json!({"alg": "RS256", "typ": token_type, "kid": self.id}).to_string();
        let claims = serde_json::to_string(claims).expect("claims are plain data");
        let mut token = format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(head), BASE64_URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.signing.public_modulus_len()];
        self.signing
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .expect("a key that was parsed signs");
        token.push('.');
        token.push_str(&BASE64_URL_SAFE_NO_PAD.encode(signature));
        token
    }

    /// What its tokens remember of it.
    pub(crate) fn signs(&self, set: TokenSet) -> SignedBy {
        let mut key = [0; ID_CHARS];
        key.copy_from_slice(self.id.as_bytes());
        SignedBy { set, key }
    }

    /// The public half as a JSON Web Key (RFC 7517).
    pub(crate) fn web_key(&self) -> Value {
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id, "n": self.modulus, "e": self.exponent,
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}
