//! Keys that are made here, because their private half is born for the vault.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};

use crate::Secret;

/// The machine gave no key.
#[derive(Debug, thiserror::Error)]
#[error("the cryptographic library could not make an RSA key")]
pub struct KeyError;

/// Makes the key that signs users' access tokens: RSA with 2048 bits, as PKCS#8 DER.
///
/// # Errors
/// The library has no randomness or refuses for reasons it does not tell.
pub fn generate_user_key() -> Result<Secret, KeyError> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError)?;
    Ok(Secret::new(der.as_ref().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_key_is_read_back_from_its_der_as_2048_bits() {
        let key = generate_user_key().unwrap();
        let pair = KeyPair::from_pkcs8(key.expose()).unwrap();
        assert_eq!(pair.public_modulus_len(), 256);
    }
}
