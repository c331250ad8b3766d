//! One client that speaks HTTP/1.1: keys are paths, values are bodies.

mod answer;
mod metrics;
mod paced;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::state::{Pace, Shared};
use answer::{Answer, Target};
use paced::Paced;

/// The most bytes of a request before its body.
const HEAD: usize = 64 * 1024;

/// Serves `stream` until it ends, or, once `stop` is there, until its request is answered.
pub(crate) async fn serve(
    stream: TcpStream,
    shared: &Arc<Shared>,
    peer: &str,
    stop: impl Future<Output = ()>,
) {
    let service = service_fn(|request| {
        let shared = Arc::clone(shared);
        async move { Ok::<_, Infallible>(respond(&shared, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.limits.idle.unwrap_or(shared.limits.stall))
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(Paced::new(stream, shared.limits.stall)), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    match ended {
        Ok(()) => tracing::debug!(peer, "HTTP client gone"),
        Err(error) => tracing::debug!(peer, %error, "HTTP client lost"),
    }
}

/// Answers one request.
async fn respond(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    shared.count_commands(1);
    let answer = match Target::of(request.uri()) {
        Ok(Target::Health) => Answer::text(StatusCode::OK, "ok\n"),
        Ok(_) if !answer::is_admitted(shared, request.headers()) => Answer::unauthorized(),
        Ok(target) => carry_out(shared, &target, request).await,
        Err(complaint) => Answer::complaint(StatusCode::BAD_REQUEST, complaint),
    };
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A value is never a page, whatever a browser takes it for.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    for (name, value) in answer.more {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn carry_out(shared: &Shared, target: &Target, request: Request<Incoming>) -> Answer {
    match (request.method(), target) {
        (&Method::GET | &Method::HEAD, Target::Metrics) => {
            Answer::of_kind(metrics::KIND, metrics::text(shared))
        }
        (&Method::GET | &Method::HEAD, Target::Key { key, .. }) => answer::get(shared, key),
        (&Method::DELETE, Target::Key { key, .. }) => answer::delete(shared, key),
        (&Method::PUT, Target::Key { key, ttl_ms }) => match value(shared, request).await {
            Ok(value) => answer::put(shared, key, &value, *ttl_ms),
            Err(answer) => answer,
        },
        (_, Target::Key { .. }) => Answer::not_allowed("GET, HEAD, PUT, DELETE"),
        (_, Target::Metrics | Target::Health) => Answer::not_allowed("GET, HEAD"),
    }
}

/// The body of a request, if it is not too large and comes in time.
async fn value(shared: &Shared, request: Request<Incoming>) -> Result<Bytes, Answer> {
    let limit = shared.limits.request.bulk;
    let too_large = || {
        let complaint = format!(
            "the value is larger than the {limit} bytes that may be: store it in parts, or start the \
             server with a larger `--max-bulk`"
        );
        Answer::complaint(StatusCode::PAYLOAD_TOO_LARGE, complaint)
    };
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut body = Limited::new(request.into_body(), limit);
    let (mut value, mut pace) = (Vec::new(), Pace::new(shared.limits.stall));
    loop {
        let frame = match timeout(pace.left(), body.frame()).await {
            Err(_) => {
                let complaint = "the value did not come in time".to_owned();
                return Err(Answer::complaint(StatusCode::REQUEST_TIMEOUT, complaint));
            }
            Ok(None) => return Ok(value.into()),
            Ok(Some(Err(error))) if error.is::<LengthLimitError>() => return Err(too_large()),
            Ok(Some(Err(error))) => {
                return Err(Answer::complaint(StatusCode::BAD_REQUEST, error.to_string()));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        if let Some(bytes) = frame.data_ref() {
            value.extend_from_slice(bytes);
            pace.note(bytes.len(), value.len());
        }
    }
}
