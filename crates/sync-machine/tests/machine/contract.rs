//! The machine, line by line of what is promised.

use flowork_api_types::session::{SessionAction, SessionStatus, SyncMode};
use flowork_sync_machine::{Applied, Command, Refusal, Session, validate};
use serde_json::{Value, json};

use flowork_test_support::sessions::{group, participant, request};

const SWITCH: Command = Command::Switch { next: None };

fn session(more: &Value) -> Session {
    Session::new(request(more), "owner".into(), 0).unwrap()
}

fn running(more: &Value) -> Session {
    let mut session = session(more);
    done(session.apply(Command::Start, 0));
    session
}

/// What was asked was done.
fn done(applied: Applied) -> Applied {
    assert_eq!(applied.refused, None);
    applied
}

fn players(count: u32, total_time_ms: u64) -> Value {
    let player = |number| json!({"participant_id": participant(number), "participant_index": number, "total_time_ms": total_time_ms});
    (0..count).map(player).collect()
}

fn left(session: &Session) -> Vec<u64> {
    session.participants().iter().map(|one| one.total_time_ms).collect()
}

fn used(session: &Session) -> Vec<u64> {
    session.participants().iter().map(|one| one.time_used_ms).collect()
}

fn expired(session: &Session) -> Vec<bool> {
    session.participants().iter().map(|one| one.has_expired).collect()
}

fn active(session: &Session) -> Option<u32> {
    let one = session.participants().into_iter().find(|one| one.is_active);
    assert_eq!(session.state().active_participant_id, one.as_ref().map(|one| one.participant_id));
    one.map(|one| one.participant_index)
}

#[test]
fn every_field_is_there_also_when_it_is_null() {
    let state = serde_json::to_value(session(&json!({})).state()).unwrap();
    let null = [
        "active_participant_id",
        "time_per_cycle_ms",
        "cycle_started_at",
        "session_started_at",
        "session_completed_at",
        "increment_ms",
        "max_time_ms",
        "metadata",
    ];
    for field in null {
        assert_eq!(state.get(field), Some(&Value::Null), "{field}");
    }
    assert_eq!(state["created_at"], "1970-01-01T00:00:00.000Z");
    let one = &state["participants"][0];
    assert_eq!((one.get("group_id"), &one["has_expired"]), (Some(&Value::Null), &json!(false)));
}

#[test]
fn statuses_allow_what_the_table_says_and_name_themselves_otherwise() {
    use SessionStatus::{Cancelled, Completed, Paused, Pending, Running};
    let all = [Command::Start, SWITCH, Command::Pause, Command::Resume, Command::Complete, Command::Cancel];
    let allowed = |status| match status {
        Pending => vec![(0, Running), (4, Completed), (5, Cancelled)],
        Running => vec![(1, Running), (2, Paused), (4, Completed), (5, Cancelled)],
        Paused => vec![(3, Running), (4, Completed), (5, Cancelled)],
        _ => vec![],
    };
    let mut ended = running(&json!({"action_on_timeout": "end_session"}));
    assert_eq!(ended.catch_up(10_000).len(), 1);
    let mut paused = running(&json!({}));
    done(paused.apply(Command::Pause, 1));
    let (mut completed, mut cancelled) = (running(&json!({})), session(&json!({})));
    done(completed.apply(Command::Complete, 1));
    done(cancelled.apply(Command::Cancel, 1));
    for from in [session(&json!({})), running(&json!({})), paused, completed, cancelled, ended] {
        let status = from.status();
        let mut names = Vec::new();
        for (index, command) in all.into_iter().enumerate() {
            let mut to = from.clone();
            let applied = to.apply(command, 2);
            match allowed(status).into_iter().find(|(allowed, _)| *allowed == index) {
                Some((_, target)) => {
                    assert_eq!((applied.refused, to.status()), (None, target), "{command:?}");
                    assert_eq!(to.version(), from.version() + 1);
                    names.push(command.action());
                }
                None => {
                    let refusal = Refusal::InvalidTransition { status, action: command.action() };
                    assert_eq!((applied.refused, &to), (Some(refusal), &from));
                    assert!(refusal.to_string().contains(status.as_str()));
                }
            }
        }
        assert_eq!(from.allowed_actions(), names, "what is offered is what is possible");
    }
}

