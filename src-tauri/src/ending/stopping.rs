//! Stopping a node, and waiting for that only so long.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::Wish;
use crate::node::OwnNode;

/// Stops a node, even if nobody waits for that any longer. Says whether it came to its end.
pub(super) async fn stop(own: OwnNode) -> bool {
    let stopping = tauri::async_runtime::spawn(async move {
        if let Some(node) = own.write().await.take() {
            node.stop().await;
        }
    });
    let stopped = stopping.await;
    if let Err(error) = &stopped {
        tracing::error!(%error, "the node was not stopped in order");
    }
    stopped.is_ok()
}

/// Waits until somebody wishes for this.
pub(super) async fn wish_of(wished: &mut UnboundedReceiver<Wish>, wish: Wish) {
    loop {
        match wished.recv().await {
            Some(wished) if wished == wish => return,
            // Too late, or of no matter here.
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

/// Waits for the node to stop, and not for ever: somebody who asks again shortens it, too. Says whether all was in order;
/// `None` where it still stops.
pub(super) async fn stopped(
    stopping: impl Future<Output = bool>,
    wished: &mut UnboundedReceiver<Wish>,
    within: Duration,
    at_once: Duration,
) -> Option<bool> {
    tokio::pin!(stopping);
    tokio::select! {
        in_order = &mut stopping => return Some(in_order),
        () = wish_of(wished, Wish::Force) => {}
        () = tokio::time::sleep(within) => {}
    }
    if tokio::time::timeout(at_once, stopping).await.is_err() {
        tracing::warn!("the node takes too long to stop");
        return None;
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[tokio::test]
    async fn stopping_ends_when_it_is_forced_or_takes_too_long() {
        const LONG: Duration = Duration::from_hours(1);
        let never = std::future::pending::<bool>;
        let (wishes, mut wished) = unbounded_channel();
        assert_eq!(stopped(std::future::ready(true), &mut wished, LONG, LONG).await, Some(true), "in order");
        assert_eq!(stopped(never(), &mut wished, Duration::ZERO, Duration::ZERO).await, None, "it has a bound");
        wishes.send(Wish::Force).unwrap();
        let late = async {
            tokio::task::yield_now().await;
            true
        };
        assert_eq!(stopped(late, &mut wished, LONG, LONG).await, Some(false), "hurried is not in order");
        wishes.send(Wish::Cancel).unwrap();
        wishes.send(Wish::Force).unwrap();
        assert_eq!(stopped(never(), &mut wished, LONG, Duration::ZERO).await, None, "somebody does not want to wait");
        wishes.send(Wish::Cancel).unwrap();
        wishes.send(Wish::Leave).unwrap();
        wish_of(&mut wished, Wish::Leave).await;
        drop(wishes);
        assert_eq!(
            stopped(never(), &mut wished, Duration::ZERO, Duration::ZERO).await,
            None,
            "nobody can say so any more"
        );
    }
}
