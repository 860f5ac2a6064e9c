//! What the desktop app knows and decides, without a window: it needs neither Tauri nor GTK, so all of it is tested
//! where there is no screen. `src-tauri` wires it to windows, the tray and menus.
//!
//! The app is one more client of the node's HTTP surface, whether the node is in this process or runs by itself: [`client`]
//! asks, [`watch()`] listens to the node's events and makes a [`NodeView`] of what it learns, and the tray, the menus and the
//! icon are functions of that view ([`menu`], [`NodeView::icon`]).
//!
//! Around it: [`lookout`] (a node that somebody else starts on the same data), [`starts`] (recovery after starts that failed), [`leaving`] (quitting by draining), [`preferences`],
//! [`autostart`], [`links`], [`listen`] (the port that is kept), [`notifications`], [`reset`], and [`words`], which has every text that the app shows.
//!
//! Not here: windows, the tray itself, anything that is drawn.

pub mod autostart;
pub mod client;
pub mod leaving;
pub mod links;
pub mod listen;
pub mod lookout;
pub mod menu;
pub mod notifications;
pub mod preferences;
pub mod reset;
pub mod starts;
pub mod view;
pub mod watch;
pub mod words;

mod disk;

pub use autostart::{Autostart, AutostartError, Repaired};
pub use client::{ClientError, NodeClient, WorkersWish};
pub use leaving::{Leaving, LeavingState, LeavingStep};
pub use links::{Link, LinkError};
pub use listen::{KeepListenError, keep_listen};
pub use lookout::{Lookout, LookoutError, Sight};
pub use menu::{Command, Entry, label, status_line, tray_menu};
pub use notifications::{Note, Notifier};
pub use preferences::{NotifyAbout, Preferences, PreferencesError, PreferencesFile};
pub use reset::{ResetDone, ResetError, ResetItem, ResetPlan, ResetTarget};
pub use starts::{Attempt, Starts};
pub use view::{Allowed, Hosting, IconState, NodeView, Phase, Workers};
pub use watch::{Happening, Happenings, watch};
pub use words::{Arg, Language, Words};
