//! Every kind of id there is: a UUIDv7 behind a newtype, written as `<prefix>_<32 hex digits>`.
//!
//! A job's id also says where the job lives. Its first 60 free bits (48 of time, 12 of sequence) are the row key, which
//! the shard's writer hands out strictly rising; its last 16 bits are the [`ShardNumber`]. So an id alone leads to one
//! row of one file, with no look-up. Source: RFC 9562, section 5.7, which leaves `rand_a` and `rand_b` to the maker.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::SchemaFormat, schema::Type},
};
use uuid::Uuid;

/// Text that is not an id of the expected kind.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not an id of the form {prefix}_ followed by 32 hexadecimal digits")]
pub struct ParseIdError {
    text: String,
    prefix: &'static str,
}

/// What ids of both forms have: the type, its UUID, and its text on the wire.
macro_rules! uuid_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a UUID as it is.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID inside.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl ToSchema for $name {}
    };
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $example:literal) => {
        uuid_type!($(#[$doc])* $name);

        impl $name {
            /// The text that comes before the underscore.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix(concat!($prefix, "_"))
                    .filter(|hex| hex.len() == 32)
                    .and_then(|hex| Uuid::try_parse(hex).ok())
                    .map(Self)
                    .ok_or_else(|| ParseIdError { text: text.chars().take(80).collect(), prefix: $prefix })
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some(concat!("^", $prefix, "_[0-9a-f]{32}$")))
                    .examples([serde_json::json!($example)])
                    .into()
            }
        }
    };
}

id!(
    /// A job. See the module's introduction for what its bits mean.
    JobId, "job", "job_01930c5ea2f07a3c8000000000000000"
);
id!(
    /// An engine: a host of workers with one identity and one token.
    EngineId, "eng", "eng_01930c5ea2f07a3c8000000000000000"
);
id!(
    /// Jobs that were enqueued together. The same caller and idempotency key give the same batch.
    BatchId, "bat", "bat_01930c5ea2f07a3c8000000000000000"
);
id!(
    /// A signed-in session of a person: one pairing, one family of refresh tokens.
    SessionId, "ses", "ses_01930c5ea2f07a3c8000000000000000"
);
id!(
    /// A schedule: when to enqueue which job.
    ScheduleId, "sch", "sch_01930c5ea2f07a3c8000000000000000"
);

/// Ids that clients make: any UUID, written with hyphens as everybody writes them.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        uuid_type!($(#[$doc])* $name);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.hyphenated(), f)
            }
        }

        impl FromStr for $name {
            type Err = ParseUuidError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Some(text)
                    .filter(|text| text.len() == 36)
                    .and_then(|text| Uuid::try_parse(text).ok())
                    .map(Self)
                    .ok_or_else(|| ParseUuidError { text: text.chars().take(80).collect() })
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .format(Some(SchemaFormat::Custom("uuid".to_owned())))
                    .examples([serde_json::json!("0f9b2c1e-5d53-4a6e-9d0c-3b1f6a7e8d90")])
                    .into()
            }
        }
    };
}

/// Text that is not a UUID with hyphens.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not a UUID such as 0f9b2c1e-5d53-4a6e-9d0c-3b1f6a7e8d90")]
pub struct ParseUuidError {
    text: String,
}

uuid_id!(
    /// A sync session; whoever makes it picks the id.
    SyncSessionId
);
uuid_id!(
    /// Somebody who takes part in a sync session.
    ParticipantId
);
uuid_id!(
    /// Participants of a sync session who share one balance.
    GroupId
);

/// Which shard file of this node holds a job: 10 bits of engine, 6 bits of shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardNumber(u16);

impl ShardNumber {
    /// Engines a node can ever number. Slots are never given out twice.
    pub const ENGINES_MAX: u16 = 1 << 10;
    /// Shards one engine can have.
    pub const SHARDS_MAX: u16 = 1 << 6;