#[test]
fn turns_go_in_the_order_of_the_list_and_round_again() {
    let mut players = players(3, 10_000);
    // The index is for display only.
    for (place, index) in [7, 3, 5].into_iter().enumerate() {
        players[place]["participant_index"] = json!(index);
    }
    let mut session = running(&json!({"participants": players}));
    let order: Vec<_> = std::iter::once(active(&session))
        .chain((1..5).map(|at| {
            done(session.apply(SWITCH, at));
            active(&session)
        }))
        .collect();
    assert_eq!(order, [7, 3, 5, 7, 3].map(Some));
    done(session.apply(Command::Switch { next: Some(participant(2)) }, 10));
    assert_eq!(active(&session), Some(5));
    let stranger = Command::Switch { next: Some(participant(9)) };
    let refused = session.apply(stranger, 11).refused;
    assert_eq!(refused, Some(Refusal::UnknownParticipant { participant_id: participant(9) }));
    let cycles: Vec<_> = session.participants().iter().map(|one| one.cycle_count).collect();
    assert_eq!(cycles, [2, 2, 1], "counted when switched out");
}

#[test]
fn a_single_participant_switches_to_itself() {
    let mut session = running(&json!({"participants": players(1, 10_000), "increment_ms": 500}));
    done(session.apply(SWITCH, 1_000));
    assert_eq!((active(&session), left(&session)), (Some(0), vec![9_500]));
    assert_eq!(session.participants()[0].cycle_count, 1);
}

#[test]
fn an_increment_goes_to_the_one_who_leaves_unless_their_time_ran_out() {
    let mut session = running(&json!({"increment_ms": 2_000}));
    done(session.apply(SWITCH, 3_000));
    assert_eq!(left(&session), [9_000, 10_000]);
    let applied = done(session.apply(SWITCH, 14_000));
    assert_eq!(applied.changes.last().unwrap().expired, Some(participant(1)));
    assert_eq!((left(&session), used(&session)), (vec![9_000, 0], vec![3_000, 11_000]));
    for mode in ["per_cycle", "per_group", "global", "count_up"] {
        let mut players = players(2, 10_000);
        players[0]["group_id"] = json!(group(0));
        players[1]["group_id"] = json!(group(1));
        let more =
            json!({"sync_mode": mode, "participants": players, "increment_ms": 2_000, "time_per_cycle_ms": 9_000});
        let mut session = running(&more);
        done(session.apply(SWITCH, 1_000));
        assert!(left(&session)[0] <= 10_000, "{mode} has no increments");
    }
}

#[test]
fn pause_charges_and_keeps_who_is_active() {
    let mut session = running(&json!({}));
    done(session.apply(Command::Pause, 4_000));
    assert_eq!((active(&session), left(&session)[0]), (Some(0), 6_000));
    assert_eq!((session.next_expiry_ms(), session.state().cycle_started_at), (None, None));
    done(session.apply(Command::Resume, 1_000_000));
    assert_eq!(session.next_expiry_ms(), Some(1_006_000));
    done(session.apply(Command::Complete, 1_001_000));
    assert_eq!((active(&session), used(&session)[0]), (None, 5_000), "the open cycle is charged first");
}

#[test]
fn a_cycle_counts_down_anew_and_across_pauses() {
    let mut session = running(&json!({"sync_mode": "per_cycle", "time_per_cycle_ms": 5_000}));
    done(session.apply(Command::Pause, 3_000));
    assert_eq!(session.computed(90_000).active_remaining_ms, Some(2_000));
    done(session.apply(Command::Resume, 100_000));
    assert_eq!(session.next_expiry_ms(), Some(102_000));
    assert_eq!(session.catch_up(103_000).len(), 1);
    assert_eq!((expired(&session), session.status()), (vec![true, false], SessionStatus::Running));
    let applied = done(session.apply(SWITCH, 104_000));
    assert_eq!(applied.changes.last().unwrap().expired, Some(participant(0)));
    assert_eq!((used(&session), left(&session)), (vec![7_000, 0], vec![3_000, 10_000]), "balances record use");
    assert_eq!(session.next_expiry_ms(), Some(109_000));
    done(session.apply(SWITCH, 105_000));
    assert_eq!(expired(&session), [false, false], "a new cycle is a new chance");
}

