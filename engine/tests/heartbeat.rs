//! What engines elsewhere tell of themselves.

use flowork_api_types::engine::{HeartbeatRequest, Vitals};
use serde_json::json;

use crate::support::{Home, within};

#[tokio::test]
async fn vitals_are_shown_within_bounds_until_the_engine_tells_none() {
    let home = Home::external(1);
    let engines = home.open().await;
    let report = |vitals: serde_json::Value| {
        let body = json!({"version": "1", "capacity": 4, "busy": 0, "kinds": [], "vitals": vitals});
        serde_json::from_value::<HeartbeatRequest>(body).unwrap()
    };
    let shown = |vitals| {
        engines.heartbeat(home.spec.id, report(vitals)).unwrap();
        engines.get(home.spec.id).unwrap().vitals
    };
    let sent = json!({"memory_bytes": 5, "machine_cpu": 0.5});
    assert_eq!(
        shown(sent),
        Some(Vitals { memory_bytes: Some(5), machine_cpu: Some(0.5), ..Vitals::default() }),
        "what it does not know it leaves out"
    );
    let absurd = shown(json!({"machine_memory_bytes": u64::MAX, "machine_cpu": 17})).unwrap();
    assert_eq!((absurd.machine_memory_bytes, absurd.machine_cpu), (Some(1 << 53), Some(1.0)));
    assert_eq!(shown(json!(null)), None);
    within(engines.shutdown()).await;
}
