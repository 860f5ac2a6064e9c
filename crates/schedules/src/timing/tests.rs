use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn cron(cron: &str, zone: &str) -> TimingText {
    TimingText { cron: Some(cron.to_owned()), time_zone: Some(zone.to_owned()), ..TimingText::default() }
}

fn every(interval_ms: u64, anchor: &str) -> TimingText {
    TimingText { interval_ms: Some(interval_ms), anchor: Some(at(anchor)), ..TimingText::default() }
}

/// Due times after `after`, as the clock on the wall tells them, are `expected`.
#[track_caller]
fn check(text: &TimingText, after: &str, expected: &[&str]) {
    let timing = Timing::parse(text, at(after)).unwrap();
    let runs = timing.preview(at(after), expected.len());
    let local: Vec<_> = runs.iter().map(|run| run.local.as_str()).collect();
    assert_eq!(local, expected, "{text:?} after {after}");
}

#[test]
fn a_fixed_time_in_the_gap_is_due_at_the_first_moment_after_it() {
    let new_york = "America/New_York";
    check(
        &cron("30 2 * * *", new_york),
        "2026-03-07T12:00:00Z",
        &["Sun 2026-03-08 03:00:00 EDT", "Mon 2026-03-09 02:30:00 EDT"],
    );
    // The moment after the gap is also a time of its own; both are one run.
    check(
        &cron("0 2,3 * * *", new_york),
        "2026-03-08T00:00:00-05:00",
        &["Sun 2026-03-08 03:00:00 EDT", "Mon 2026-03-09 02:00:00 EDT", "Mon 2026-03-09 03:00:00 EDT"],
    );
    check(
        &cron("0 0,15 2 * * *", "Europe/Berlin"),
        "2026-03-28T12:00:00Z",
        &["Sun 2026-03-29 03:00:00 CEST", "Mon 2026-03-30 02:00:00 CEST", "Mon 2026-03-30 02:15:00 CEST"],
    );
    // Half an hour is missing: 2:00 to 2:30.
    check(
        &cron("15 2 * * *", "Australia/Lord_Howe"),
        "2026-10-03T00:00:00Z",
        &["Sun 2026-10-04 02:30:00 +11", "Mon 2026-10-05 02:15:00 +11"],
    );
    check(&cron("30 2 8 3 *", new_york), "2026-03-01T00:00:00Z", &["Sun 2026-03-08 03:00:00 EDT"]);
}

#[test]
fn a_fixed_time_that_comes_twice_is_due_once_the_first_time() {
    check(
        &cron("30 1 * * *", "America/New_York"),
        "2026-10-31T12:00:00Z",
        &["Sun 2026-11-01 01:30:00 EDT", "Mon 2026-11-02 01:30:00 EST"],
    );
    // Also for a node that starts between the two.
    check(&cron("30 1 * * *", "America/New_York"), "2026-11-01T06:10:00Z", &["Mon 2026-11-02 01:30:00 EST"]);
    check(
        &cron("@daily", "Europe/Berlin"),
        "2026-10-24T12:00:00Z",
        &["Sun 2026-10-25 00:00:00 CEST", "Mon 2026-10-26 00:00:00 CET"],
    );
    check(
        &cron("0,30 2 * * *", "Europe/Berlin"),
        "2026-10-24T12:00:00Z",
        &["Sun 2026-10-25 02:00:00 CEST", "Sun 2026-10-25 02:30:00 CEST", "Mon 2026-10-26 02:00:00 CET"],
    );
    // Half an hour comes twice: 1:30 to 2:00.
    check(
        &cron("45 1 * * *", "Australia/Lord_Howe"),
        "2026-04-04T00:00:00Z",
        &["Sun 2026-04-05 01:45:00 +11", "Mon 2026-04-06 01:45:00 +1030"],
    );
}

