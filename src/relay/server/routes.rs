//! The routes; every path through them ends in an answer or in a refusal with its code.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::{ConnectInfo, MatchedPath, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{StreamExt as _, stream};
use tokio::sync::Mutex;

use super::Relay;
use super::guard::{Source, TooMuch};
use super::watched::{List, Shelf};
use crate::relay::address::{
    Label, MAX_MANIFEST_BYTES, MAX_WAIT_SECONDS, Manifest, Place, ReadToken, Refusal, Refused,
    SIGNATURE_BYTES, ShelfName, parse_key,
};
use crate::relay::shelf::{Put, ShelfError};

/// The slowest upload that is waited for, in bytes a second, beyond [`BODY_GRACE`].
const SLOWEST: u64 = 8 << 10;
const BODY_GRACE: Duration = Duration::from_secs(20);
/// The largest refused upload that is read to its end, in bytes: more than a client ever sends.
const MAX_DRAINED: u64 = 80 << 20;

type Shared = Arc<Relay>;

/// The relay's own routes.
pub(super) fn relay(shared: &Shared) -> Router {
    Router::new()
        .route("/v1/shelves/{shelf}", get(list).put(make))
        .route("/v1/shelves/{shelf}/{key}/{label}", get(entry).put(put))
        .route("/healthz", get(health))
        .fallback(|| async { Refuse::bad("there is nothing under this path") })
        .method_not_allowed_fallback(|| async { Refuse::bad("this path is read or written") })
        .layer(from_fn_with_state(Arc::clone(shared), observe))
        .with_state(Arc::clone(shared))
}

/// What a monitor asks.
pub(super) fn metrics(shared: &Shared) -> Router {
    let text = |State(relay): State<Shared>| async move {
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        ([(header::CONTENT_TYPE, kind)], relay.metrics.text())
    };
    Router::new()
        .route("/metrics", get(text))
        .route("/healthz", get(health))
        .with_state(Arc::clone(shared))
}

/// A refusal on its way out.
#[derive(Debug, Clone)]
struct Refuse {
    code: Refusal,
    message: String,
    wait: Option<u64>,
}

impl Refuse {
    fn new(code: Refusal, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            wait: None,
        }
    }

    fn bad(message: &str) -> Self {
        Self::new(Refusal::BadRequest, message)
    }
}

impl From<ShelfError> for Refuse {
    fn from(error: ShelfError) -> Self {
        match error {
            ShelfError::Taken => Self::new(
                Refusal::Taken,
                "another entry stands in this place; nothing was changed",
            ),
            ShelfError::Store(_) | ShelfError::NotOnce => {
                tracing::error!(event = "store failed", %error);
                // What a store says names buckets and paths.
                let message = "the relay's store failed; nothing is lost, try again";
                Self {
                    wait: Some(2),
                    ..Self::new(Refusal::Store, message)
                }
            }
        }
    }
}

impl From<TooMuch> for Refuse {
    fn from(TooMuch { why, wait }: TooMuch) -> Self {
        let what = match why {
            Refusal::TooManyShelves => "makes too many shelves",
            Refusal::TooManyBytes => "sends too many bytes",
            _ => "asks too often",
        };
        Self {
            wait: Some(wait),
            ..Self::new(why, format!("this address {what}; wait {wait} s"))
        }
    }
}

impl IntoResponse for Refuse {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let refused = Refused {
            code: self.code,
            message: self.message,
        };
        let body = serde_json::to_vec(&refused).unwrap_or_default();
        let json = HeaderValue::from_static("application/json");
        let mut response = (status, [(header::CONTENT_TYPE, json)], body).into_response();
        if let Some(wait) = self.wait {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
        }
        response.extensions_mut().insert(self.code);
        response
    }
}

