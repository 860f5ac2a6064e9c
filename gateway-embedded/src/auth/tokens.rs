//! Access tokens of people: RS256, signed and checked with the node's own key.
//!
//! The algorithm and the key come from here, never from the token. Engines have tokens of another form
//! (`flowork_control`), so one can't be taken for the other.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use flowork_api_types::{SessionId, Timestamp, auth::Role};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Who makes the tokens.
const ISSUER: &str = "flowork";
/// Whom they are for. Engines and administrators get audiences of their own.
const AUDIENCE: &str = "flowork-user";
/// RFC 9068. Tokens of another type, though signed with this key, are refused.
const TOKEN_TYPE: &str = "at+jwt";
/// How far two clocks may differ.
const LEEWAY_S: u64 = 5;
/// Longer text is not a token of ours, and not worth a look.
const TOKEN_BYTES_MAX: usize = 4 << 10;
/// How long an access token lives.
pub(crate) const ACCESS_TTL: Duration = Duration::from_mins(15);

/// The key that signs and checks access tokens. Cheap to clone.
#[derive(Clone)]
pub struct TokenKeys(Arc<Keys>);

struct Keys {
    signing: RsaKeyPair,
    checking: DecodingKey,
    validation: Validation,
    key_id: String,
    modulus: String,
    exponent: String,
}

/// Text that is not an RSA key in PKCS#8 form.
#[derive(Debug, thiserror::Error)]
#[error("the signing key is not an RSA key of 2048 to 8192 bits in PKCS#8 DER form")]
pub struct InvalidKeyError;

/// What a valid token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) sub: String,
    pub(crate) exp: u64,
    pub(crate) iat: u64,
    pub(crate) jti: String,
    pub(crate) role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<SessionId>,
}

/// Why a token is refused. The words are for its holder and say nothing about the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the access token has expired")]
    Expired,
    #[error("the access token is not valid here")]
    Invalid,
}

impl TokenKeys {
    /// Takes the node's RSA key.
    ///
    /// # Errors
    /// It is not an RSA key in PKCS#8 DER form.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, InvalidKeyError> {
        let signing = RsaKeyPair::from_pkcs8(der).map_err(|_| InvalidKeyError)?;
        let public = signing.public_key();
        let modulus = public.modulus().big_endian_without_leading_zero().to_vec();
        let exponent = public.exponent().big_endian_without_leading_zero().to_vec();
        let document: PublicKeyX509Der<'_> = public.as_der().map_err(|_| InvalidKeyError)?;
        let key_id = blake3::hash(document.as_ref()).to_hex()[..16].to_owned();
        Ok(Self(Arc::new(Keys {
            checking: DecodingKey::from_rsa_raw_components(&modulus, &exponent),
            validation: validation(),
            key_id,
            modulus: BASE64_URL_SAFE_NO_PAD.encode(modulus),
            exponent: BASE64_URL_SAFE_NO_PAD.encode(exponent),
            signing,
        })))
    }

    /// Makes a token for the `Authorization: Bearer` header. Without a session it is valid until `ttl` is over.
    pub fn sign_access(&self, subject: &str, role: Role, session_id: Option<SessionId>, ttl: Duration) -> String {
        self.sign_access_at(subject, role, session_id, ttl, flowork_engine::clock::wall_now()).0
    }

    /// As [`sign_access`](Self::sign_access), at a given time; also says when the token ends.
    pub(crate) fn sign_access_at(
        &self,
        subject: &str,
        role: Role,
        session_id: Option<SessionId>,
        ttl: Duration,
        now: Timestamp,
    ) -> (String, Timestamp) {
        let iat = now.as_millis().max(0) as u64 / 1_000;
        let exp = iat + ttl.as_secs();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: subject.to_owned(),
            exp,
            iat,
            jti: crate::edge::scope::random_hex::<16>(),
            role,
            sid: session_id,
        };
        let claims = serde_json::to_value(claims).expect("claims are plain data");
        (
            self.sign(&json!({"alg": "RS256", "typ": TOKEN_TYPE, "kid": self.0.key_id}), &claims),
            Timestamp(exp as i64 * 1_000),
        )
    }

    /// Puts a token together and signs it (RFC 7515, section 7.1).
    fn sign(&self, header: &Value, claims: &Value) -> String {
        let mut token = format!("{}.{}", encode(header), encode(claims));
        let mut signature = vec![0; self.0.signing.public_modulus_len()];
        self.0
            .signing
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .expect("a key that was parsed signs");
        token.push('.');
        token.push_str(&BASE64_URL_SAFE_NO_PAD.encode(signature));
        token
    }

    pub(crate) fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let data =
            jsonwebtoken::decode::<Claims>(token, &self.0.checking, &self.0.validation).map_err(|error| match error
                .kind()
            {
                jsonwebtoken::errors::ErrorKind::ExpiredSignature => TokenError::Expired,
                _ => TokenError::Invalid,
            })?;
        let ours = data.header.kid.as_deref() == Some(&self.0.key_id)
            && data.header.typ.as_deref() == Some(TOKEN_TYPE)
            && !data.claims.sub.is_empty()
            && !data.claims.jti.is_empty();
        if ours { Ok(data.claims) } else { Err(TokenError::Invalid) }
    }

    /// The public half as a JSON Web Key Set (RFC 7517).
    pub(crate) fn key_set(&self) -> Value {
        json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256",
            "kid": self.0.key_id, "n": self.0.modulus, "e": self.0.exponent,
        }]})
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKeys({})", self.0.key_id)
    }
}

fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.validate_nbf = true;
    validation.leeway = LEEWAY_S;
    validation
}

fn encode(part: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(part.to_string())
}
