//! What a person is shown of the node: one value, made anew from each answer.
//!
//! Tray, menus and icon are functions of it, so they can never disagree.

use flowork_api_types::{
    EngineId,
    drain::DrainAction,
    engine::EngineLocation,
    node::{Notice, Status},
};
use url::Url;

/// What the node calls the right to change an engine's workers.
const SET_WORKERS: &str = "set_workers";

/// Notices that tell how something was set up and could be better. They stand from one start to the next, so they would
/// make an icon of alarm that nobody looks at any more.
const ADVICE: [&str; 10] = [
    "COMMANDS_WITHOUT_PROGRAMS",
    "COMMAND_NOT_FOUND",
    "DATA_DIR_OPEN",
    "PROVIDER_KEY_IN_CLEAR",
    "REACHABLE_UNENCRYPTED",
    "TRAY_MISSING",
    "UNKNOWN_VARIABLE",
    "VAULT_KEY_ON_DISK",
    "VAULT_PASSPHRASE_EXPOSED",
    "WORK_DIR_NOT_FOUND",
];

/// Whether a notice only tells how something could be set up better.
pub fn is_advice(code: &str) -> bool {
    ADVICE.contains(&code)
}

/// What the node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is being started or looked for.
    Starting,
    /// It serves, and nothing runs.
    Idle,
    /// Jobs run.
    Busy,
    /// It finishes what runs and takes nothing new.
    Draining {
        /// Jobs that still run.
        left: u32,
    },
    /// There is none, because somebody stopped it.
    Stopped,
    /// There was one, and it does not answer now.
    Unreachable,
    /// It could not be started; why is among the notices.
    Failed,
}

/// Whose node it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosting {
    /// There is none.
    None,
    /// This app's: it ends with the app.
    Own,
    /// It runs by itself, and goes on when the app ends.
    Service {
        /// Its process.
        pid: u32,
    },
}

/// The workers of the node's own engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Workers {
    /// How many there are.
    pub now: u32,
    /// Never fewer.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// Their number is set and does not follow the load.
    pub fixed: bool,
}

/// What a person can do now. Everything else is shown disabled, with the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Start the node.
    pub start: bool,
    /// Drain it.
    pub drain: bool,
    /// End the drain.
    pub undrain: bool,
    /// Stop it, draining first.
    pub stop: bool,
    /// Change how many workers it has.
    pub workers: bool,
}

/// What the tray's icon says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IconState {
    /// It serves, and nothing runs.
    Idle,
    /// Jobs run.
    Busy,
    /// It finishes what runs.
    Draining,
    /// A person should look.
    Attention,
    /// There is no node.
    Stopped,
}

impl IconState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Idle, Self::Busy, Self::Draining, Self::Attention, Self::Stopped];

    /// The name in file names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Draining => "draining",
            Self::Attention => "attention",
            Self::Stopped => "stopped",
        }
    }
}

/// What is known of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// What it does.
    pub phase: Phase,
    /// Whose it is.
    pub hosting: Hosting,
    /// Where it serves.
    pub url: Option<Url>,
    /// Its version.
    pub version: Option<String>,
    /// Its own engine, whose workers these are.
    pub engine: Option<EngineId>,
    /// Jobs that run, on all its engines.
    pub running: u32,
    /// Those of them that run in its own process: what quitting waits for.
    pub running_here: u32,
    /// Jobs that are ready and wait.
    pub queued: u64,
    /// Its workers.
    pub workers: Workers,
    /// What a person should look at.
    pub attention: Vec<Notice>,
    /// What could be set up better; no reason for an alarm.
    pub advice: Vec<Notice>,
    /// What a person can do now.
    pub allowed: Allowed,
}

impl NodeView {
    /// Before there is a node.
    pub fn starting() -> Self {
        Self {
            phase: Phase::Starting,
            hosting: Hosting::None,
            url: None,
            version: None,
            engine: None,
            running: 0,
            running_here: 0,
            queued: 0,
            workers: Workers::default(),
            attention: Vec::new(),
            advice: Vec::new(),
            allowed: Allowed::default(),
        }
    }

    /// After this app stopped its node, or before it was asked to start one.
    pub fn stopped() -> Self {
        let allowed = Allowed { start: true, ..Allowed::default() };
        Self { phase: Phase::Stopped, allowed, ..Self::starting() }
    }

    /// After a start that came to nothing.
    pub fn failed(why: Notice) -> Self {
        Self { phase: Phase::Failed, attention: vec![why], ..Self::stopped() }
    }

    /// The same node, which does not answer now.
    pub fn unreachable(&self) -> Self {
        // A start looks for it again first, wherever it may be now; a node of this app is nowhere else and can be stopped.
        let own = self.hosting == Hosting::Own;
        let allowed = Allowed { start: !own, stop: own, ..Allowed::default() };
        Self { phase: Phase::Unreachable, running: 0, running_here: 0, queued: 0, allowed, ..self.clone() }
    }

    /// What a node answered. `bounds` are the fewest and the most workers that it takes by itself.
    pub fn of(status: &Status, bounds: Option<(u32, u32)>, hosting: Hosting) -> Self {
        let running = u32::try_from(status.drain.running).unwrap_or(u32::MAX);
        let phase = match running {
            left if status.draining => Phase::Draining { left },
            0 => Phase::Idle,
            _ => Phase::Busy,
        };
        let local = status.engines.iter().find(|engine| engine.location == EngineLocation::Local);
        let workers = local.map(|engine| {
            let (min, max) = bounds.unwrap_or((engine.workers, engine.workers));
            Workers { now: engine.workers, min, max, fixed: engine.workers_fixed.is_some() }
        });
        let may = |action| status.drain.allowed_actions.contains(&action);
        let allowed = Allowed {
            start: false,
            drain: may(DrainAction::Start) && !status.draining,
            undrain: may(DrainAction::Stop),
            stop: hosting == Hosting::Own,
            workers: local.is_some_and(|engine| engine.allowed_actions.iter().any(|action| action == SET_WORKERS)),
        };
        let (advice, attention) = status.notices.iter().cloned().partition(|notice| is_advice(&notice.code));
        Self {
            phase,
            hosting,
            url: Url::parse(&status.url).ok(),
            version: Some(status.version.clone()),
            engine: local.map(|engine| engine.id),
            running,
            running_here: local.map_or(0, |engine| u32::try_from(engine.leased).unwrap_or(u32::MAX)),
            queued: status.engines.iter().map(|engine| engine.queued).sum(),
            workers: workers.unwrap_or_default(),
            attention,
            advice,
            allowed,
        }
    }

    /// What the icon says of it.
    pub fn icon(&self) -> IconState {
        match self.phase {
            Phase::Unreachable | Phase::Failed => IconState::Attention,
            Phase::Stopped => IconState::Stopped,
            Phase::Draining { .. } => IconState::Draining,
            _ if !self.attention.is_empty() => IconState::Attention,
            Phase::Busy => IconState::Busy,
            Phase::Starting | Phase::Idle => IconState::Idle,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
