//! `GET /v1/audit/verify`

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    extract::State,
    response::{Response, sse},
};
use flowork_api_types::audit::{AuditProgress, AuditReport};
use flowork_audit::VerifyError;
use http::StatusCode;
use tokio::sync::{oneshot, watch};

use crate::{
    app::AppState,
    auth::credentials::Person,
    error::ApiError,
    sse::{self as stream, Feed, StreamEnd},
};

/// Checks every entry of the audit log, every signed head and the checkpoint, and streams how far it is.
///
/// The events are `progress`, with `checked` and `total`, and in the end one `report`, or `failed` with an error. Closing
/// the stream ends the check. `bye` is the last event of a stream that had to end before.
#[utoipa::path(
    get,
    path = "/v1/audit/verify",
    tag = "audit",
    responses(
        (status = 200, description = "Server-sent events", body = AuditReport, content_type = "text/event-stream"),
        (status = 409, description = "`AUDIT_CHECK_RUNS`: another check runs")
    )
)]
pub(crate) async fn verify_audit(State(app): State<AppState>, person: Person) -> Result<Response, ApiError> {
    let ended = Arc::new(AtomicBool::new(false));
    let (progress, progressed) = watch::channel(AuditProgress::default());
    let (answer, outcome) = oneshot::channel();
    let (audit, end) = (app.state.audit.clone(), Arc::clone(&ended));
    let (begin, begun) = oneshot::channel();
    let mut begin = Some(begin);
    app.audited_calls.spawn(async move {
        let hear = move |now: AuditProgress| {
            if let Some(begin) = begin.take() {
                // The caller may have gone.
                let _ = begin.send(());
            }
            progress.send_replace(now);
            if end.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let _ = answer.send(audit.verify(hear).await);
    });
    let ending = Ending(ended);
    // One that can't begin is answered as such, not by a stream.
    if begun.await.is_err() {
        return Err(outcome.await.ok().and_then(Result::err).map_or_else(ApiError::unexplained, ApiError::from));
    }
    let seat = app.streams.seat(&person)?;
    let end = StreamEnd::new(&app, &person);
    Ok(stream::answer(&app, seat, VerifyFeed { progressed, outcome: Some(outcome), end, _ending: ending }))
}

/// Ends the check when nobody listens any more.
struct Ending(Arc<AtomicBool>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct VerifyFeed {
    progressed: watch::Receiver<AuditProgress>,
    /// Gone once it was told.
    outcome: Option<oneshot::Receiver<Result<AuditReport, VerifyError>>>,
    end: StreamEnd,
    _ending: Ending,
}

impl Feed for VerifyFeed {
    async fn next(&mut self) -> Option<sse::Event> {
        let outcome = self.outcome.as_mut()?;
        tokio::select! {
            biased;
            reason = self.end.due() => {
                self.outcome = None;
                Some(stream::bye(reason))
            }
            done = outcome => {
                self.outcome = None;
                Some(match done {
                    Ok(Ok(report)) => event("report", &report),
                    Ok(Err(error)) => event("failed", &ApiError::from(error).body(None)),
                    Err(_) => event("failed", &ApiError::unexplained().body(None)),
                })
            }
            Ok(()) = self.progressed.changed() => {
                let progress = *self.progressed.borrow_and_update();
                Some(event("progress", &progress))
            }
        }
    }
}

fn event(kind: &str, data: &impl serde::Serialize) -> sse::Event {
    sse::Event::default().event(kind).data(serde_json::to_string(data).expect("reports are plain data"))
}

impl From<VerifyError> for ApiError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Busy => Self::new(StatusCode::CONFLICT, "AUDIT_CHECK_RUNS", error.to_string())
                .hint("wait for it to end, or close the stream that shows it"),
            VerifyError::Ended => Self::shutting_down(),
            VerifyError::Read(_) => Self::internal(error),
        }
    }
}
