//! Addresses in the mixed case of EIP-55, whose capitals are a checksum.

use ethers_core::utils::keccak256;
use flowork_api_types::member::KeyAddress;

/// Why text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not `0x` and 40 hexadecimal digits.
    #[error("an address is 0x and 40 hexadecimal digits")]
    Form,
    /// Capitals and small letters, and not those of the checksum.
    #[error("the capitals of this address do not fit its digits, so it was mistyped")]
    Checksum,
}

/// The address as people and wallets write it (EIP-55).
pub fn checksummed(address: KeyAddress) -> String {
    let plain = address.to_string();
    let digits = &plain[2..];
    let hash = keccak256(digits);
    let mixed = digits.char_indices().map(|(index, digit)| {
        let nibble = hash[index / 2] >> (if index % 2 == 0 { 4 } else { 0 }) & 0xf;
        if nibble >= 8 { digit.to_ascii_uppercase() } else { digit }
    });
    "0x".chars().chain(mixed).collect()
}

/// Reads an address that a person or a program wrote. Digits in one case carry no checksum; mixed ones must fit it.
///
/// # Errors
/// See [`AddressError`].
pub fn parse_address(text: &str) -> Result<KeyAddress, AddressError> {
    let address: KeyAddress = text.parse().map_err(|_| AddressError::Form)?;
    let digits = &text[2..];
    let one_case = !digits.contains(|digit: char| digit.is_ascii_uppercase())
        || !digits.contains(|digit: char| digit.is_ascii_lowercase());
    if one_case || checksummed(address) == text { Ok(address) } else { Err(AddressError::Checksum) }
}

/// Reads an address that must be in the form of EIP-55, as it is in a message to sign.
pub(crate) fn parse_checksummed(text: &str) -> Result<KeyAddress, AddressError> {
    let address: KeyAddress = text.parse().map_err(|_| AddressError::Form)?;
    if checksummed(address) == text { Ok(address) } else { Err(AddressError::Checksum) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_eip_55_have_their_capitals() {
        for text in [
            "0x52908400098527886E0F7030069857D2E4169EE7",
            "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
            "0xde709f2102306220921060314715629080e2fb77",
            "0x27b1fdb04752bbc536007a920d24acb045561c26",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            let address = parse_address(text).unwrap();
            assert_eq!(checksummed(address), text);
            assert_eq!(parse_checksummed(text).unwrap(), address);
            assert_eq!(parse_address(&text.to_ascii_lowercase()).unwrap(), address);
        }
    }

    #[test]
    fn one_wrong_capital_is_noticed() {
        let wrong = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD";
        assert_eq!(parse_address(wrong), Err(AddressError::Checksum));
        assert_eq!(parse_checksummed(&wrong.to_ascii_lowercase()), Err(AddressError::Checksum));
        assert_eq!(parse_address("0x5aAe"), Err(AddressError::Form));
        assert_eq!(parse_address(&wrong[2..]), Err(AddressError::Form));
    }
}
