//! Links into the app: `flowork://open` and `flowork://job/<id>`. Anybody can make one, so they only ever show something.

use std::path::{Path, PathBuf};

use flowork_api_types::JobId;

use crate::autostart::{is_usual, own_image};

/// The scheme, without a colon.
pub const SCHEME: &str = "flowork";

/// No link is longer.
const LINK_BYTES_MAX: usize = 200;

/// The entry in the list of applications by which an AppImage opens links. The name is the one that
/// `tauri-plugin-deep-link` gives it.
const HANDLER: &str = "flowork-desktop-handler.desktop";

/// What a link shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The window.
    Open,
    /// A job.
    Job(JobId),
}

/// Why a text is no link of this app.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It has another scheme, or is no URL.
    #[error("it is no flowork: link")]
    OtherScheme,
    /// It is longer than any link.
    #[error("it is too long")]
    TooLong,
    /// It names something that the app does not show.
    #[error("there is nothing to show for it")]
    UnknownTarget,
    /// It has parts that no link has: a query, a fragment, a port, a user.
    #[error("it has parts that no link has")]
    ExtraParts,
    /// The id is none of a job.
    #[error("it names no job")]
    NotAJob,
}

impl Link {
    /// Reads a link.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        if text.len() > LINK_BYTES_MAX {
            return Err(LinkError::TooLong);
        }
        let rest = text.split_once(':').filter(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME));
        let rest = rest.and_then(|(_, rest)| rest.strip_prefix("//")).ok_or(LinkError::OtherScheme)?;
        if rest.contains(['?', '#', '@', ':', '%', '\\']) {
            return Err(LinkError::ExtraParts);
        }
        // Browsers and desktops add a slash to a link that ends with its host.
        let (target, id) = rest
            .strip_suffix('/')
            .unwrap_or(rest)
            .split_once('/')
            .map_or_else(|| (rest.strip_suffix('/').unwrap_or(rest), None), |(target, id)| (target, Some(id)));
        match (target.to_ascii_lowercase().as_str(), id) {
            ("open", None) => Ok(Self::Open),
            ("job", Some(id)) => id.parse().map(Self::Job).map_err(|_| LinkError::NotAJob),
            ("job", None) => Err(LinkError::NotAJob),
            _ => Err(LinkError::UnknownTarget),
        }
    }

    /// The path in the GUI, such as `/jobs/job_…`.
    pub fn path(self) -> String {
        match self {
            Self::Open => "/".to_owned(),
            Self::Job(id) => format!("/jobs/{id}"),
        }
    }
}

/// The AppImage that this program runs from, if it does: no package has told the system that it opens links.
pub fn image() -> Option<PathBuf> {
    own_image(&std::env::current_exe().ok()?)
}

/// The entry by which an AppImage opens links, if somebody asked for it.
pub fn handler() -> Option<PathBuf> {
    handler_in(&dirs::data_dir()?)
}

/// The same where links open this data directory: they name none, so it is the usual one.
pub(crate) fn handler_on(data_dir: &Path) -> Option<PathBuf> {
    handler().filter(|_| is_usual(data_dir))
}

fn handler_in(directory: &Path) -> Option<PathBuf> {
    Some(directory.join("applications").join(HANDLER)).filter(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::tests::job_id;

    #[test]
    fn entry_is_there_once_somebody_asked_for_it() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(handler_in(directory.path()), None);
        let applications = directory.path().join("applications");
        std::fs::create_dir(&applications).unwrap();
        std::fs::write(applications.join("flowork-desktop.desktop"), "").unwrap();
        assert_eq!(handler_in(directory.path()), None, "that is a package's");
        std::fs::write(applications.join(HANDLER), "").unwrap();
        assert_eq!(handler_in(directory.path()), Some(applications.join(HANDLER)));
        assert_eq!(handler_on(directory.path()), None, "links open the usual data directory");
        assert_eq!(image(), None, "tests run from no image");
    }

    #[test]
    fn links_lead_to_paths_of_the_gui() {
        let id = job_id(1);
        assert_eq!(Link::parse("flowork://open"), Ok(Link::Open));
        assert_eq!(Link::parse("flowork://open/").unwrap().path(), "/");
        for text in [format!("flowork://job/{id}"), format!("FLOWORK://JOB/{id}/")] {
            assert_eq!(Link::parse(&text).unwrap().path(), format!("/jobs/{id}"), "{text}");
        }
    }

    #[test]
    fn whatever_else_somebody_writes_in_a_link_is_refused() {
        let id = job_id(1);
        let check = |text: &str, why| assert_eq!(Link::parse(text), Err(why), "{text}");
        check("", LinkError::OtherScheme);
        check("flowork", LinkError::OtherScheme);
        check("flowork:job", LinkError::OtherScheme);
        check("flowork:/job/1", LinkError::OtherScheme);
        check(" flowork://open", LinkError::OtherScheme);
        check("javascript:alert(1)//flowork://open", LinkError::OtherScheme);
        check("file:///etc/passwd", LinkError::OtherScheme);
        check("flowork://", LinkError::UnknownTarget);
        check("flowork://settings", LinkError::UnknownTarget);
        check("flowork://open/jobs", LinkError::UnknownTarget);
        check("flowork:////evil.example/", LinkError::UnknownTarget);
        check("flowork://job", LinkError::NotAJob);
        check("flowork://job/", LinkError::NotAJob);
        check("flowork://job/1", LinkError::NotAJob);
        check("flowork://job/../admin", LinkError::NotAJob);
        check(&format!("flowork://job/{id}/cancel"), LinkError::NotAJob);
        check(&format!("flowork://job/{id}//"), LinkError::NotAJob);
        check(&format!("flowork://job/{id}?run=1"), LinkError::ExtraParts);
        check(&format!("flowork://job/{id}#code"), LinkError::ExtraParts);
        check(&format!("flowork://me@job/{id}"), LinkError::ExtraParts);
        check(&format!("flowork://job:80/{id}"), LinkError::ExtraParts);
        check(&format!("flowork://job/%2e%2e/{id}"), LinkError::ExtraParts);
        check(&format!("flowork://job/{}", "a".repeat(LINK_BYTES_MAX)), LinkError::TooLong);
    }
}
