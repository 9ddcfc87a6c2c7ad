//! The routes of the server: page, event stream, status, health, metrics, preview.

use super::{access, access::Access, feed::Feed, preview::Preview};
use crate::dashboard::prometheus;
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::get,
};
use std::{sync::Arc, time::Instant};
use tokio_stream::{StreamExt, wrappers::BroadcastStream};

/// The page, embedded so that it needs nothing beside the program.
const PAGE: [(&str, &str, &str); 5] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_str!("page/index.html"),
    ),
    (
        "/style.css",
        "text/css; charset=utf-8",
        include_str!("page/style.css"),
    ),
    (
        "/dashboard.js",
        "text/javascript; charset=utf-8",
        include_str!("page/dashboard.js"),
    ),
    (
        "/charts.js",
        "text/javascript; charset=utf-8",
        include_str!("page/charts.js"),
    ),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

/// State that all requests share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) feed: Arc<Feed>,
    /// `None` where no preview is to be shown.
    pub(super) preview: Option<Arc<Preview>>,
    /// Most event streams at a time.
    pub(super) streams: usize,
}

pub(super) fn router(shared: Shared, access: Access) -> Router {
    let mut router = Router::new()
        .route("/events", get(events))
        .route("/api/status", get(status))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics));
    for (path, kind, text) in PAGE {
        router = router.route(
            path,
            get(async move || ([(header::CONTENT_TYPE, kind)], text)),
        );
    }
    if shared.preview.is_some() {
        router = router.route("/picture.jpg", get(preview));
    }
    router
        .with_state(shared)
        .fallback(async || (StatusCode::NOT_FOUND, "There is nothing here.\n"))
        .layer(from_fn_with_state(Arc::new(access), access::guard))
}

async fn events(State(shared): State<Shared>) -> Response {
    if shared.feed.listeners() >= shared.streams {
        return unavailable("too many pages are open");
    }
    let Some((first, receiver)) = shared.feed.join(Instant::now()) else {
        return unavailable("the monitor has ended");
    };
    // A page that fell behind gets an error here, which ends its stream.
    let stream = tokio_stream::once(Ok::<Bytes, std::io::Error>(first))
        .chain(BroadcastStream::new(receiver).map_while(Result::ok).map(Ok));
    (
        [(header::CONTENT_TYPE, "text/event-stream")],
        Body::from_stream(stream),
    )
        .into_response()
}

async fn status(State(shared): State<Shared>) -> Response {
    match shared.feed.channels().status.get() {
        Some(status) => Json(&*status).into_response(),
        None => unavailable("no frame yet"),
    }
}

async fn health(State(shared): State<Shared>) -> Response {
    match shared.feed.problem(Instant::now()) {
        None => "frames come\n".into_response(),
        Some(reason) => unavailable(&reason),
    }
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let channels = shared.feed.channels();
    let healthy = shared.feed.problem(Instant::now()).is_none();
    match prometheus::metrics(
        channels.status.get().as_deref(),
        &channels.frame_ages,
        healthy,
    ) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn preview(State(shared): State<Shared>) -> Response {
    let Some(preview) = &shared.preview else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match preview.next(&shared.feed.channels().preview).await {
        Some(bytes) => ([(header::CONTENT_TYPE, "image/jpeg")], bytes).into_response(),
        None => unavailable("no frame at present"),
    }
}

fn unavailable(reason: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response()
}
