//! Getting to a node: starting one, or finding the one that has the data directory already.

use flowork_node::{Config, Flags, Holder, LockError, Node, NodeHandle, StartError};
use tauri::Url;

use crate::arguments::Arguments;
use crate::attach;
use crate::failure::Failure;

/// A node that the window can show.
pub(crate) struct Hosted {
    /// Opens the GUI and signs in, once.
    pub(crate) link: Url,
    /// The node, where this app started it. One that was found running is not this app's to stop.
    pub(crate) node: Option<NodeHandle>,
}

/// Starts a node, or attaches to the one that runs on the same data directory.
pub(crate) async fn start_or_attach(arguments: &Arguments) -> Result<Hosted, Failure> {
    let flags = Flags { data_dir: arguments.data_dir.clone(), listen: arguments.listen.clone(), ..Flags::default() };
    let config = Config::load(&flags).map_err(|error| Failure::new(&error, error.hint(), None))?;
    let logs = config.data_dir.join("logs");
    let (link, node) = match Node::start(config.clone()).await {
        Ok(node) => match node.link().await {
            Ok(link) => (link, Some(node)),
            Err(error) => {
                node.stop().await;
                return Err(Failure::new(&error, None, Some(logs)));
            }
        },
        Err(StartError::Lock(LockError::Held { holder: Some(Holder { pid, url: Some(url), .. }), .. })) => {
            let link = attach::link(&config, &url, pid).await;
            (link.map_err(|error| Failure::new(&error, error.hint(), Some(logs.clone())))?, None)
        }
        Err(error) => return Err(Failure::new(&error, error.hint(), Some(logs))),
    };
    let link = Url::parse(&link).map_err(|error| Failure::new(&error, None, Some(logs)))?;
    Ok(Hosted { link, node })
}