#[test]
fn a_group_shares_one_balance_and_expires_as_one() {
    let mut players = players(4, 6_000);
    for (place, of) in [0, 1, 0, 1].into_iter().enumerate() {
        players[place]["group_id"] = json!(group(of));
    }
    let mut session = running(&json!({"sync_mode": "per_group", "participants": players}));
    done(session.apply(SWITCH, 2_000));
    done(session.apply(SWITCH, 3_000));
    assert_eq!(left(&session), [4_000, 5_000, 4_000, 5_000]);
    assert_eq!(session.next_expiry_ms(), Some(7_000), "the first group has had two seconds of its six");
    session.catch_up(7_000);
    assert_eq!(expired(&session), [true, false, true, false]);
    assert_eq!(used(&session), [2_000, 1_000, 4_000, 0]);
}

#[test]
fn a_global_countdown_is_everybodys() {
    let mut session = running(&json!({"sync_mode": "global", "total_time_ms": 9_000}));
    done(session.apply(SWITCH, 5_000));
    assert_eq!((active(&session), session.next_expiry_ms()), (Some(1), Some(9_000)));
    session.catch_up(20_000);
    assert_eq!((expired(&session), left(&session)), (vec![true, true], vec![10_000, 10_000]));
    let applied = done(session.apply(SWITCH, 20_000));
    assert_eq!((applied.changes.len(), applied.changes[0].expired), (1, Some(participant(1))));
}

#[test]
fn a_stopwatch_counts_up_to_its_cap() {
    let mut endless = running(&json!({"sync_mode": "count_up"}));
    assert_eq!(endless.next_expiry_ms(), None);
    done(endless.apply(SWITCH, 90_000_000));
    assert_eq!((used(&endless)[0], left(&endless)), (90_000_000, vec![10_000, 10_000]));
    let mut capped = running(&json!({"sync_mode": "count_up", "max_time_ms": 8_000}));
    done(capped.apply(SWITCH, 5_000));
    assert_eq!(capped.catch_up(8_000).len(), 1);
    done(capped.apply(SWITCH, 60_000));
    assert_eq!((used(&capped), expired(&capped)), (vec![5_000, 3_000], vec![true, true]));
    assert_eq!(capped.computed(99_000).active_elapsed_ms, Some(0), "it stands still");
    assert_eq!(capped.summary(99_000).time_used_ms, 8_000, "a list tells the sum without those who take part");
}

#[test]
fn time_that_runs_out_is_marked_and_the_next_switch_tells_who() {
    let mut session = running(&json!({}));
    let changes = session.catch_up(12_000);
    assert_eq!((changes.len(), changes[0].at_ms, changes[0].version), (1, 10_000, 3));
    assert_eq!((session.status(), expired(&session)[0], left(&session)[0]), (SessionStatus::Running, true, 0));
    assert_eq!(session.updated_at_ms(), 10_000, "at the instant it was due, not when it was noticed");
    assert_eq!(session.next_expiry_ms(), None, "once");
    let change = done(session.apply(SWITCH, 13_000)).changes.pop().unwrap();
    assert_eq!(change.expired, Some(participant(0)));
    assert_eq!(used(&session)[0], 13_000, "use goes on being recorded");
    let change = done(session.apply(SWITCH, 14_000)).changes.pop().unwrap();
    assert_eq!(change.expired, None);
}

#[test]
fn a_session_may_end_when_time_runs_out() {
    let mut session = running(&json!({"action_on_timeout": "end_session"}));
    assert_eq!(session.catch_up(60_000).len(), 1);
    let state = session.state();
    assert_eq!((state.status, state.active_participant_id), (SessionStatus::Expired, None));
    assert_eq!(state.session_completed_at.unwrap().as_millis(), 10_000);
    let refusal = Refusal::InvalidTransition { status: SessionStatus::Expired, action: SessionAction::Complete };
    assert_eq!(session.apply(Command::Complete, 60_000).refused, Some(refusal));
}

