//! Cloudflare Access in front of the tunnel: each request must carry the edge's signed word that somebody was let in.
//!
//! It is one more door, and opens no other: who calls is still found out by the node's own sign-in. The keys come from
//! the team's address and are kept, so that an outage there shuts nobody out whose key is known.

pub(crate) mod fuzzing;
mod keys;

use http::{HeaderMap, HeaderName, StatusCode};
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;

pub(crate) use keys::AccessSetUpError;
use keys::TeamKeys;

use super::client::Ingress;
use crate::{app::App, error::ApiError, options::AccessOptions};

/// Where the edge puts its word.
const ASSERTION: HeaderName = HeaderName::from_static("cf-access-jwt-assertion");
/// Longer text is none of its tokens; those with many groups have some 4 KiB.
const ASSERTION_BYTES_MAX: usize = 16 << 10;
/// How far two clocks may differ.
const LEEWAY_S: u64 = 15;

/// Checks the edge's word.
pub(crate) struct Access {
    validation: Validation,
    keys: TeamKeys,
}

/// Everything else that is needed is checked by the library; nothing in the token gives any rights.
#[derive(Deserialize)]
struct Claims {}

/// Why a request is not let in; for the log. The caller learns only that it is not.
#[derive(Debug, thiserror::Error)]
enum AccessError {
    #[error("there is no assertion, or more than one")]
    Missing,
    #[error("the assertion is longer than {ASSERTION_BYTES_MAX} bytes")]
    TooLong,
    #[error("the assertion names no key")]
    NoKeyId,
    #[error("the assertion is signed with a key that the team does not have")]
    UnknownKey,
    #[error("the assertion is not valid")]
    Invalid(#[source] jsonwebtoken::errors::Error),
}

impl Access {
    pub(crate) fn new(options: &AccessOptions) -> Result<Self, AccessSetUpError> {
        let issuer = options.team_domain.trim_end_matches('/');
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[&options.audience]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_S;
        Ok(Self { validation, keys: TeamKeys::new(issuer)? })
    }

    async fn verify(&self, headers: &HeaderMap) -> Result<(), AccessError> {
        let mut values = headers.get_all(ASSERTION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Err(AccessError::Missing) };
        let token = value.to_str().map_err(|_| AccessError::Missing)?;
        if token.len() > ASSERTION_BYTES_MAX {
            return Err(AccessError::TooLong);
        }
        let header = jsonwebtoken::decode_header(token).map_err(AccessError::Invalid)?;
        let key_id = header.kid.filter(|id| !id.is_empty()).ok_or(AccessError::NoKeyId)?;
        let key = self.keys.find(&key_id).await.ok_or(AccessError::UnknownKey)?;
        jsonwebtoken::decode::<Claims>(token, &key, &self.validation).map_err(AccessError::Invalid)?;
        Ok(())
    }
}

/// Lets requests of the tunnel's listener pass only with the edge's word, where the owner asks for it.
pub(crate) async fn check(app: &App, ingress: Ingress, headers: &HeaderMap) -> Result<(), ApiError> {
    if let (Ingress::Tunnel, Some(access)) = (ingress, &app.access) {
        access.verify(headers).await.map_err(|error| {
            ApiError::new(StatusCode::FORBIDDEN, "ACCESS_REFUSED", "Cloudflare Access did not let this request in")
                .hint("open the address in a browser and sign in there; programs need a service token of Access")
                .source(error)
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flowork_test_support::{AccessIssuer, AccessKey};

    use super::*;

    const AUDIENCE: &str = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";
    /// Far longer than what a test does between two looks, however busy the machine is.
    const MOMENT: Duration = Duration::from_secs(30);

    /// A team whose keys change, and the node's view of it.
    struct Team {
        issuer: AccessIssuer,
        access: Access,
        old: AccessKey,
        new: AccessKey,
    }

    impl Team {
        /// The node has asked once and knows the old key.
        async fn known() -> Self {
            let old = AccessKey::generate("old").unwrap();
            let issuer = AccessIssuer::start(old.clone()).await.unwrap();
            let options = AccessOptions { team_domain: issuer.url().to_owned(), audience: AUDIENCE.to_owned() };
            let access = Access::new(&options).unwrap();
            let team = Self { issuer, access, old, new: AccessKey::generate("new").unwrap() };
            assert!(team.lets_in(&team.old).await);
            assert_eq!(team.issuer.fetches(), 1);
            team
        }

        async fn lets_in(&self, key: &AccessKey) -> bool {
            let assertion = self.issuer.assertion(key, AUDIENCE).unwrap();
            let headers = HeaderMap::from_iter([(ASSERTION, assertion.parse().unwrap())]);
            self.access.verify(&headers).await.is_ok()
        }
    }

    /// Time that passes while nobody asks. It stands still only for this, because a request takes time.
    async fn later(time: Duration) {
        tokio::time::pause();
        tokio::time::advance(time).await;
        tokio::time::resume();
    }

    #[tokio::test]
    async fn a_new_key_of_the_team_counts_after_a_minute_and_without_another_one_for_the_old() {
        let team = Team::known().await;
        team.issuer.set_keys(vec![team.old.clone(), team.new.clone()]);
        later(Duration::from_mins(1).saturating_sub(MOMENT)).await;
        assert!(!team.lets_in(&team.new).await, "the node asked less than a minute ago");
        assert_eq!(team.issuer.fetches(), 1);
        later(MOMENT).await;
        assert!(team.lets_in(&team.new).await, "it asks again, and the new key is there");
        assert_eq!(team.issuer.fetches(), 2);
        assert!(team.lets_in(&team.old).await, "the team still has it");
        assert!(team.lets_in(&team.new).await);
        assert_eq!(team.issuer.fetches(), 2, "both are known now");
    }

    #[tokio::test]
    async fn a_key_that_the_team_has_dropped_stops_to_count_after_an_hour() {
        let team = Team::known().await;
        team.issuer.set_keys(vec![team.new.clone()]);
        later(Duration::from_hours(1).saturating_sub(MOMENT)).await;
        assert!(team.lets_in(&team.old).await, "what is known counts for an hour");
        assert_eq!(team.issuer.fetches(), 1);
        later(MOMENT).await;
        assert!(!team.lets_in(&team.old).await, "then it is looked up anew, and is gone");
        assert_eq!(team.issuer.fetches(), 2);
        assert!(team.lets_in(&team.new).await);
    }

    #[tokio::test]
    async fn a_key_that_was_dropped_stops_to_count_as_soon_as_another_one_is_looked_up() {
        let team = Team::known().await;
        team.issuer.set_keys(vec![team.new.clone()]);
        later(Duration::from_mins(1)).await;
        assert!(team.lets_in(&team.new).await);
        assert!(!team.lets_in(&team.old).await, "the keys are replaced, not added to");
    }

    #[tokio::test]
    async fn an_outage_at_the_hour_shuts_nobody_out_and_is_not_asked_about_by_each_request() {
        let team = Team::known().await;
        team.issuer.set_keys(vec![team.new.clone()]);
        team.issuer.set_offline(true);
        later(Duration::from_hours(1)).await;
        for _ in 0..3 {
            assert!(team.lets_in(&team.old).await, "nothing newer is known");
        }
        assert_eq!(team.issuer.fetches(), 2, "one request has asked for all");
        team.issuer.set_offline(false);
        assert!(!team.lets_in(&team.new).await, "a minute between two tries, whatever came of the first");
        later(Duration::from_mins(1)).await;
        assert!(team.lets_in(&team.new).await);
        assert!(!team.lets_in(&team.old).await);
    }
}