#[test]
fn what_follows_the_clock_skips_the_gap_and_runs_in_both_halves_of_the_hour_that_comes_twice() {
    check(
        &cron("*/30 * * * *", "America/New_York"),
        "2026-03-08T01:20:00-05:00",
        &["Sun 2026-03-08 01:30:00 EST", "Sun 2026-03-08 03:00:00 EDT", "Sun 2026-03-08 03:30:00 EDT"],
    );
    check(
        &cron("*/30 * * * *", "America/New_York"),
        "2026-11-01T00:50:00-04:00",
        &[
            "Sun 2026-11-01 01:00:00 EDT",
            "Sun 2026-11-01 01:30:00 EDT",
            "Sun 2026-11-01 01:00:00 EST",
            "Sun 2026-11-01 01:30:00 EST",
            "Sun 2026-11-01 02:00:00 EST",
        ],
    );
    check(
        &cron("*/20 1-2 * * *", "Australia/Lord_Howe"),
        "2026-10-04T01:30:00+10:30",
        &["Sun 2026-10-04 01:40:00 +1030", "Sun 2026-10-04 02:40:00 +11", "Mon 2026-10-05 01:00:00 +11"],
    );
    check(
        &cron("*/20 1-2 * * *", "Australia/Lord_Howe"),
        "2026-04-05T01:30:00+11:00",
        &["Sun 2026-04-05 01:40:00 +11", "Sun 2026-04-05 01:40:00 +1030", "Sun 2026-04-05 02:00:00 +1030"],
    );
    // Ranges and a star beside fixed fields are no fixed time.
    check(
        &cron("30 * * * *", "Europe/Berlin"),
        "2026-10-25T02:00:00+02:00",
        &["Sun 2026-10-25 02:30:00 CEST", "Sun 2026-10-25 02:30:00 CET", "Sun 2026-10-25 03:30:00 CET"],
    );
}

#[test]
fn zones_without_changes_and_with_odd_offsets_are_told_as_they_are() {
    check(&cron("0 9 * * MON-FRI", "Asia/Kolkata"), "2026-11-20T04:00:00Z", &["Mon 2026-11-23 09:00:00 IST"]);
    let timing = Timing::parse(&cron("0 9 * * *", "asia/kolkata"), at("2026-01-01T00:00:00Z")).unwrap();
    assert_eq!(timing.next_after(at("2026-01-01T00:00:00Z")), Some(at("2026-01-01T03:30:00Z")), "+5:30");
}

#[test]
fn calendars_are_kept_to() {
    let next = ["Tue 2028-02-29 00:00:00 UTC", "Sun 2032-02-29 00:00:00 UTC"];
    check(&cron("0 0 29 2 *", "UTC"), "2026-01-01T00:00:00Z", &next);
    // 2100 is no leap year.
    check(&cron("0 0 29 2 *", "UTC"), "2097-01-01T00:00:00Z", &["Fri 2104-02-29 00:00:00 UTC"]);
    check(&cron("0 0 31 * *", "UTC"), "2026-04-01T00:00:00Z", &["Sun 2026-05-31 00:00:00 UTC"]);
    check(&cron("0 0 L * *", "UTC"), "2026-02-01T00:00:00Z", &["Sat 2026-02-28 00:00:00 UTC"]);
    check(&cron("0 0 * * FRI#2", "UTC"), "2026-02-01T00:00:00Z", &["Fri 2026-02-13 00:00:00 UTC"]);
    check(&cron("0 0 * * 7", "UTC"), "2026-02-02T00:00:00Z", &["Sun 2026-02-08 00:00:00 UTC"]);
    // Day of month and day of week together mean either of them.
    check(&cron("0 0 13 * FRI", "UTC"), "2026-02-07T00:00:00Z", &["Fri 2026-02-13 00:00:00 UTC"]);
    check(&cron("0 0 13 * FRI", "UTC"), "2026-01-10T00:00:00Z", &["Tue 2026-01-13 00:00:00 UTC"]);
}

