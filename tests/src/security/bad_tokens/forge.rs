//! What a forger would dream of: the node's own keys, read from its vault, to sign whatever one likes.

use anyhow::{Context, ensure};
use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    signature::{
        KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
    },
};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use flowork_gateway::Permission;
use flowork_vault::{BackEnd, Vault, VaultChoice, VaultOptions};
use serde_json::Value;

use super::super::callers::Callers;

/// One sort of token: a sound one taken apart, and the key that signed it.
pub(super) struct Forge {
    /// `user`, `engine` or `admin`.
    pub(super) sort: &'static str,
    /// What stands before the token.
    pub(super) prefix: &'static str,
    /// As the node made it.
    pub(super) sound: String,
    pub(super) head: Value,
    pub(super) claims: Value,
    /// What the sound one may do.
    pub(super) passes: Permission,
    key: RsaKeyPair,
}

impl Forge {
    /// One for people, one for engines, one for admin tokens.
    pub(super) fn of_each_sort(callers: &Callers) -> anyhow::Result<Vec<Self>> {
        let home = callers.node.home();
        let vault = Vault::open(VaultOptions {
            data_dir: home.data_dir(),
            choice: VaultChoice::Only(BackEnd::File),
            key_dir: Some(home.path().join("keys")),
            ..VaultOptions::default()
        })?;
        Ok(vec![
            Self::new(&vault, ("user", ""), &callers.owner, Permission::SignedIn)?,
            Self::new(&vault, ("engine", ""), &callers.engine_access, Permission::EngineCall)?,
            Self::new(&vault, ("admin", "fla_"), &callers.admin, Permission::MembersWrite)?,
        ])
    }

    fn new(
        vault: &Vault,
        (sort, prefix): (&'static str, &'static str),
        sound: &str,
        passes: Permission,
    ) -> anyhow::Result<Self> {
        let parts: Vec<&str> = sound.strip_prefix(prefix).context("the prefix")?.split('.').collect();
        ensure!(parts.len() == 3, "{sort}: {} parts", parts.len());
        let read = |part: &str| -> anyhow::Result<Value> {
            Ok(serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part)?)?)
        };
        let (head, claims) = (read(parts[0])?, read(parts[1])?);
        let item = vault.get(&format!("jwt/{sort}"))?.with_context(|| format!("the vault's jwt/{sort}"))?;
        let keys: Vec<Value> = serde_json::from_slice(item.expose())?;
        let key = keys.iter().find(|key| key["kid"] == head["kid"]).context("the key of the token")?;
        let der = BASE64_STANDARD.decode(key["pkcs8"].as_str().context("pkcs8")?)?;
        let key = RsaKeyPair::from_pkcs8(&der).map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(Self { sort, prefix, sound: sound.to_owned(), head, claims, passes, key })
    }

    /// The three parts of the sound token, without the prefix.
    pub(super) fn parts(&self) -> [&str; 3] {
        let mut parts = self.sound[self.prefix.len()..].split('.');
        std::array::from_fn(|_| parts.next().expect("there are three"))
    }

    /// Signs as the node does.
    pub(super) fn signed(&self, head: &Value, claims: &Value) -> String {
        self.signed_text(&head.to_string(), &claims.to_string())
    }

    /// Signs JSON that no serializer would write.
    pub(super) fn signed_text(&self, head: &str, claims: &str) -> String {
        self.signed_by(self, &RSA_PKCS1_SHA256, head, claims)
    }

    /// Signs with another's key or in another way.
    pub(super) fn signed_by(&self, other: &Self, way: &'static dyn RsaEncoding, head: &str, claims: &str) -> String {
        let text = format!("{}.{}", encode(head), encode(claims));
        let mut signature = vec![0; other.key.public_modulus_len()];
        other.key.sign(way, &SystemRandom::new(), text.as_bytes(), &mut signature).expect("the key signs");
        format!("{}{text}.{}", self.prefix, encode(signature))
    }

    /// Signs in a way that RSA has besides the one that counts.
    pub(super) fn signed_as(&self, alg: &str, head: &Value) -> String {
        let way: &'static dyn RsaEncoding = match alg {
            "RS384" => &RSA_PKCS1_SHA384,
            "RS512" => &RSA_PKCS1_SHA512,
            _ => &RSA_PSS_SHA256,
        };
        self.signed_by(self, way, &head.to_string(), &self.claims.to_string())
    }

    /// Signs with a secret that everybody knows.
    pub(super) fn with_hmac(&self, way: hmac::Algorithm, secret: &[u8], head: &Value) -> String {
        let text = format!("{}.{}", encode(head.to_string()), encode(self.claims.to_string()));
        let tag = hmac::sign(&hmac::Key::new(way, secret), text.as_bytes());
        format!("{}{text}.{}", self.prefix, encode(tag))
    }

    /// What everybody can read of the key: DER, PEM, modulus.
    pub(super) fn public_forms(&self) -> [(&'static str, Vec<u8>); 3] {
        let document: PublicKeyX509Der<'_> = self.key.public_key().as_der().expect("a public key has this form");
        let der: &[u8] = (*document).as_ref();
        let lines: Vec<String> = BASE64_STANDARD.encode(der).as_bytes().chunks(64).map(text_of).collect();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
        let modulus = self.key.public_key().modulus().big_endian_without_leading_zero().to_vec();
        [("the public key as DER", der.to_vec()), ("the public key as PEM", pem.into_bytes()), ("the modulus", modulus)]
    }

    /// The public key as a token may carry one along.
    pub(super) fn web_key(&self) -> Value {
        let modulus = encode(self.key.public_key().modulus().big_endian_without_leading_zero());
        serde_json::json!({"kty": "RSA", "e": "AQAB", "n": modulus, "alg": "RS256", "use": "sig", "kid": self.head["kid"]})
    }

    /// The same sort with a key of the forger's own.
    pub(super) fn with_own_key(&self) -> Self {
        let key = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("a key can be made");
        Self { sound: self.sound.clone(), head: self.head.clone(), claims: self.claims.clone(), key, ..*self }
    }
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn text_of(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}
