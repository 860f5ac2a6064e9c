//! What closing the main window does.

/// What closing the main window does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// It goes, and the app stays in the tray.
    ToTray,
    /// It stays in the task bar, because the app could not be reached otherwise.
    Minimize,
    /// The app ends.
    Quit,
}

/// What decides about closing the main window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Circumstances {
    /// The person wants the app to stay.
    pub(super) keep: bool,
    /// There is a tray to stay in.
    pub(super) tray: bool,
    /// There is a node of this app, which would end with it.
    pub(super) own: bool,
    /// The window is in the task bar already, so whoever closes it means it.
    pub(super) minimized: bool,
}

impl Circumstances {
    pub(super) fn closing(self) -> Closing {
        match self {
            Self { keep: true, tray: true, .. } => Closing::ToTray,
            Self { keep: true, own: true, minimized: false, .. } => Closing::Minimize,
            _ => Closing::Quit,
        }
    }
}

/// Whether the app itself put the main window into the task bar. Not every system says whether a window is there: on Wayland
/// it is the compositor's secret. But nobody can use a window without having it in front, and that is told everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PutAway(bool);

impl PutAway {
    /// The app minimized it.
    pub(super) fn minimized(&mut self) {
        self.0 = true;
    }

    /// It was in front, or is another one.
    pub(super) fn seen(&mut self) {
        self.0 = false;
    }

    /// Whether it is minimized, as far as can be known. `told`: what the system says, if it says anything.
    pub(super) fn is_minimized(self, told: Option<bool>) -> bool {
        self.0 || told.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_keeps_the_app_where_it_can_be_reached() {
        let in_tray = Circumstances { keep: true, tray: true, own: true, minimized: false };
        assert_eq!(in_tray.closing(), Closing::ToTray);
        let service = Circumstances { own: false, ..in_tray };
        assert_eq!(service.closing(), Closing::ToTray, "it watches a service from there");
        let no_tray = Circumstances { tray: false, ..in_tray };
        assert_eq!(no_tray.closing(), Closing::Minimize);
        let meant = Circumstances { minimized: true, ..no_tray };
        assert_eq!(meant.closing(), Closing::Quit, "closed where it was minimized to");
        let only_shown = Circumstances { own: false, ..no_tray };
        assert_eq!(only_shown.closing(), Closing::Quit, "a service goes on without a window");
        for tray in [true, false] {
            let unwanted = Circumstances { keep: false, tray, ..in_tray };
            assert_eq!(unwanted.closing(), Closing::Quit, "as the person set it");
        }
    }

    #[test]
    fn window_that_the_app_minimized_is_so_until_it_was_in_front_again() {
        let mut put_away = PutAway::default();
        assert!(!put_away.is_minimized(Some(false)) && !put_away.is_minimized(None));
        assert!(put_away.is_minimized(Some(true)), "by the person");
        put_away.minimized();
        assert!(put_away.is_minimized(Some(false)), "a system that does not tell says that it is not");
        put_away.seen();
        assert!(!put_away.is_minimized(Some(false)), "somebody has brought it back");
    }
}