/// Counts, times and logs; refuses who asks too often.
async fn observe(
    State(relay): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = relay.clock.elapsed();
    let route = route(&request);
    let source = relay.guard.source(peer, request.headers());
    request.extensions_mut().insert(source);
    let waits = route == "list"
        && request
            .uri()
            .query()
            .is_some_and(|query| query.contains("wait"));
    let method = request.method().clone();
    let length = length(request.headers());
    let (request, rest) = shared_body(request);
    let mut response = match relay.guard.request(source) {
        Err(too_much) if route != "health" => Refuse::from(too_much).into_response(),
        _ => next.run(request).await,
    };
    let refusal = |response: &Response| response.extensions().get::<Refusal>().copied();
    if response.status().is_client_error() && refusal(&response).is_none() {
        // What the router refuses by itself: a method, or a part that it cannot read.
        response = Refuse::bad("this is no request that a relay knows").into_response();
    }
    if refusal(&response).is_some_and(|code| code != Refusal::TooSlow) {
        drain(rest, length).await;
    }
    let time = relay.clock.elapsed().saturating_sub(begun);
    let status = response.status().as_u16();
    relay.metrics.answered(route, status);
    if !waits {
        relay.metrics.took(route, time);
    }
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    if let Some(code) = response.extensions_mut().remove::<Refusal>() {
        relay.metrics.refused(code.as_str());
        if code == Refusal::Store {
            relay.metrics.store_failed();
        }
        let code = code.as_str();
        tracing::info!(event = "refused", route, %method, status, milliseconds, code, address = %source);
    } else {
        tracing::debug!(event = "answered", route, %method, status, milliseconds);
    }
    // Nothing here is for a cache or a browser.
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if *relay.stopping.borrow() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn route(request: &Request) -> &'static str {
    let put = request.method() == axum::http::Method::PUT;
    match request
        .extensions()
        .get::<MatchedPath>()
        .map(MatchedPath::as_str)
    {
        Some("/v1/shelves/{shelf}") if put => "make",
        Some("/v1/shelves/{shelf}") => "list",
        Some("/v1/shelves/{shelf}/{key}/{label}") if put => "put",
        Some("/v1/shelves/{shelf}/{key}/{label}") => "get",
        Some("/healthz") => "health",
        _ => "none",
    }
}

async fn health(State(relay): State<Shared>) -> Response {
    let asked = tokio::time::timeout(Duration::from_secs(5), relay.shelves.reachable()).await;
    match asked {
        Ok(Ok(())) => "ok\n".into_response(),
        Ok(Err(error)) => Refuse::from(error).into_response(),
        Err(_) => Refuse::new(Refusal::Store, "the store does not answer").into_response(),
    }
}

async fn make(
    State(relay): State<Shared>,
    Path(shelf): Path<String>,
    request: Request,
) -> Result<Response, Refuse> {
    let shelf = shelf_name(&shelf)?;
    let source = source(&request);
    let body = body(request.into_body(), MAX_MANIFEST_BYTES as u64).await?;
    let manifest =
        Manifest::parse(&body).map_err(|error| Refuse::bad(&format!("the body {error}")))?;
    if manifest.name() != shelf {
        let message = "the body is not the manifest of this shelf";
        return Err(Refuse::new(Refusal::OtherShelf, message));
    }
    if let Some(known) = relay.watched.get(&shelf).await?
        && relay.watched.reread(&shelf, &known).await?
    {
        return Ok(StatusCode::OK.into_response());
    }
    relay.guard.shelf(source)?;
    let put = relay.shelves.make(&manifest).await?;
    Ok(match put {
        Put::New => {
            relay.metrics.made();
            tracing::info!(event = "made", shelf = shelf.short());
            StatusCode::CREATED
        }
        Put::Same => StatusCode::OK,
    }
    .into_response())
}

