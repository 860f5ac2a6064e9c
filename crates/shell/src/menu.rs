//! The menu of the tray, as a function of what is shown of the node.

use std::str::FromStr;

use flowork_api_types::engine::{WORKERS_MAX, WORKERS_MIN};

use crate::{
    view::{Allowed, Hosting, NodeView, Phase, Workers},
    words::{Arg, Words},
};

/// What a person can ask for in a menu. The ids are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Show the window.
    OpenDashboard,
    /// Start the node.
    Start,
    /// Finish what runs and take nothing new.
    Drain,
    /// Work again.
    Undrain,
    /// Drain the node with a deadline and stop it; the app stays.
    Stop,
    /// One worker fewer, from now on this number.
    WorkersFewer,
    /// One worker more, from now on this number.
    WorkersMore,
    /// As many workers as the load needs.
    WorkersAuto,
    /// Copy the node's address.
    CopyAddress,
    /// Show the folder with the logs.
    OpenLogs,
    /// Show the app's settings.
    Settings,
    /// Drain with a deadline and end the app.
    Quit,
}

impl Command {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::OpenDashboard,
        Self::Start,
        Self::Drain,
        Self::Undrain,
        Self::Stop,
        Self::WorkersFewer,
        Self::WorkersMore,
        Self::WorkersAuto,
        Self::CopyAddress,
        Self::OpenLogs,
        Self::Settings,
        Self::Quit,
    ];

    /// The id in menus.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenDashboard => "open-dashboard",
            Self::Start => "start",
            Self::Drain => "drain",
            Self::Undrain => "undrain",
            Self::Stop => "stop",
            Self::WorkersFewer => "workers-fewer",
            Self::WorkersMore => "workers-more",
            Self::WorkersAuto => "workers-auto",
            Self::CopyAddress => "copy-address",
            Self::OpenLogs => "open-logs",
            Self::Settings => "settings",
            Self::Quit => "quit",
        }
    }
}

/// An id that is none of a command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no command of a menu")]
pub struct UnknownCommand(String);

impl FromStr for Command {
    type Err = UnknownCommand;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|command| command.as_str() == id).ok_or_else(|| UnknownCommand(id.to_owned()))
    }
}

/// One line of a menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Says something and does nothing: shown as a disabled item.
    Text(String),
    /// Does something.
    Action {
        /// What.
        command: Command,
        /// In the person's language; where it is disabled, with the reason.
        label: String,
        /// Whether it can be done now.
        enabled: bool,
    },
    /// Does something, and tells whether it is so.
    Check {
        /// What.
        command: Command,
        /// In the person's language.
        label: String,
        /// Whether it is so.
        checked: bool,
        /// Whether it can be changed now.
        enabled: bool,
    },
    /// A line between groups.
    Separator,
    /// A menu of its own.
    Submenu {
        /// In the person's language.
        label: String,
        /// What is in it.
        entries: Vec<Entry>,
    },
}

/// The menu of the tray: first what the node does, then what can be done. What cannot be done now is there, disabled,
/// with the reason.
pub fn tray_menu(view: &NodeView, words: &Words) -> Vec<Entry> {
    let lines = Lines { view, words };
    let mut menu = vec![Entry::Text(status_line(view, words))];
    menu.extend(lines.hosting());
    menu.extend(lines.attention());
    menu.push(Entry::Separator);
    menu.push(lines.open());
    menu.push(Entry::Separator);
    menu.push(lines.action(Command::Start, lines.why_no_start()));
    menu.push(lines.drain());
    menu.push(lines.action(Command::Stop, lines.why_no_stop()));
    menu.push(lines.workers());
    menu.push(Entry::Separator);
    menu.push(lines.action(Command::CopyAddress, view.url.is_none().then_some("reason-not-running")));
    menu.push(lines.action(Command::OpenLogs, None));
    menu.push(lines.action(Command::Settings, None));
    menu.push(Entry::Separator);
    menu.push(lines.action(Command::Quit, None));
    menu
}

/// What the node does, in one line: the first of the menu, and the tray's tooltip.
pub fn status_line(view: &NodeView, words: &Words) -> String {
    let number = |id, name, value| words.format(id, &[(name, Arg::Number(value))]);
    let status = match view.phase {
        Phase::Starting => words.text("status-starting"),
        Phase::Idle => words.text("status-idle"),
        Phase::Busy => number("status-busy", "running", u64::from(view.running)),
        Phase::Draining { left } => number("status-draining", "left", u64::from(left)),
        Phase::Stopped => words.text("status-stopped"),
        Phase::Unreachable => words.text("status-unreachable"),
        Phase::Failed => words.text("status-failed"),
    };
    if view.queued == 0 {
        return status;
    }
    words.format("status-with-queue", &[("status", Arg::Text(&status)), ("queued", Arg::Number(view.queued))])
}