    /// Shard `index` of the engine in `slot`; `None` past the maxima above.
    pub const fn new(slot: u16, index: u16) -> Option<Self> {
        if slot < Self::ENGINES_MAX && index < Self::SHARDS_MAX { Some(Self(slot << 6 | index)) } else { None }
    }

    /// The engine's slot on this node.
    pub const fn slot(self) -> u16 {
        self.0 >> 6
    }

    /// The shard's index within its engine.
    pub const fn index(self) -> u16 {
        self.0 & (Self::SHARDS_MAX - 1)
    }
}

impl JobId {
    /// Milliseconds the row key can hold are 48 bits, its sequence 12.
    const SEQUENCE_BITS: u32 = 12;

    /// Puts an id together from a row key, a shard and 46 random bits.
    pub const fn from_parts(key: i64, random: u64, shard: ShardNumber) -> Self {
        let key = key as u64;
        let high = (key >> Self::SEQUENCE_BITS) << 16 | 0x7000 | (key & 0xfff);
        let low = 0x8000_0000_0000_0000 | (random & 0x3fff_ffff_ffff) << 16 | shard.0 as u64;
        Self(Uuid::from_u64_pair(high, low))
    }

    /// The row key: strictly rising within a shard, never negative.
    pub const fn key(self) -> i64 {
        let (high, _) = self.0.as_u64_pair();
        ((high >> 16) << Self::SEQUENCE_BITS | (high & 0xfff)) as i64
    }

    /// The half of the id that is not in the key, as stored beside it.
    pub const fn tail(self) -> i64 {
        self.0.as_u64_pair().1 as i64
    }

    /// The id that [`key`](Self::key) and [`tail`](Self::tail) came from.
    pub const fn from_key_and_tail(key: i64, tail: i64) -> Self {
        let key = key as u64;
        let high = (key >> Self::SEQUENCE_BITS) << 16 | 0x7000 | (key & 0xfff);
        Self(Uuid::from_u64_pair(high, tail as u64))
    }

    /// The shard that holds the job.
    pub const fn shard(self) -> ShardNumber {
        ShardNumber((self.0.as_u64_pair().1 & 0xffff) as u16)
    }

    /// The first row key of a millisecond.
    pub const fn first_key_at(unix_ms: i64) -> i64 {
        unix_ms << Self::SEQUENCE_BITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_id_gives_back_its_parts() {
        let shard = ShardNumber::new(1023, 63).expect("the largest");
        let key = JobId::first_key_at(1_700_000_000_000) + 4095;
        let id = JobId::from_parts(key, u64::MAX, shard);
        assert_eq!((id.key(), id.shard()), (key, shard));
        assert_eq!((id.shard().slot(), id.shard().index()), (1023, 63));
        assert_eq!(JobId::from_key_and_tail(id.key(), id.tail()), id);
        assert_eq!(id.as_uuid().get_version_num(), 7);
        assert_eq!(id.to_string().parse::<JobId>().expect("own output"), id);
    }

    #[test]
    fn ids_of_one_shard_sort_as_their_keys() {
        let shard = ShardNumber::new(0, 0).expect("zero");
        let (a, b) = (JobId::from_parts(41, u64::MAX, shard), JobId::from_parts(42, 0, shard));
        assert!(a < b);
    }

    #[test]
    fn foreign_text_is_refused_with_the_expected_form() {
        for bad in [
            "",
            "job_",
            "eng_01930c5ea2f07a3c8000000000000000",
            "job_01930c5e-a2f0-7a3c-8000-000000000000",
            "job_zz930c5ea2f07a3c8000000000000000",
        ] {
            let error = bad.parse::<JobId>().expect_err(bad).to_string();
            assert!(error.contains("job_"), "{error}");
        }
        assert!(ShardNumber::new(1024, 0).is_none() && ShardNumber::new(0, 64).is_none());
    }
}
