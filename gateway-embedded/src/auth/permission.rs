//! What a route asks for, and who has it. Every route declares exactly one permission, in `router.rs`.

use flowork_api_types::auth::Role;

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Nothing; credentials are not even looked at.
    Public,
    /// A person, whatever their role.
    SignedIn,
    /// Seeing the node and jobs. A member sees their own jobs only; the engine's queries see to that.
    Read,
    /// Enqueuing, cancelling and requeuing jobs.
    JobsWrite,
    /// Deciding about the work of all: queues, limits, drain.
    Operate,
    /// An engine's own calls about its own jobs.
    EngineCall,
    /// What changes who may do what.
    OwnerOnly,
}

/// How a caller stands, as far as permissions care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// No credentials.
    Nobody,
    /// A person with a role.
    Person(Role),
    /// An engine.
    Engine,
}

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 7] =
        [Self::Public, Self::SignedIn, Self::Read, Self::JobsWrite, Self::Operate, Self::EngineCall, Self::OwnerOnly];

    /// Whether a caller of this standing may pass.
    pub const fn allows(self, standing: Standing) -> bool {
        match (self, standing) {
            (Self::Public, _)
            | (Self::SignedIn | Self::Read, Standing::Person(_))
            | (Self::JobsWrite, Standing::Person(Role::Owner | Role::Operator | Role::Member))
            | (Self::Operate, Standing::Person(Role::Owner | Role::Operator))
            | (Self::EngineCall, Standing::Engine)
            | (Self::OwnerOnly, Standing::Person(Role::Owner)) => true,
            (
                Self::SignedIn | Self::Read | Self::JobsWrite | Self::Operate | Self::EngineCall | Self::OwnerOnly,
                Standing::Nobody | Standing::Person(_) | Standing::Engine,
            ) => false,
        }
    }

    /// The name in the OpenAPI document and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::SignedIn => "signed_in",
            Self::Read => "read",
            Self::JobsWrite => "jobs_write",
            Self::Operate => "operate",
            Self::EngineCall => "engine_call",
            Self::OwnerOnly => "owner_only",
        }
    }
}