#[test]
fn five_fields_six_fields_and_aliases_are_read() {
    let day = "2026-05-04T10:20:30.500Z";
    check(&cron("* * * * *", "UTC"), day, &["Mon 2026-05-04 10:21:00 UTC"]);
    check(&cron(" */10 * * * * * ", "UTC"), day, &["Mon 2026-05-04 10:20:40 UTC"]);
    check(&cron("31 20 10 * * *", "UTC"), day, &["Mon 2026-05-04 10:20:31 UTC"]);
    check(&cron("@hourly", "UTC"), day, &["Mon 2026-05-04 11:00:00 UTC"]);
    check(&cron("@Daily", "UTC"), day, &["Tue 2026-05-05 00:00:00 UTC"]);
    check(&cron("@midnight", "UTC"), day, &["Tue 2026-05-05 00:00:00 UTC"]);
    check(&cron("@weekly", "UTC"), day, &["Sun 2026-05-10 00:00:00 UTC"]);
    check(&cron("@monthly", "UTC"), day, &["Mon 2026-06-01 00:00:00 UTC"]);
    check(&cron("@yearly", "UTC"), day, &["Fri 2027-01-01 00:00:00 UTC"]);
    check(&cron("0 12 * jan mon", "UTC"), day, &["Mon 2027-01-04 12:00:00 UTC"]);
}

#[test]
fn intervals_are_counted_from_their_anchor() {
    let hourly = every(3_600_000, "2026-01-01T00:10:00Z");
    check(&hourly, "2026-05-04T10:20:00Z", &["Mon 2026-05-04 11:10:00 UTC", "Mon 2026-05-04 12:10:00 UTC"]);
    check(&hourly, "2026-05-04T11:10:00Z", &["Mon 2026-05-04 12:10:00 UTC"]);
    // The anchor itself is the first run.
    check(&hourly, "2025-05-04T11:10:00Z", &["Thu 2026-01-01 00:10:00 UTC", "Thu 2026-01-01 01:10:00 UTC"]);
    // Without one, the first run is an interval away.
    let text = TimingText { interval_ms: Some(1_500), ..TimingText::default() };
    let timing = Timing::parse(&text, Timestamp(7)).unwrap();
    assert_eq!(timing.next_after(Timestamp(7)), Some(Timestamp(1_507)));
    // Real hours, whatever clocks are set to.
    let text = TimingText { time_zone: Some("Europe/Berlin".to_owned()), ..hourly };
    check(&text, "2026-03-29T00:00:00Z", &["Sun 2026-03-29 01:10:00 CET", "Sun 2026-03-29 03:10:00 CEST"]);
}

