//! What goes wrong about members, keys and rights.

use flowork_control::{KindGrantError, MemberError};
use flowork_tokens::RotateError;
use http::StatusCode;

use super::{ApiError, RETRY_STORAGE};

impl From<MemberError> for ApiError {
    fn from(error: MemberError) -> Self {
        let message = error.to_string();
        match error {
            MemberError::Unknown { .. } => {
                Self::new(StatusCode::NOT_FOUND, "MEMBER_NOT_FOUND", message).hint("GET /v1/members lists the members")
            }
            MemberError::InvalidName => Self::field("/name", message),
            MemberError::NameTaken { .. } => {
                Self::new(StatusCode::CONFLICT, "MEMBER_NAME_TAKEN", message).hint("pick another name")
            }
            MemberError::InvalidRole { .. } => Self::field("/role", message),
            MemberError::OwnerStays => Self::new(StatusCode::CONFLICT, "OWNER_STAYS", message)
                .hint("the owner can be renamed and can have more keys; nothing else of theirs changes"),
            MemberError::TooMany => Self::new(StatusCode::CONFLICT, "MEMBERS_FULL", message)
                .hint("remove members who are not here any more"),
            MemberError::AddressTaken { .. } => Self::new(StatusCode::CONFLICT, "ADDRESS_TAKEN", message)
                .hint("one address belongs to one member; take it from that member first"),
            MemberError::TooManyKeys => {
                Self::new(StatusCode::CONFLICT, "KEYS_FULL", message).hint("remove keys that are not used any more")
            }
            MemberError::UnknownKey { .. } => Self::new(StatusCode::NOT_FOUND, "KEY_NOT_FOUND", message)
                .hint("GET /v1/members/{subject} lists a member's keys"),
            MemberError::Store(error) => error.into(),
        }
    }
}

impl From<KindGrantError> for ApiError {
    fn from(error: KindGrantError) -> Self {
        let message = error.to_string();
        match error {
            KindGrantError::TooMany => Self::new(StatusCode::CONFLICT, "KIND_ROLES_FULL", message)
                .hint("leave some kinds to what they ask for: PUT with roles null"),
            KindGrantError::Store(error) => error.into(),
        }
    }
}

impl From<RotateError> for ApiError {
    fn from(error: RotateError) -> Self {
        match error {
            RotateError::Make(_) => Self::internal(error),
            RotateError::Store(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "VAULT_FAILING",
                "the node's vault can't keep the new key; the keys are as they were",
            )
            .hint("unlock the keychain of the node's machine, or look at what the node's log says about the vault")
            .retry_after(RETRY_STORAGE)
            .source(error),
        }
    }
}