async fn list(
    State(relay): State<Shared>,
    Path(shelf): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refuse> {
    let name = shelf_name(&shelf)?;
    let wait = wait_of(query.as_deref())?;
    let shelf = readable(&relay, &name, &headers).await?;
    // A proxy that packs answers marks their tags as weak.
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|etag| etag.to_str().ok())
        .map(|etag| etag.trim_start_matches("W/"));
    let Some(known) = known else {
        let shelf = match relay.watched.reread(&name, &shelf).await? {
            true => shelf,
            false => readable(&relay, &name, &headers).await?,
        };
        return Ok(listed(&shelf.list()));
    };
    let wait = Duration::from_secs(wait.min(MAX_WAIT_SECONDS));
    let mut news = shelf.follow();
    let mut stopping = relay.stopping.clone();
    if shelf.list().etag() == known && !wait.is_zero() && !*stopping.borrow() {
        let Ok(_seat) = relay.seats.try_acquire() else {
            let message = "too many requests wait for news; ask again later";
            return Err(Refuse {
                wait: Some(5),
                ..Refuse::new(Refusal::Busy, message)
            });
        };
        let _waiting = relay.metrics.wait();
        tokio::select! {
            _ = news.wait_for(|list| list.etag() != known) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    let list = shelf.list();
    if list.etag() == known {
        return Ok((StatusCode::NOT_MODIFIED, etag(&list)).into_response());
    }
    Ok(listed(&list))
}

fn wait_of(query: Option<&str>) -> Result<u64, Refuse> {
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        return Ok(0);
    };
    let wait = query
        .strip_prefix("wait=")
        .and_then(|wait| wait.parse().ok());
    wait.ok_or_else(|| Refuse::bad("a list takes the query wait=SECONDS and no other"))
}

async fn entry(
    State(relay): State<Shared>,
    Path(parts): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refuse> {
    let place = place(&parts)?;
    readable(&relay, &place.shelf, &headers).await?;
    let Some(entry) = relay.watched.entry(&place).await? else {
        let message = "nothing stands in this place";
        return Err(Refuse::new(Refusal::NoEntry, message));
    };
    let kind = HeaderValue::from_static("application/octet-stream");
    Ok(([(header::CONTENT_TYPE, kind)], entry).into_response())
}

async fn put(
    State(relay): State<Shared>,
    Path(parts): Path<(String, String, String)>,
    request: Request,
) -> Result<Response, Refuse> {
    let place = place(&parts)?;
    let source = source(&request);
    let shelf = shelf(&relay, &place.shelf).await?;
    if !shelf.manifest.has(&place.key) {
        let message = "this write key is not one of the shelf's";
        return Err(Refuse::new(Refusal::Stranger, message));
    }
    let length =
        length(request.headers()).ok_or_else(|| Refuse::bad("an entry comes with its length"))?;
    if length > relay.limits.entry_bytes {
        let message = format!(
            "an entry of {length} bytes is over this relay's limit of {}",
            relay.limits.entry_bytes
        );
        return Err(Refuse::new(Refusal::BlobTooLarge, message));
    }
    if length < SIGNATURE_BYTES as u64 {
        return Err(Refuse::bad("the body is too short to be an entry"));
    }
    has_room(&relay, &shelf, &place, length)?;
    relay.guard.bytes(source, length)?;
    let body = body(request.into_body(), length).await?;
    place
        .blob(&body)
        .map_err(|error| Refuse::new(Refusal::Signature, format!("the entry {error}")))?;
    let put = relay.shelves.put(&place, body).await?;
    shelf.stored(&place, length);
    if place.label == Label::DONE {
        close_if_done(&relay, &place.shelf, &shelf).await?;
    }
    Ok(match put {
        Put::New => {
            relay.metrics.stored(length);
            StatusCode::CREATED
        }
        Put::Same => StatusCode::OK,
    }
    .into_response())
}

/// Closes a shelf that nobody needs any more. The store is asked: others may have said so elsewhere.
async fn close_if_done(relay: &Relay, name: &ShelfName, shelf: &Arc<Shelf>) -> Result<(), Refuse> {
    relay.watched.reread(name, shelf).await?;
    if shelf.list().done(shelf.manifest.keys()) {
        relay.shelves.close(name).await?;
        shelf.close();
        relay.metrics.closed();
        tracing::info!(event = "closed", shelf = name.short());
    }
    Ok(())
}

/// What stands already takes no room.
fn has_room(relay: &Relay, shelf: &Shelf, place: &Place, length: u64) -> Result<(), Refuse> {
    let limits = &relay.limits;
    let list = shelf.list();
    if list.has(place) {
        return Ok(());
    }
    if list.count(&place.key) >= limits.entries {
        let message = format!(
            "this write key has {} entries, as many as this relay allows",
            limits.entries
        );
        return Err(Refuse::new(Refusal::TooManyEntries, message));
    }
    if list.bytes().saturating_add(length) > limits.shelf_bytes {
        let message = format!(
            "with this entry the shelf would hold more than the {} bytes that this relay allows",
            limits.shelf_bytes
        );
        return Err(Refuse::new(Refusal::ShelfFull, message));
    }
    Ok(())
}

async fn shelf(relay: &Relay, name: &ShelfName) -> Result<Arc<Shelf>, Refuse> {
    let shelf = relay.watched.get(name).await?.ok_or_else(|| {
        let message = "there is no such shelf: it was never made, or it expired";
        Refuse::new(Refusal::NoShelf, message)
    })?;
    if shelf.list().closed() {
        let message = "this shelf is closed: every write key said that nothing more is needed";
        return Err(Refuse::new(Refusal::Closed, message));
    }
    Ok(shelf)
}

async fn readable(
    relay: &Relay,
    name: &ShelfName,
    headers: &HeaderMap,
) -> Result<Arc<Shelf>, Refuse> {
    let shelf = shelf(relay, name).await?;
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| ReadToken::parse(value.to_str().ok()?));
    if token.is_some_and(|token| shelf.manifest.lets(&token)) {
        Ok(shelf)
    } else {
        let message = "reading this shelf needs its token";
        Err(Refuse::new(Refusal::Token, message))
    }
}

fn etag(list: &List) -> [(header::HeaderName, HeaderValue); 1] {
    let etag =
        HeaderValue::from_str(list.etag()).unwrap_or_else(|_| HeaderValue::from_static("\"\""));
    [(header::ETAG, etag)]
}

fn listed(list: &List) -> Response {
    let json = HeaderValue::from_static("application/json");
    (etag(list), [(header::CONTENT_TYPE, json)], list.body()).into_response()
}

fn shelf_name(text: &str) -> Result<ShelfName, Refuse> {
    ShelfName::parse(text).ok_or_else(|| Refuse::bad("this is no shelf's name"))
}

fn place((shelf, key, label): &(String, String, String)) -> Result<Place, Refuse> {
    let shelf = shelf_name(shelf)?;
    let key = parse_key(key).ok_or_else(|| Refuse::bad("this is no write key"))?;
    let label = Label::parse(label).ok_or_else(|| Refuse::bad("this is no label"))?;
    Ok(Place { shelf, key, label })
}

fn source(request: &Request) -> Source {
    // `observe` put it there.
    request
        .extensions()
        .get::<Source>()
        .copied()
        .unwrap_or_else(Source::unknown)
}

fn length(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// How long a body of so many bytes may take.
fn time_for(bytes: u64) -> Duration {
    BODY_GRACE.saturating_add(Duration::from_secs(bytes / SLOWEST))
}

/// What is left of a request's body when its handler is done with it.
type Rest = Arc<Mutex<BodyDataStream>>;

/// Gives the handler a body that can still be read when the handler gave it up.
fn shared_body(request: Request) -> (Request, Rest) {
    let (parts, body) = request.into_parts();
    let rest = Arc::new(Mutex::new(body.into_data_stream()));
    let stream = stream::unfold(Arc::clone(&rest), async |rest| {
        let next = rest.lock().await.next().await?;
        Some((next, rest))
    });
    (Request::from_parts(parts, Body::from_stream(stream)), rest)
}

/// Takes the rest of a refused upload off the line: a connection that is closed over bytes that
/// nobody read is reset, and the client loses the refusal with it.
async fn drain(rest: Rest, length: Option<u64>) {
    let length = length.unwrap_or(MAX_MANIFEST_BYTES as u64);
    if length > MAX_DRAINED {
        return;
    }
    let mut rest = rest.lock().await;
    let mut left = length;
    let drained = async {
        while let Some(Ok(bytes)) = rest.next().await {
            left = left.saturating_sub(bytes.len() as u64);
            if left == 0 {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(time_for(length), drained).await;
}

/// Reads a body of at most `limit` bytes, in a time that goes with it.
async fn body(body: Body, limit: u64) -> Result<Bytes, Refuse> {
    let time = time_for(limit);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    match tokio::time::timeout(time, axum::body::to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Refuse::new(
            Refusal::BlobTooLarge,
            format!("the body broke off, or is larger than {limit} bytes"),
        )),
        Err(_) => Err(Refuse::new(
            Refusal::TooSlow,
            "the body did not come in time",
        )),
    }
}
