//! Schedules over real stores, on a clock that the test moves.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod simulation;
mod world;

use std::{collections::BTreeSet, time::Duration};

use flowork_api_types::{
    Timestamp,
    auth::Role,
    job::{EnqueueRequest, JobState},
    schedule::{
        ListSchedulesQuery, MissedRuns, Overlap, PreviewScheduleRequest, Schedule, ScheduleAction, SkipReason,
        UpdateScheduleRequest,
    },
};
use flowork_control::{MemberChange, ScheduleText};
use flowork_schedules::{
    LookupError, RunError, WriteError,
    timing::{Timing, TimingText},
};
use serde_json::json;
use world::{World, close, member, owner, request, time};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn to(running: &world::Running, at: Timestamp) -> Duration {
    Duration::from_millis((at.as_millis() - running.clock.now().as_millis()).max(0) as u64)
}

#[tokio::test]
async fn days_with_restarts_and_a_change_of_clocks_fire_each_due_time_once() {
    let world = World::at("2026-03-05T00:00:00Z");
    let mut running = world.start().await;
    let body = json!({"cron": "30 */2 * * *", "time_zone": "America/New_York", "missed": "all"});
    let schedule = running.create(&body).await;
    let (cron, time_zone) = (schedule.cron.clone(), schedule.time_zone.clone());
    let text = TimingText { cron, time_zone, ..TimingText::default() };
    let timing = Timing::parse(&text, world.clock.now()).unwrap();
    let next = |at: &Timestamp| timing.next_after(*at);
    let due: Vec<_> = std::iter::successors(next(&world.clock.now()), next).take(60).collect();
    assert!(due[0] < time("2026-03-08T07:00:00Z") && *due.last().unwrap() > time("2026-03-09T00:00:00Z"));

    for (index, at) in due.iter().enumerate() {
        match index % 7 {
            // Past while the node is down, together with the one after it.
            2 => {
                running.stop().await;
                world.clock.advance(Duration::from_millis((at.as_millis() - world.clock.now().as_millis()) as u64 + 1));
                running = world.start().await;
            }
            // Missed together with the next, in one sleep of the machine.
            4 => continue,
            // At the moment, or a little late.
            late => running.pass(to(&running, *at) + late as u32 * SECOND),
        }
        running.until(&schedule, |now| now.last_due_at == Some(*at)).await;
    }
    running.stop().await;
    let running = world.start().await;
    let fired = running.until(&schedule, |now| now.last_due_at == due.last().copied()).await;
    assert_eq!((fired.last_error, fired.last_skipped), (None, None));
    let keys: BTreeSet<_> = running.jobs().await.into_iter().map(|job| job.idempotency_key).collect();
    let expected: BTreeSet<_> = due.iter().map(|at| format!("schedule:{}:{}", schedule.id, at.as_millis())).collect();
    assert_eq!(keys, expected, "each due time has one job, and there are no others");
    running.stop().await;
}

#[tokio::test]
async fn missed_runs_are_made_up_for_as_the_schedule_says() {
    let world = World::at("2026-01-01T00:00:00Z");
    let running = world.start().await;
    let mut made = Vec::new();
    for missed in ["skip", "once", "all"] {
        made.push(running.create(&json!({"name": missed, "interval_ms": 3_600_000, "missed": missed})).await);
    }
    running.stop().await;
    world.clock.advance(3 * HOUR + MINUTE);
    let running = world.start().await;

    let skip = running.until(&made[0], |now| now.last_skipped.is_some()).await;
    let skipped = skip.last_skipped.unwrap();
    assert_eq!((skipped.reason, skipped.count), (SkipReason::Missed, 3));
    assert_eq!((skip.last_fired_at, skip.next_runs[0].at), (None, time("2026-01-01T04:00:00Z")));
    let last = Some(time("2026-01-01T03:00:00Z"));
    let once = running.until(&made[1], |now| now.last_due_at == last).await;
    assert_eq!(once.last_skipped.unwrap().count, 2);
    let all = running.until(&made[2], |now| now.last_due_at == last).await;
    assert_eq!(all.last_skipped, None);
    let of = |id| format!("schedule:{id}:");
    let jobs = running.jobs().await;
    let count = |id| jobs.iter().filter(|job| job.idempotency_key.starts_with(&of(id))).count();
    assert_eq!(made.iter().map(|schedule| count(schedule.id)).collect::<Vec<_>>(), [0, 1, 3]);
    running.stop().await;
}