/// The label of a command, without a reason.
pub fn label(command: Command, words: &Words) -> String {
    words.text(match command {
        Command::OpenDashboard => "menu-open",
        Command::Start => "menu-start",
        Command::Drain => "menu-drain",
        Command::Undrain => "menu-undrain",
        Command::Stop => "menu-stop",
        Command::WorkersFewer => "menu-workers-fewer",
        Command::WorkersMore => "menu-workers-more",
        Command::WorkersAuto => "menu-workers-auto-plain",
        Command::CopyAddress => "menu-copy-address",
        Command::OpenLogs => "menu-logs",
        Command::Settings => "menu-settings",
        Command::Quit => "menu-quit",
    })
}

/// Makes the entries of one menu.
struct Lines<'a> {
    view: &'a NodeView,
    words: &'a Words,
}

impl Lines<'_> {
    fn hosting(&self) -> Option<Entry> {
        let text = match self.view.hosting {
            Hosting::None => return None,
            Hosting::Own => self.words.text("status-hosting-own"),
            // As text, because nobody groups the digits of a process id.
            Hosting::Service { pid } => {
                self.words.format("status-hosting-service", &[("pid", Arg::Text(&pid.to_string()))])
            }
        };
        Some(Entry::Text(text))
    }

    fn attention(&self) -> Option<Entry> {
        let count = self.view.attention.len() as u64;
        let text = self.words.format("status-attention", &[("count", Arg::Number(count))]);
        (count > 0).then_some(Entry::Text(text))
    }

    /// The window can always be opened: without a node it says why there is none.
    fn open(&self) -> Entry {
        self.action(Command::OpenDashboard, None)
    }

    fn drain(&self) -> Entry {
        let Allowed { drain, undrain, .. } = self.view.allowed;
        if undrain {
            return self.action(Command::Undrain, None);
        }
        let why = match self.view.phase {
            _ if drain => None,
            Phase::Draining { .. } => Some("reason-draining"),
            _ => Some(self.why_out_of_reach()),
        };
        self.action(Command::Drain, why)
    }

    fn workers(&self) -> Entry {
        let Workers { now, min, max, fixed } = self.view.workers;
        let why_none = match self.view.phase {
            _ if self.view.allowed.workers => None,
            Phase::Idle | Phase::Busy | Phase::Draining { .. } => Some("reason-workers-elsewhere"),
            _ => Some(self.why_out_of_reach()),
        };
        if why_none.is_some() {
            let label = self.because(self.words.text("menu-workers"), why_none);
            return Entry::Submenu { label, entries: vec![self.workers_auto(None, false, false)] };
        }
        let fewest = (now <= WORKERS_MIN).then_some("reason-fewest");
        let most = (now >= WORKERS_MAX).then_some("reason-most");
        let entries = vec![
            self.action(Command::WorkersFewer, fewest),
            self.action(Command::WorkersMore, most),
            Entry::Separator,
            self.workers_auto((min < max).then_some((min, max)), !fixed, true),
        ];
        Entry::Submenu {
            label: self.words.format("menu-workers-now", &[("now", Arg::Number(u64::from(now)))]),
            entries,
        }
    }

    fn workers_auto(&self, bounds: Option<(u32, u32)>, checked: bool, enabled: bool) -> Entry {
        let number = |value| Arg::Number(u64::from(value));
        let label = match bounds {
            Some((min, max)) => self.words.format("menu-workers-auto", &[("min", number(min)), ("max", number(max))]),
            None => label(Command::WorkersAuto, self.words),
        };
        Entry::Check { command: Command::WorkersAuto, label, checked, enabled }
    }

    fn why_no_start(&self) -> Option<&'static str> {
        match self.view.phase {
            _ if self.view.allowed.start => None,
            Phase::Starting => Some("reason-starting"),
            _ => Some("reason-running"),
        }
    }

    fn why_no_stop(&self) -> Option<&'static str> {
        match (self.view.phase, self.view.hosting) {
            _ if self.view.allowed.stop => None,
            (_, Hosting::Service { .. }) => Some("reason-service"),
            _ => Some(self.why_out_of_reach()),
        }
    }

    fn why_out_of_reach(&self) -> &'static str {
        match self.view.phase {
            Phase::Starting => "reason-starting",
            Phase::Unreachable => "reason-not-answering",
            _ => "reason-not-running",
        }
    }

    fn action(&self, command: Command, why_not: Option<&str>) -> Entry {
        let label = self.because(label(command, self.words), why_not);
        Entry::Action { command, label, enabled: why_not.is_none() }
    }

    fn because(&self, entry: String, why_not: Option<&str>) -> String {
        let Some(reason) = why_not.map(|reason| self.words.text(reason)) else { return entry };
        self.words.format("menu-disabled", &[("entry", Arg::Text(&entry)), ("reason", Arg::Text(&reason))])
    }
}

#[cfg(test)]
mod tests;
