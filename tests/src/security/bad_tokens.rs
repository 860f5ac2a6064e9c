//! Tokens that look right and are not, on every route that asks for one.

mod forge;
mod list;

use std::collections::BTreeMap;

use anyhow::ensure;
use flowork_gateway::Permission;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;

use self::{forge::Forge, list::bad_tokens};
use super::callers::{AT_ONCE, Callers, guarded, outcome, path_of};

/// What a bad token is answered with, always with status 401.
const CODES: [&str; 6] = [
    "TOKEN_INVALID",
    "TOKEN_EXPIRED",
    "TOKEN_NOT_YET",
    "SESSION_ENDED",
    "CREDENTIALS_AMBIGUOUS",
    "ENGINE_TOKEN_INVALID",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_bad_token_is_accepted_on_any_route() -> anyhow::Result<()> {
    let callers = Callers::start().await?;
    let sorts = Forge::of_each_sort(&callers)?;
    let routes = guarded();
    for forge in &sorts {
        control(&callers, forge).await?;
    }
    let bad: Vec<(String, Vec<String>)> = sorts.iter().flat_map(|forge| bad_tokens(forge, &sorts)).collect();
    ensure!(bad.len() >= 500, "{} bad tokens", bad.len());

    let cases = routes.iter().flat_map(|route| bad.iter().map(move |(name, values)| (route, name, values)));
    let wrong: Vec<String> = stream::iter(cases)
        .map(|(route, name, values)| {
            let mut request = callers.plain(&route.method, &path_of(route));
            for value in values {
                request = request.header("authorization", value);
            }
            async move {
                let (status, code) = outcome(request.send().await?).await?;
                let refused = status == 401 && CODES.contains(&code.as_str());
                anyhow::Ok((!refused).then(|| format!("{} {} with {name}: {status} {code}", route.method, route.path)))
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_filter_map(|wrong| async move { Ok(wrong) })
        .try_collect()
        .await?;
    ensure!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
    println!("{} bad tokens on {} routes: 0 accepted", bad.len(), routes.len());
    // Whoever sent all that has not spoiled it for the others.
    for forge in &sorts {
        control(&callers, forge).await?;
    }
    Ok(())
}

/// The tests' own signature and the very same parts make a token that is accepted, so that no refusal is due to them.
async fn control(callers: &Callers, forge: &Forge) -> anyhow::Result<()> {
    let by_hand = forge.signed(&forge.head, &forge.claims);
    for token in [&forge.sound, &by_hand] {
        let mut answers = BTreeMap::new();
        for route in guarded().iter().filter(|route| route.permission == forge.passes && route.method == Method::GET) {
            let (status, code) = outcome(callers.with(token, &route.method, &path_of(route)).send().await?).await?;
            ensure!(status != 401 && status != 403, "{} {}: {status} {code}", forge.sort, route.path);
            answers.insert(route.path.clone(), status);
        }
        ensure!(!answers.is_empty() || forge.passes == Permission::Public, "{} can be tried", forge.sort);
    }
    Ok(())
}