#[test]
fn what_says_no_times_is_refused_with_the_field_and_what_to_do() {
    #[track_caller]
    fn refused(text: &TimingText, field: &str, message: &str, hint: &str) {
        let parsed = Timing::parse(text, Timestamp(1_780_000_000_000));
        let error = parsed.err().unwrap_or_else(|| panic!("{text:?} is accepted"));
        let said = error.hint().unwrap_or_default();
        assert_eq!(error.field(), field, "{error}");
        assert!(error.to_string().contains(message), "{error}");
        assert!(said.contains(hint), "{said}");
    }
    refused(&cron("0 0 30 2 *", "UTC"), "/cron", "never comes true", "30 February");
    refused(&cron("0 0 31 4,6,9,11 *", "UTC"), "/cron", "never comes true", "L as day of month");
    refused(&cron("0 25 * * *", "UTC"), "/cron", "the hour field \"25\"", "numbers");
    refused(&cron("61 * * * *", "UTC"), "/cron", "the minute field \"61\"", "numbers");
    refused(&cron("99 * * * * *", "UTC"), "/cron", "the second field", "numbers");
    refused(&cron("* * * 13 *", "UTC"), "/cron", "the month field", "numbers");
    refused(&cron("* * 0 * *", "UTC"), "/cron", "the day of month field", "numbers");
    refused(&cron("* * * * MONDAY", "UTC"), "/cron", "the day of week field \"MONDAY\"", "numbers");
    refused(&cron("*/0 * * * *", "UTC"), "/cron", "the minute field", "numbers");
    refused(&cron("0/5 * * * *", "UTC"), "/cron", "the minute field", "*/10");
    refused(&cron("1,, * * * *", "UTC"), "/cron", "the minute field", "lists");
    refused(&cron("ü * * * *", "UTC"), "/cron", "the minute field", "lists");
    refused(&cron("* * * *", "UTC"), "/cron", "has 4 fields", "minute, hour");
    refused(&cron("0 0 0 1 1 * 2030", "UTC"), "/cron", "has 7 fields", "minute, hour");
    refused(&cron("", "UTC"), "/cron", "has 0 fields", "minute, hour");
    refused(&cron("@reboot", "UTC"), "/cron", "@reboot", "five fields");
    refused(&cron(&"1,".repeat(101), "UTC"), "/cron", "longer than 200", "several");
    refused(&cron("@daily", "Europe/Berln"), "/time_zone", "Europe/Berln", "did you mean Europe/Berlin");
    refused(&cron("@daily", "New York"), "/time_zone", "New York", "America/New_York");
    refused(&cron("@daily", "kolkata"), "/time_zone", "kolkata", "Asia/Kolkata");
    refused(&cron("@daily", "Etc/Unknown"), "/time_zone", "Etc/Unknown", "");
    refused(&cron("@daily", "../../etc/passwd"), "/time_zone", "passwd", "");
    refused(&cron("@daily", ""), "/time_zone", "\"\"", "IANA name");
    refused(&TimingText::default(), "/cron", "either cron or interval_ms", "@daily");
    refused(&every(999, "2026-01-01T00:00:00Z"), "/interval_ms", "not between", "");
    refused(&every(INTERVAL_MS_MAX + 1, "2026-01-01T00:00:00Z"), "/interval_ms", "not between", "");
    let both = TimingText { interval_ms: Some(1_000), ..cron("@daily", "UTC") };
    refused(&both, "/interval_ms", "not both", "");
    let anchored = TimingText { anchor: Some(Timestamp(0)), ..cron("@daily", "UTC") };
    refused(&anchored, "/anchor", "only intervals", "");
}

fn timings() -> impl Strategy<Value = TimingText> {
    let zones = vec!["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"];
    let crons = vec![
        "30 1 * * *",
        "30 2 * * *",
        "0,45 1,2 * * *",
        "*/7 * * * *",
        "15 */2 * * *",
        "*/20 1-2 * * *",
        "0 0 3,4 4,10 *",
        "@daily",
        "59 59 1 * * *",
    ];
    let cron = (prop::sample::select(crons), prop::sample::select(zones)).prop_map(|(c, z)| cron(c, z));
    let interval = (INTERVAL_MS_MIN..10_000_000_u64).prop_map(|ms| every(ms, "2026-03-01T00:00:00Z"));
    prop_oneof![4 => cron, 1 => interval]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever looks at any moment sees the same due times as somebody who has watched from the start.
    #[test]
    fn due_times_do_not_depend_on_where_the_search_starts(
        text in timings(),
        // Around the changes of clocks of 2026 in these zones.
        near in prop::sample::select(vec!["2026-03-08T07:00:00Z", "2026-03-29T01:00:00Z", "2026-04-04T15:00:00Z",
            "2026-10-03T15:30:00Z", "2026-10-25T01:00:00Z", "2026-11-01T06:00:00Z"]),
        looks in prop::collection::vec(-14_400_000_i64..14_400_000, 1..20),
    ) {
        let change = at(near).as_millis();
        let timing = Timing::parse(&text, Timestamp(change - 20_000_000)).unwrap();
        let from = Timestamp(change - 15_000_000);
        let all: Vec<Timestamp> = std::iter::successors(timing.next_after(from), |at| timing.next_after(*at))
            .take_while(|at| at.as_millis() < change + 400_000_000)
            .collect();
        prop_assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
        for look in looks {
            let look = Timestamp(change + look);
            let expected = all.iter().find(|at| **at > look);
            if let Some(expected) = expected {
                prop_assert_eq!(timing.next_after(look), Some(*expected), "after {}", look);
            }
        }
    }
}
