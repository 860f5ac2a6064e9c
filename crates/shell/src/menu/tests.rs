use super::*;
use crate::{
    view::tests::{notice, status},
    words::Language,
};

fn words() -> Words {
    Words::load(&Language::Tag("en".to_owned()))
}

fn running(hosting: Hosting) -> NodeView {
    NodeView::of(&status(), Some((1, 8)), hosting)
}

/// Each entry as a line: disabled ones in brackets, submenus indented.
fn drawn(entries: &[Entry]) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in entries {
        match entry {
            Entry::Text(text) => lines.push(format!("= {text}")),
            Entry::Action { label, enabled: true, .. } => lines.push(label.clone()),
            Entry::Action { label, .. } => lines.push(format!("[{label}]")),
            Entry::Check { label, checked, enabled, .. } => {
                let mark = if *checked { "x" } else { "o" };
                lines.push(if *enabled { format!("{mark} {label}") } else { format!("[{mark} {label}]") });
            }
            Entry::Separator => lines.push("-".to_owned()),
            Entry::Submenu { label, entries } => {
                lines.push(format!("{label} >"));
                lines.extend(drawn(entries).into_iter().map(|line| format!("  {line}")));
            }
        }
    }
    lines
}

#[test]
fn menu_of_a_busy_node_of_this_app() {
    let mut status = status();
    status.drain.running = 2;
    status.engines[0].queued = 5;
    status.notices.push(notice("SHARD_QUARANTINED"));
    let menu = tray_menu(&NodeView::of(&status, Some((1, 8)), Hosting::Own), &words());
    let expected = [
        "= Busy: 2 jobs are running, 5 waiting",
        "= Runs in this app",
        "= 1 thing needs a look",
        "-",
        "Open dashboard",
        "-",
        "[Start (it is running)]",
        "Drain: take no new jobs",
        "Stop",
        "4 workers >",
        "  One fewer",
        "  One more",
        "  -",
        "  x By load, 1 to 8",
        "-",
        "Copy address",
        "Open log folder",
        "Settings…",
        "-",
        "Quit",
    ];
    assert_eq!(drawn(&menu), expected);
}

#[test]
fn what_cannot_be_done_is_there_with_the_reason() {
    let check = |view: &NodeView, expected: &[&str]| {
        let menu = drawn(&tray_menu(view, &words()));
        for line in expected {
            assert!(menu.iter().any(|found| found == line), "{line} is not in {menu:#?}");
        }
    };
    check(
        &running(Hosting::Service { pid: 12_345 }),
        &["= Runs as a service (process 12345)", "[Stop (it runs as a service)]"],
    );
    check(
        &NodeView::stopped(),
        &[
            "= Stopped",
            "Start",
            "[Drain: take no new jobs (it is not running)]",
            "[Stop (it is not running)]",
            "Workers (it is not running) >",
            "[Copy address (it is not running)]",
        ],
    );
    check(&NodeView::starting(), &["[Start (it is starting)]", "[Stop (it is starting)]"]);
    check(&running(Hosting::Own).unreachable(), &["= Not answering", "[Start (it is running)]", "Stop"]);
    check(&running(Hosting::Service { pid: 7 }).unreachable(), &["= Not answering", "Start"]);
    check(&NodeView::failed(notice("START_FAILED")), &["= Could not start", "= 1 thing needs a look", "Start"]);
    let mut draining = running(Hosting::Own);
    (draining.phase, draining.allowed.drain) = (Phase::Draining { left: 3 }, false);
    check(&draining, &["= Draining: 3 jobs left", "[Drain: take no new jobs (it is draining)]"]);
    draining.allowed.undrain = true;
    check(&draining, &["End the drain"]);
}

#[test]
fn workers_are_counted_down_to_one_and_are_by_load_until_somebody_decides() {
    let workers = |now, fixed| {
        let mut view = running(Hosting::Own);
        view.workers = Workers { now, min: 1, max: 8, fixed };
        drawn(&[Lines { view: &view, words: &words() }.workers()])
    };
    assert!(workers(1, true).contains(&"  [One fewer (fewer would be a drain)]".to_owned()));
    assert!(workers(WORKERS_MAX, true).contains(&"  [One more (there are no more)]".to_owned()));
    assert!(workers(1, true).contains(&"  o By load, 1 to 8".to_owned()));
    assert!(workers(2, false).contains(&"  x By load, 1 to 8".to_owned()));
    let mut older = running(Hosting::Own);
    older.allowed.workers = false;
    let menu = drawn(&[Lines { view: &older, words: &words() }.workers()]);
    assert_eq!(menu, ["Workers (this node does not offer it) >", "  [o By load]"]);
}

#[test]
fn ids_of_commands_are_read_back_and_each_command_has_a_label() {
    for command in Command::ALL {
        assert_eq!(command.as_str().parse(), Ok(command));
        assert!(label(command, &words()).len() > 2);
    }
    assert_eq!("format-disk".parse::<Command>(), Err(UnknownCommand("format-disk".to_owned())));
}

#[test]
fn every_command_is_somewhere_in_the_menus() {
    fn commands(entries: &[Entry]) -> Vec<Command> {
        let found = entries.iter().flat_map(|entry| match entry {
            Entry::Action { command, .. } | Entry::Check { command, .. } => vec![*command],
            Entry::Submenu { entries, .. } => commands(entries),
            Entry::Text(_) | Entry::Separator => Vec::new(),
        });
        found.collect()
    }
    let mut draining = running(Hosting::Own);
    draining.allowed.undrain = true;
    let menus = [running(Hosting::Own), draining].map(|view| commands(&tray_menu(&view, &words()))).concat();
    for command in Command::ALL {
        assert!(menus.contains(&command), "{command:?}");
    }
}