#[test]
fn the_server_advances_past_those_without_time_and_ends_when_nobody_has_any() {
    let mut session = running(&json!({"participants": players(3, 10_000), "action_on_timeout": "auto_advance"}));
    done(session.apply(Command::Switch { next: Some(participant(1)) }, 1_000));
    let changes = session.catch_up(11_000);
    let seen: Vec<_> = changes.iter().map(|change| (change.event.as_str(), change.version, change.at_ms)).collect();
    assert_eq!(seen, [("participant_expired", 4, 11_000), ("cycle_switched", 5, 11_000)]);
    assert_eq!(active(&session), Some(2));
    session.catch_up(21_000);
    assert_eq!(active(&session), Some(0), "the second one has no time left and is skipped");
    done(session.apply(SWITCH, 22_000));
    assert_eq!(active(&session), Some(0), "a switch skips them too");
    let changes = session.catch_up(60_000);
    assert_eq!((changes.len(), session.status()), (1, SessionStatus::Expired));
    assert_eq!((session.ended_at_ms(), used(&session)), (Some(30_000), vec![10_000, 10_000, 10_000]));
}

#[test]
fn nobody_is_named_who_has_no_time_where_the_server_advances() {
    let more = json!({"participants": players(3, 10_000), "action_on_timeout": "auto_advance"});
    let mut session = running(&more);
    session.catch_up(10_000);
    assert_eq!((active(&session), expired(&session)), (Some(1), vec![true, false, false]));
    let before = session.clone();
    let named = Command::Switch { next: Some(participant(0)) };
    let refused = session.apply(named, 12_000);
    assert_eq!(refused.refused, Some(Refusal::NoTimeLeft { participant_id: participant(0) }));
    assert_eq!((refused.changes.len(), &session), (0, &before), "nothing changes");
    done(session.apply(Command::Switch { next: Some(participant(2)) }, 12_000));
    assert_eq!(active(&session), Some(2), "to that one");
    // Also where a group has none left, and never where each cycle is a new chance.
    let mut grouped = players(3, 6_000);
    for (place, of) in [0, 1, 0].into_iter().enumerate() {
        grouped[place]["group_id"] = json!(group(of));
    }
    let more = json!({"sync_mode": "per_group", "participants": grouped, "action_on_timeout": "auto_advance"});
    let mut session = running(&more);
    let named = Command::Switch { next: Some(participant(2)) };
    let refused = session.apply(named, 7_000).refused;
    assert_eq!(refused, Some(Refusal::NoTimeLeft { participant_id: participant(2) }));
    let more = json!({
        "sync_mode": "per_cycle", "time_per_cycle_ms": 5_000, "action_on_timeout": "auto_advance",
        "participants": players(3, 1_000),
    });
    let mut session = running(&more);
    done(session.apply(Command::Switch { next: Some(participant(0)) }, 7_000));
    assert_eq!(active(&session), Some(0));
    // Where nobody advances, whoever is named gets the turn, and stays without time.
    let mut session = running(&json!({"participants": players(3, 10_000)}));
    session.catch_up(10_000);
    done(session.apply(SWITCH, 11_000));
    done(session.apply(Command::Switch { next: Some(participant(0)) }, 12_000));
    assert_eq!((active(&session), expired(&session)), (Some(0), vec![true, false, false]));
}

#[test]
fn cycles_advance_for_a_day_and_a_long_absence_is_one_change() {
    const DAY_MS: i64 = 86_400_000;
    let more = json!({
        "sync_mode": "per_cycle", "time_per_cycle_ms": 1_000, "action_on_timeout": "auto_advance",
        "participants": players(3, 86_400_000),
    });
    let mut session = running(&more);
    let changes = session.catch_up(DAY_MS - 500);
    assert!(changes.len() <= 3, "{} changes", changes.len());
    assert_eq!(changes.iter().map(|change| change.cycles).sum::<u64>(), 86_399);
    assert_eq!((active(&session), session.next_expiry_ms()), (Some(2), Some(DAY_MS)));
    let changes = session.catch_up(3 * DAY_MS);
    assert_eq!((changes.len(), session.status(), session.ended_at_ms()), (1, SessionStatus::Expired, Some(DAY_MS)));
    assert_eq!(used(&session), [28_800_000; 3]);
    // The same in one step, and from the middle of a cycle that is longer than what is left of the day.
    let mut session = running(&more);
    let changes = session.catch_up(3 * DAY_MS);
    assert!(changes.len() <= 3, "{} changes", changes.len());
    assert_eq!((session.status(), session.ended_at_ms()), (SessionStatus::Expired, Some(DAY_MS)));
    assert_eq!(used(&session), [28_800_000; 3]);
    let more = json!({
        "sync_mode": "per_cycle", "time_per_cycle_ms": 7_000_000, "action_on_timeout": "auto_advance",
        "participants": players(2, 86_400_000),
    });
    let mut session = running(&more);
    done(session.apply(SWITCH, 5_000_000));
    session.catch_up(3 * DAY_MS);
    let ended = 5_000_000 + 13 * 7_000_000;
    assert_eq!(
        (session.status(), session.ended_at_ms()),
        (SessionStatus::Expired, Some(ended)),
        "a day after the last call, with its last cycle"
    );
}

