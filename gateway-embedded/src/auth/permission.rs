//! What a route asks for, and who has it. Every route declares exactly one permission, in `router.rs`.

use flowork_api_types::{
    admin::{Scope, Scopes},
    auth::Role,
};

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Nothing; credentials are not even looked at.
    Public,
    /// A person, whatever their role.
    SignedIn,
    /// Seeing that the node is there. Guests may.
    Status,
    /// Seeing the node, what it can run, and jobs. A member sees their own jobs only; the engine's queries see to that.
    /// Guests may where the owner opened jobs to them.
    Read,
    /// Enqueuing, cancelling and requeuing jobs.
    JobsWrite,
    /// Seeing sync sessions. Guests may where the owner opened sessions to them.
    SessionsRead,
    /// Taking part in sync sessions and making them.
    SessionsWrite,
    /// Deciding about the work of all: queues, limits.
    Operate,
    /// Draining the node. For operators too, who decide about the work of all.
    OpsDrain,
    /// Members and their keys.
    MembersWrite,
    /// Engines and their tokens.
    EnginesWrite,
    /// The keys that sign tokens.
    KeysRotate,
    /// The audit trail.
    AuditRead,
    /// What guests see, and who may enqueue which kind.
    PoliciesWrite,
    /// An engine's own calls about its own jobs.
    EngineCall,
    /// What changes who may do what.
    OwnerOnly,
}

/// What the owner opened to guests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GuestOpenings {
    /// All jobs, to look at.
    pub jobs: bool,
    /// Sync sessions, to look at.
    pub sessions: bool,
}

/// How a caller stands, as far as permissions care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// No credentials.
    Nobody,
    /// Signed in as nobody in particular.
    Guest(GuestOpenings),
    /// A person with a role.
    Person(Role),
    /// An engine.
    Engine,
    /// An admin token, which may do what it was made for and nothing else.
    Admin(Scopes),
}

impl Standing {
    /// The names of all that such a caller is let do.
    pub(crate) fn permissions(self) -> Vec<String> {
        let granted = Permission::ALL.into_iter().filter(|permission| permission.allows(self));
        granted.map(|permission| permission.as_str().to_owned()).collect()
    }
}

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 16] = [
        Self::Public,
        Self::SignedIn,
        Self::Status,
        Self::Read,
        Self::JobsWrite,
        Self::SessionsRead,
        Self::SessionsWrite,
        Self::Operate,
        Self::OpsDrain,
        Self::MembersWrite,
        Self::EnginesWrite,
        Self::KeysRotate,
        Self::AuditRead,
        Self::PoliciesWrite,
        Self::EngineCall,
        Self::OwnerOnly,
    ];

    /// Whether a caller of this standing may pass.
    pub const fn allows(self, standing: Standing) -> bool {
        match standing {
            Standing::Nobody => matches!(self, Self::Public),
            Standing::Guest(open) => self.allows_guest(open),
            Standing::Person(role) => self.allows_role(role),
            Standing::Engine => matches!(self, Self::Public | Self::EngineCall),
            Standing::Admin(scopes) => match self.scope() {
                Some(scope) => scopes.contains(scope),
                None => matches!(self, Self::Public),
            },
        }
    }

    const fn allows_guest(self, open: GuestOpenings) -> bool {
        match self {
            Self::Public | Self::SignedIn | Self::Status => true,
            Self::Read => open.jobs,
            Self::SessionsRead => open.sessions,
            _ => false,
        }
    }

    const fn allows_role(self, role: Role) -> bool {
        match self {
            Self::Public | Self::SignedIn | Self::Status => true,
            Self::Read | Self::SessionsRead => {
                matches!(role, Role::Owner | Role::Operator | Role::Member | Role::Viewer)
            }
            Self::JobsWrite | Self::SessionsWrite => matches!(role, Role::Owner | Role::Operator | Role::Member),
            Self::Operate | Self::OpsDrain => matches!(role, Role::Owner | Role::Operator),
            Self::MembersWrite
            | Self::EnginesWrite
            | Self::KeysRotate
            | Self::AuditRead
            | Self::PoliciesWrite
            | Self::OwnerOnly => matches!(role, Role::Owner),
            Self::EngineCall => false,
        }
    }

    /// The scope of an admin token that gives this permission.
    pub const fn scope(self) -> Option<Scope> {
        match self {
            Self::OpsDrain => Some(Scope::OpsDrain),
            Self::MembersWrite => Some(Scope::MembersWrite),
            Self::EnginesWrite => Some(Scope::EnginesWrite),
            Self::KeysRotate => Some(Scope::KeysRotate),
            Self::AuditRead => Some(Scope::AuditRead),
            Self::PoliciesWrite => Some(Scope::PoliciesWrite),
            Self::Public
            | Self::SignedIn
            | Self::Status
            | Self::Read
            | Self::JobsWrite
            | Self::SessionsRead
            | Self::SessionsWrite
            | Self::Operate
            | Self::EngineCall
            | Self::OwnerOnly => None,
        }
    }

    /// The name in the OpenAPI document and in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::SignedIn => "signed_in",
            Self::Status => "status",
            Self::Read => "read",
            Self::JobsWrite => "jobs_write",
            Self::SessionsRead => "sessions_read",
            Self::SessionsWrite => "sessions_write",
            Self::Operate => "operate",
            Self::OpsDrain => "ops_drain",
            Self::MembersWrite => "members_write",
            Self::EnginesWrite => "engines_write",
            Self::KeysRotate => "keys_rotate",
            Self::AuditRead => "audit_read",
            Self::PoliciesWrite => "policies_write",
            Self::EngineCall => "engine_call",
            Self::OwnerOnly => "owner_only",
        }
    }
}
