//! How often the time of sync sessions may be asked for, by the budget that holds if nobody sets another.

use std::time::Duration;

use flowork_admission::Limiter;
use flowork_gateway::Rates;
use reqwest::{Method, StatusCode};

use super::{
    gateway::{Gateway, read},
    tunnel::{from, with_tunnel},
};

/// Nobody who asks so often is refused.
const PROMISED: u32 = 100;

#[tokio::test]
async fn a_hundred_readings_of_the_time_at_once_are_answered() {
    let gateway = Gateway::start_with(with_tunnel).await;
    for number in 0..PROMISED {
        let answer = read(from(&gateway, "203.0.113.9", Method::GET, "/v1/time")).await;
        assert_eq!(answer.status, StatusCode::OK, "{number}: {}", answer.text);
    }
}

#[test]
fn a_hundred_a_second_may_go_on_for_ever_and_more_than_the_budget_may_not() {
    let rate = Rates::default().time.expect("strangers are bounded");
    let readings = Limiter::new(rate, 8);
    let gap = Duration::from_secs(1) / PROMISED;
    let mut now = Duration::from_secs(1);
    for number in 0..60 * PROMISED {
        assert!(readings.take(&"steady", now).allowed, "{number}");
        now += gap;
    }
    let greedy = Duration::from_secs(100);
    let allowed = (0..2 * rate.quota()).filter(|_| readings.take(&"greedy", greedy).allowed).count();
    assert_eq!(allowed, rate.quota() as usize, "as many as a window has, and none more");
    assert!(readings.take(&"steady", greedy).allowed, "which costs nobody else anything");
}