#[test]
fn limits_of_a_request_are_told_with_field_and_code() {
    let check = |more: Value, expected: &[(&str, &str)]| {
        let errors = validate(&request(&more)).map_or_else(|errors| errors, |()| Vec::new());
        let found: Vec<_> = errors.iter().map(|error| (error.field.as_str(), error.code.as_str())).collect();
        assert_eq!(found, expected, "{more}");
    };
    for fine in [1_000, 86_400_000] {
        check(json!({"total_time_ms": fine, "time_per_cycle_ms": fine, "max_time_ms": fine}), &[]);
    }
    for wrong in [0, 999, 86_400_001] {
        check(json!({"total_time_ms": wrong}), &[("/total_time_ms", "out_of_range")]);
        check(json!({"time_per_cycle_ms": wrong}), &[("/time_per_cycle_ms", "out_of_range")]);
        check(json!({"max_time_ms": wrong}), &[("/max_time_ms", "out_of_range")]);
        check(
            json!({"participants": players(2, wrong)}),
            &[("/participants/0/total_time_ms", "out_of_range"), ("/participants/1/total_time_ms", "out_of_range")],
        );
    }
    check(json!({"increment_ms": 60_000}), &[]);
    check(json!({"increment_ms": 60_001}), &[("/increment_ms", "out_of_range")]);
    check(json!({"participants": []}), &[("/participants", "too_short")]);
    check(json!({"participants": players(1_000, 5_000)}), &[]);
    check(json!({"participants": players(1_001, 5_000)}), &[("/participants", "too_long")]);
    let mut twice = players(2, 5_000);
    twice[1]["participant_id"] = twice[0]["participant_id"].clone();
    check(json!({"participants": twice}), &[("/participants/1/participant_id", "not_unique")]);
    check(json!({"sync_mode": "per_cycle"}), &[("/time_per_cycle_ms", "required")]);
    let mut groups = players(2, 5_000);
    groups[0]["group_id"] = json!(group(0));
    check(json!({"sync_mode": "per_group", "participants": groups}), &[("/participants/1/group_id", "required")]);
    groups[1]["group_id"] = json!(group(0));
    groups[1]["total_time_ms"] = json!(6_000);
    check(
        json!({"sync_mode": "per_group", "participants": groups}),
        &[("/participants/1/total_time_ms", "group_differs")],
    );
    check(json!({"metadata": {"k": "x".repeat(4_088)}}), &[]);
    check(json!({"metadata": {"k": "x".repeat(4_089)}}), &[("/metadata", "too_long")]);
    check(json!({"metadata": ["x"]}), &[("/metadata", "type")]);
    check(json!({"metadata": "x"}), &[("/metadata", "type")]);
}

#[test]
fn times_at_an_instant_are_right_in_every_mode() {
    for mode in SyncMode::ALL {
        let mut players = players(2, 10_000);
        players[0]["group_id"] = json!(group(0));
        players[1]["group_id"] = json!(group(1));
        let more = json!({
            "sync_mode": mode, "participants": players, "time_per_cycle_ms": 10_000, "total_time_ms": 10_000,
            "max_time_ms": 10_000,
        });
        let before = session(&more).computed(50);
        assert_eq!((before.active_remaining_ms, before.active_elapsed_ms), (None, None));
        let computed = running(&more).computed(4_000);
        assert_eq!((computed.now_ms, computed.active_remaining_ms), (4_000, Some(6_000)), "{mode:?}");
        assert_eq!(computed.active_elapsed_ms, Some(4_000));
        assert_eq!(running(&more).computed(99_000).active_remaining_ms, Some(0), "never negative");
    }
}
