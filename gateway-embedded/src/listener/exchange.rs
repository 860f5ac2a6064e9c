//! One request and its answer, as the connection sees them: tells the seat when we work and when the client does.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::Router;
use http::{Request, Response, StatusCode};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper_util::service::TowerToHyperService;

use super::{
    room::Room,
    seat::{Exchange, Seat},
};
use crate::edge::client::Arrival;

/// The router, for one connection.
pub(super) struct Exchanges {
    router: TowerToHyperService<Router>,
    arrival: Arrival,
    seat: Arc<Seat>,
    room: Arc<Room>,
}

/// A request's body. While it does not come, we wait for the client.
struct Awaited {
    body: Incoming,
    seat: Arc<Seat>,
    room: Arc<Room>,
}

/// An answer's body. The exchange is over when it has been sent.
pub(super) struct Answer {
    body: axum::body::Body,
    exchange: Option<Exchange>,
    room: Arc<Room>,
}

impl Exchanges {
    pub(super) fn new(router: Router, arrival: Arrival, seat: Arc<Seat>, room: Arc<Room>) -> Self {
        Self { router: TowerToHyperService::new(router), arrival, seat, room }
    }
}

impl hyper::service::Service<Request<Incoming>> for Exchanges {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (exchange, room) = (self.seat.begin(), Arc::clone(&self.room));
        let mut request =
            request.map(|body| Awaited { body, seat: Arc::clone(&self.seat), room: Arc::clone(&self.room) });
        request.extensions_mut().insert(self.arrival);
        let answering = self.router.call(request);
        Box::pin(async move {
            let response = answering.await?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                exchange.goes_on_as_another_protocol();
                room.somebody_left_http();
            }
            Ok(response.map(|body| Answer { body, exchange: Some(exchange), room }))
        })
    }
}

impl Body for Awaited {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_pending() {
            self.seat.stalls();
            self.room.somebody_waits();
        } else {
            self.seat.goes_on();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        drop(self.exchange.take());
        self.room.somebody_waits();
    }
}