#[tokio::test]
async fn a_crash_between_the_enqueue_and_its_record_fires_once() {
    let world = World::at("2026-01-01T00:00:00Z");
    let running = world.start().await;
    // With `skip`, only what is owed can bring the run back.
    let schedule = running.create(&json!({"interval_ms": 60_000, "missed": "skip"})).await;
    running.stop().await;
    let (control, engines) = world.open().await;
    let due = Timestamp(world.clock.now().as_millis() + 60_000);
    world.clock.advance(MINUTE);
    let record = control.schedule(schedule.id, None).await.unwrap().unwrap();
    assert!(control.begin_run(&record, due, None).await.unwrap());
    let key = format!("schedule:{}:{}", schedule.id, due.as_millis());
    let job = engines.enqueue(&member("owner"), &key, schedule.job.clone(), TRACE.to_owned()).await.unwrap().job;
    close(control, engines).await;

    let running = world.start().await;
    let now = running.until(&schedule, |now| now.last_due_at == Some(due)).await;
    assert_eq!(now.last_job_id, Some(job.summary.id));
    assert_eq!(running.jobs().await.len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_run_that_is_owed_since_before_a_crash_fires_after_it() {
    let world = World::at("2026-01-01T00:00:00Z");
    let running = world.start().await;
    let schedule = running.create(&json!({"interval_ms": 60_000, "missed": "skip"})).await;
    running.stop().await;
    let (control, engines) = world.open().await;
    let due = Timestamp(world.clock.now().as_millis() + 60_000);
    world.clock.advance(MINUTE + SECOND);
    let record = control.schedule(schedule.id, None).await.unwrap().unwrap();
    assert!(control.begin_run(&record, due, None).await.unwrap());
    close(control, engines).await;

    let running = world.start().await;
    running.until(&schedule, |now| now.last_due_at == Some(due)).await;
    assert_eq!(running.jobs().await.len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_run_that_a_drain_holds_up_says_so_and_fires_later() {
    let world = World::at("2026-01-01T00:00:00Z");
    let running = world.start().await;
    let schedule = running.create(&json!({"interval_ms": 60_000, "missed": "skip"})).await;
    running.engines.drain(true);
    running.pass(MINUTE);
    let blocked = running.until(&schedule, |now| now.last_error.is_some()).await;
    let error = blocked.last_error.unwrap();
    let due = time("2026-01-01T00:01:00Z");
    assert_eq!((error.code.as_str(), error.due_at, error.retrying), ("DRAINING", due, true));
    running.engines.drain(false);
    running.pass(50 * SECOND);
    let fired = running.until(&schedule, |now| now.last_fired_at.is_some()).await;
    assert_eq!((fired.last_due_at, fired.last_error), (Some(due), None));
    assert_eq!(running.jobs().await.len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_job_that_is_refused_is_told_and_the_schedule_goes_on() {
    let world = World::at("2026-01-01T00:00:00Z");
    let running = world.start().await;
    let schedule = running.create(&json!({"interval_ms": 60_000})).await;
    // As after a module was replaced by one that takes another payload.
    let record = running.control.schedule(schedule.id, None).await.unwrap().unwrap();
    let bad: EnqueueRequest =
        serde_json::from_value(json!({"kind": "sleep", "payload": {"duration_ms": "x"}})).unwrap();
    let text = flowork_control::ScheduleText { job: bad, ..record.text.clone() };
    assert!(running.control.update_schedule(&record, text, None).await.unwrap());
    running.pass(MINUTE);
    let refused = running.until(&schedule, |now| now.last_error.is_some()).await;
    let error = refused.last_error.unwrap();
    assert_eq!((error.code.as_str(), error.retrying), ("VALIDATION_ERROR", false));
    assert_eq!(refused.last_skipped.unwrap().reason, SkipReason::Refused);

    let good = UpdateScheduleRequest { job: Some(schedule.job.clone()), ..UpdateScheduleRequest::default() };
    running.schedules.update(&owner(), schedule.id, good).await.unwrap();
    running.pass(MINUTE);
    let fired = running.until(&schedule, |now| now.last_fired_at.is_some()).await;
    assert_eq!((fired.last_due_at, fired.last_error), (Some(time("2026-01-01T00:02:00Z")), None));
    running.stop().await;
}

#[tokio::test]
async fn a_run_is_skipped_while_the_job_before_is_open() {
    let world = World::at("2026-01-01T00:00:00Z");
    let running = world.start().await;
    let job = json!({"kind": "sleep", "payload": {"duration_ms": 600_000}});
    let schedule = running.create(&json!({"interval_ms": 5_000, "overlap": "skip", "job": job})).await;
    running.pass(5 * SECOND);
    let first = running.until(&schedule, |now| now.last_fired_at.is_some()).await;
    running.pass(5 * SECOND);
    let second = running.until(&schedule, |now| now.last_skipped.is_some()).await;
    assert_eq!(second.last_skipped.unwrap().reason, SkipReason::Overlap);
    assert_eq!(second.last_job_id, first.last_job_id);

    let id = first.last_job_id.unwrap();
    running.engines.cancel(&owner(), id).await.unwrap();
    let ended = running.engines.wait(&owner(), id, Duration::from_secs(30)).await.unwrap();
    assert_eq!(ended.summary.state, JobState::Cancelled);
    running.pass(5 * SECOND);
    let third = running.until(&schedule, |now| now.last_job_id != first.last_job_id).await;
    assert_eq!(third.last_due_at, Some(time("2026-01-01T00:00:15Z")));
    running.stop().await;
}

#[tokio::test]
async fn what_was_due_during_a_pause_or_before_new_times_does_not_count_as_missed() {
    let world = World::at("2026-01-01T00:00:00Z");
    let running = world.start().await;
    let schedule = running.create(&json!({"interval_ms": 60_000, "missed": "all"})).await;
    let change = |body: serde_json::Value| {
        let request: UpdateScheduleRequest = serde_json::from_value(body).unwrap();
        let schedules = &running.schedules;
        async move { schedules.update(&owner(), schedule.id, request).await }
    };
    let paused = change(json!({"enabled": false})).await.unwrap();
    assert!(paused.next_runs.is_empty());
    assert!(paused.allowed_actions.contains(&ScheduleAction::Resume));
    running.pass(10 * MINUTE + SECOND);
    let resumed = change(json!({"enabled": true})).await.unwrap();
    assert_eq!(resumed.next_runs[0].at, time("2026-01-01T00:11:00Z"));
    running.pass(MINUTE);
    running.until(&schedule, |now| now.last_due_at == Some(time("2026-01-01T00:11:00Z"))).await;
    assert_eq!(running.jobs().await.len(), 1);

    let daily = change(json!({"cron": "@daily", "time_zone": "europe/berlin"})).await.unwrap();
    assert_eq!((daily.interval_ms, daily.anchor, daily.time_zone.as_deref()), (None, None, Some("Europe/Berlin")));
    assert_eq!(daily.next_runs[0].at, time("2026-01-01T23:00:00Z"));
    let every = change(json!({"interval_ms": 2_000})).await.unwrap();
    assert_eq!(every.cron, None);
    assert_eq!(every.next_runs[0].at, time("2026-01-01T00:11:03Z"));
    running.schedules.delete(&owner(), schedule.id).await.unwrap();
    let gone = running.schedules.get(&owner(), schedule.id).await;
    assert!(matches!(gone, Err(LookupError::NotFound { .. })));
    running.stop().await;
}

#[tokio::test]
async fn a_member_reaches_their_own_schedules_only_and_their_jobs_are_theirs() {
    let world = World::at("2026-01-01T00:00:00Z");
    let running = world.start().await;
    let (ann, bob) = (member("ann"), member("bob"));
    let schedule = running.schedules.create(&ann, request(&json!({"interval_ms": 60_000}))).await.unwrap();
    let schedules = &running.schedules;
    assert!(matches!(schedules.get(&bob, schedule.id).await, Err(LookupError::NotFound { .. })));
    assert!(matches!(schedules.delete(&bob, schedule.id).await, Err(LookupError::NotFound { .. })));
    let change = schedules.update(&bob, schedule.id, UpdateScheduleRequest::default()).await;
    assert!(matches!(change, Err(WriteError::NotFound { .. })));
    let run = schedules.run(&bob, schedule.id, "k", TRACE.to_owned()).await;
    assert!(matches!(run, Err(RunError::NotFound { .. })));
    let list = |caller| schedules.list(caller, ListSchedulesQuery::default());
    assert_eq!(list(&bob).await.unwrap().items.len(), 0);
    assert_eq!(list(&ann).await.unwrap().items.len(), 1);
    assert_eq!(list(&owner()).await.unwrap().items.len(), 1);

    running.pass(MINUTE);
    let fired = running.until(&schedule, |now| now.last_job_id.is_some()).await;
    let job = running.engines.job(&ann, fired.last_job_id.unwrap()).await.unwrap();
    assert_eq!(job.summary.created_by, "ann");
    // Also when somebody else runs it.
    let job = running.schedules.run(&owner(), schedule.id, "k", TRACE.to_owned()).await.unwrap();
    assert_eq!(job.summary.created_by, "ann");
    let viewer = flowork_engine::jobs::Caller { may_act: false, ..owner() };
    assert!(schedules.get(&viewer, schedule.id).await.unwrap().allowed_actions.is_empty());
    running.stop().await;
}

#[tokio::test]
async fn running_now_makes_one_job_a_key_and_leaves_the_due_times_alone() {
    let world = World::at("2026-01-01T00:00:00Z");
    let running = world.start().await;
    let schedule = running.create(&json!({"interval_ms": 60_000, "enabled": false})).await;
    let schedules = &running.schedules;
    let run = |key: &'static str| async move { schedules.run(&owner(), schedule.id, key, TRACE.to_owned()).await };
    let first = run("a").await.unwrap().summary.id;
    assert_eq!(run("a").await.unwrap().summary.id, first);
    assert_ne!(run("b").await.unwrap().summary.id, first);
    let now = running.schedules.get(&owner(), schedule.id).await.unwrap();
    assert_eq!((now.last_fired_at, now.last_job_id, now.enabled), (None, None, false));
    running.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_far_does_not_stop_a_schedule() {
    let world = World::at("2026-01-01T00:00:00Z");
    let running = world.start().await;
    let schedule = running.create(&json!({"cron": "* * * * *", "missed": "skip"})).await;
    // Ten years ahead by mistake.
    running.pass(HOUR * 24 * 3650);
    running.until(&schedule, |now| now.last_skipped.is_some()).await;
    running.stop().await;
    let world = world.with_clock("2026-01-01T01:00:30Z");
    let running = world.start().await;
    // The timer looks once at the start; from then on it counts from the right time.
    running.until(&schedule, |now| now.next_runs[0].at == time("2026-01-01T01:01:00Z")).await;
    running.pass(MINUTE);
    running.until(&schedule, |now| now.last_due_at == Some(time("2026-01-01T01:01:00Z"))).await;
    running.stop().await;
}

#[tokio::test]
async fn what_could_never_run_is_refused_when_it_is_made() {
    let world = World::at("2026-01-01T00:00:00Z");
    let running = world.start().await;
    let fields = |error: WriteError| match error {
        WriteError::InvalidFields { errors } => errors[0].field.clone(),
        WriteError::Timing(error) => error.field().to_owned(),
        WriteError::Job(error) => format!("job: {error}"),
        other => other.to_string(),
    };
    let daily = |more: serde_json::Value| {
        let mut body = json!({"cron": "@daily"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let long = "x".repeat(101);
    let large = "x".repeat(70_000);
    let cases = [
        (json!({"cron": "0 0 30 2 *"}), "/cron"),
        (json!({"cron": "@daily", "time_zone": "Mars/Base"}), "/time_zone"),
        (json!({}), "/cron"),
        (daily(json!({"name": "  "})), "/name"),
        (daily(json!({"name": long})), "/name"),
        (daily(json!({"name": "a\nb"})), "/name"),
        (daily(json!({"job": {"kind": "slep"}})), "job: there is no job kind \"slep\""),
        (daily(json!({"job": {"kind": "sleep"}})), "job: the payload does not fit the kind sleep"),
        (daily(json!({"job": {"kind": "noop", "delay_ms": 5}})), "/job/delay_ms"),
        (daily(json!({"job": {"kind": "noop", "run_at": "2026-01-02T00:00:00Z"}})), "/job/run_at"),
        (daily(json!({"job": {"kind": "noop", "expires_at": "2026-01-02T00:00:00Z"}})), "/job/expires_at"),
        (daily(json!({"job": {"kind": "noop", "payload": large}})), "/job"),
    ];
    for (body, expected) in cases {
        let error = running.schedules.create(&owner(), request(&body)).await.expect_err("it should be refused");
        assert_eq!(fields(error), expected, "{body}");
    }
    let preview = |count| {
        running.schedules.preview(PreviewScheduleRequest {
            cron: Some("@daily".to_owned()),
            count: Some(count),
            ..PreviewScheduleRequest::default()
        })
    };
    assert_eq!(fields(preview(51).unwrap_err()), "/count");
    assert_eq!(fields(preview(0).unwrap_err()), "/count");
    assert_eq!(preview(50).unwrap().runs.len(), 50);
    running.stop().await;
}

#[tokio::test]
async fn a_schedule_enqueues_nothing_of_a_kind_that_is_closed_to_its_maker() {
    let world = World::at("2026-01-01T00:00:00Z");
    let (control, engines) = world.open().await;
    let ada = control.create_member("Ada", Role::Member, world.clock.now()).await.unwrap();
    let away = ScheduleText {
        name: "of an engine that is away".to_owned(),
        cron: None,
        time_zone: None,
        interval_ms: Some(60_000),
        anchor: Some(world.clock.now()),
        job: serde_json::from_value(json!({"kind": "gone"})).unwrap(),
        missed: MissedRuns::Once,
        overlap: Overlap::Allow,
        enabled: true,
    };
    let away = control.create_schedule(&ada.subject, away, world.clock.now()).await.unwrap().unwrap().id;
    close(control, engines).await;

    let running = world.start().await;
    let away = running.schedules.get(&owner(), away).await.unwrap();
    let body = request(&json!({"interval_ms": 60_000, "overlap": "allow"}));
    let schedule = running.schedules.create(&member(&ada.subject), body).await.unwrap();
    running.pass(MINUTE);
    let fired = running.until(&schedule, |now| now.last_fired_at.is_some()).await;
    assert_eq!(fired.last_error, None);
    let waits = running.until(&away, |now| now.last_error.is_some()).await.last_error.unwrap();
    assert_eq!((waits.code.as_str(), waits.retrying), ("UNKNOWN_KIND", true), "nobody has decided yet");

    for kind in ["noop", "gone"] {
        running.control.set_kind_grant(kind, Some(vec![Role::Operator]), running.clock.now()).await.unwrap();
    }
    running.pass(MINUTE);
    for schedule in [&schedule, &away] {
        let is_refused = |now: &Schedule| now.last_error.as_ref().is_some_and(|error| error.code == "KIND_NOT_ALLOWED");
        let refused = running.until(schedule, is_refused).await;
        let error = refused.last_error.unwrap();
        assert!(!error.retrying && error.message.contains("the owner of this node can open the kind"), "{error:?}");
        assert_eq!(refused.last_skipped.unwrap().reason, SkipReason::Refused);
    }
    assert_eq!(running.jobs().await.len(), 1);

    let promoted = MemberChange { name: None, role: Some(Role::Operator), disabled: None };
    running.control.update_member(&ada.subject, promoted, running.clock.now()).await.unwrap();
    running.pass(MINUTE);
    let due = Some(time("2026-01-01T00:03:00Z"));
    running.until(&schedule, |now| now.last_due_at == due && now.last_fired_at == due).await;
    assert_eq!(running.jobs().await.len(), 2, "with the right, the runs are back");
    running.stop().await;
}
