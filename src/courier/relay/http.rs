//! Requests to a relay that may answer anything, late or never: every answer is bounded in size and
//! time, and read into a type.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, redirect};

use super::seal::Shelf;
use crate::json::{self, excerpt};
use crate::relay::address::{Listing, Place, Refusal, Refused, shelf_path};

/// The slowest line that is waited for, in bytes a second.
const SLOWEST: u64 = 8 << 10;
const MAX_LIST_BYTES: u64 = 16 << 20;
const MAX_REFUSAL_BYTES: u64 = 4 << 10;
const MAX_MESSAGE_CHARS: usize = 200;
/// The longest wait that a relay may ask for within one exchange, in seconds.
const LONGEST_WAIT: u64 = 10;

/// How long a relay is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For an answer, beside the time that its bytes take.
    pub answer: Duration,
    /// Before the second and the third try of what failed at once.
    pub again: [Duration; 2],
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            answer: Duration::from_secs(30),
            again: [Duration::from_millis(300), Duration::from_millis(1200)],
        }
    }
}

/// Why an address is not one that a relay could have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an address.
    #[error("is no address of a relay: {0}")]
    Malformed(String),
    /// Something in it that has no place there.
    #[error(
        "holds a user, a password, a query or a fragment, which a relay's address does not have"
    )]
    Parts,
    /// Plain HTTP to another machine.
    #[error("is not encrypted: plain http:// is for a relay on this machine; use https://")]
    Plain,
}

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nobody answered, or not in time, or somebody who is no relay.
    Away(String),
    /// The relay refused.
    Refused(Refusal, String),
    /// The answer is against what relays and clients agree on.
    Odd(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(reason) => f.write_str(reason),
            Self::Refused(code, message) => {
                write!(f, "it refused: {message} ({})", code.as_str())
            }
            Self::Odd(reason) => write!(f, "it {reason}; this is the relay's doing"),
        }
    }
}

/// What a write met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It stands, since now or before.
    Stands,
    /// The relay says that something else stands there.
    Taken,
}

/// A list, with what tells it from others.
pub(super) struct Listed {
    pub(super) listing: Listing,
    pub(super) etag: Option<HeaderValue>,
}

/// The relay at one address.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    base: String,
    patience: Patience,
}

impl Http {
    /// Reads an address, and makes the client: the proxies of the environment and the certificates
    /// of the system count for https, redirects are not followed.
    pub(super) fn new(address: &str, patience: Patience) -> Result<Self, AddressError> {
        let malformed = |error: &dyn std::fmt::Display| {
            AddressError::Malformed(excerpt(&error.to_string(), MAX_MESSAGE_CHARS))
        };
        let url = Url::parse(address).map_err(|error| malformed(&error))?;
        let host = url
            .host_str()
            .ok_or_else(|| malformed(&"it names no host"))?;
        let parts = url.query().is_some() || url.fragment().is_some();
        if parts || !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Parts);
        }
        let plain = match url.scheme() {
            "https" => false,
            "http" if is_here(host) => true,
            "http" => return Err(AddressError::Plain),
            other => return Err(malformed(&format!("{other} is neither https nor http"))),
        };
        crate::relay::use_tls_provider();
        let mut builder = Client::builder();
        if plain {
            // What nothing encrypts stays on this machine.
            builder = builder.no_proxy();
        }
        let client = builder
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(patience.connect)
            .user_agent("conclave")
            .build()
            .map_err(|error| malformed(&reasons(&error)))?;
        Ok(Self {
            client,
            base: url.as_str().trim_end_matches('/').to_owned(),
            patience,
        })
    }

    /// The address, in its one form.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Makes the shelf; as often as one likes.
    pub(super) async fn make(&self, shelf: &Shelf) -> Result<(), Trouble> {
        let path = shelf_path(shelf.name());
        let request = || {
            self.request(Method::PUT, &path, self.patience.answer)
                .header(CONTENT_TYPE, "application/json")
                .body(shelf.manifest().bytes().to_vec())
        };
        let response = self.tried(request).await?;
        match response.status() {
            StatusCode::OK | StatusCode::CREATED => Ok(()),
            _ => Err(refused(response).await),
        }
    }

    /// Reads the shelf's list.
    pub(super) async fn list(&self, shelf: &Shelf) -> Result<Listed, Trouble> {
        let path = shelf_path(shelf.name());
        let request = || self.reading(shelf, &path, self.patience.answer);
        let response = self.tried(request).await?;
        if response.status() != StatusCode::OK {
            return Err(refused(response).await);
        }
        let etag = response.headers().get(ETAG).cloned();
        let bytes = bounded(response, MAX_LIST_BYTES).await?;
        let limit = usize::try_from(MAX_LIST_BYTES).unwrap_or(usize::MAX);
        let listing = json::read(&bytes, limit)
            .map_err(|error| Trouble::Odd(format!("gave a list that {error}")))?;
        Ok(Listed { listing, etag })
    }

    /// Waits until the list is another one, or `limit` is over.
    pub(super) async fn wait(
        &self,
        shelf: &Shelf,
        etag: &HeaderValue,
        limit: Duration,
    ) -> Result<(), Trouble> {
        let path = format!("{}?wait={}", shelf_path(shelf.name()), limit.as_secs());
        let response = self
            .reading(shelf, &path, limit.saturating_add(self.patience.answer))
            .header(IF_NONE_MATCH, etag)
            .send()
            .await
            .map_err(|error| Trouble::Away(reasons(&error)))?;
        match response.status() {
            StatusCode::OK | StatusCode::NOT_MODIFIED => Ok(()),
            _ => Err(refused(response).await),
        }
    }

    /// Reads an entry of at most `limit` bytes; nothing if none stands there.
    pub(super) async fn get(
        &self,
        shelf: &Shelf,
        place: &Place,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, Trouble> {
        let path = place.path();
        let request = || self.reading(shelf, &path, self.time_for(limit));
        let response = self.tried(request).await?;
        match response.status() {
            StatusCode::OK => bounded(response, limit).await.map(Some),
            _ => match refused(response).await {
                Trouble::Refused(Refusal::NoEntry, _) => Ok(None),
                trouble => Err(trouble),
            },
        }
    }

    /// Writes an entry.
    pub(super) async fn put(&self, place: &Place, entry: &[u8]) -> Result<Written, Trouble> {
        let path = place.path();
        let request = || {
            self.request(Method::PUT, &path, self.time_for(entry.len() as u64))
                .header(CONTENT_TYPE, "application/octet-stream")
                .body(entry.to_vec())
        };
        let response = self.tried(request).await?;
        match response.status() {
            StatusCode::OK | StatusCode::CREATED => Ok(Written::Stands),
            _ => match refused(response).await {
                Trouble::Refused(Refusal::Taken, _) => Ok(Written::Taken),
                trouble => Err(trouble),
            },
        }
    }

    fn request(&self, method: Method, path: &str, time: Duration) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.base))
            .timeout(time)
    }

    fn reading(&self, shelf: &Shelf, path: &str, time: Duration) -> RequestBuilder {
        let header = shelf.token().header().expose(|header| {
            let mut value = HeaderValue::from_str(header).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        let request = self.request(Method::GET, path, time);
        match header {
            Some(header) => request.header(AUTHORIZATION, header),
            None => request,
        }
    }

    fn time_for(&self, bytes: u64) -> Duration {
        let line = Duration::from_secs(bytes.checked_div(SLOWEST).unwrap_or(0));
        self.patience.answer.saturating_add(line)
    }

    /// Sends a request, again where that may help: all of them may be repeated.
    async fn tried(&self, request: impl Fn() -> RequestBuilder) -> Result<Response, Trouble> {
        let mut waits = self.patience.again.into_iter();
        loop {
            let sent = request().send().await;
            let Some(wait) = waits.next() else {
                return sent.map_err(|error| Trouble::Away(reasons(&error)));
            };
            let wait = match &sent {
                // Who does not answer in time is not asked again at once.
                Err(error) if error.is_timeout() || error.is_builder() => None,
                Err(_) => Some(wait),
                Ok(response) => match response.status() {
                    StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                        asked_wait(response)
                    }
                    status if status.is_server_error() => Some(wait),
                    _ => None,
                },
            };
            match wait {
                None => return sent.map_err(|error| Trouble::Away(reasons(&error))),
                Some(wait) => tokio::time::sleep(wait).await,
            }
        }
    }
}

/// How long the relay asks to wait, if that is not too long.
fn asked_wait(response: &Response) -> Option<Duration> {
    let header = response.headers().get(RETRY_AFTER);
    let seconds = match header {
        None => 1,
        Some(seconds) => seconds.to_str().ok()?.parse().ok()?,
    };
    (seconds <= LONGEST_WAIT).then(|| Duration::from_secs(seconds))
}

/// Reads at most `limit` bytes of an answer.
async fn bounded(mut response: Response, limit: u64) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| Trouble::Away(reasons(&error)))?
    {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > limit {
            return Err(Trouble::Odd(format!("sent more than {limit} bytes")));
        }
    }
    Ok(bytes)
}

/// Reads why a relay did not do it. What is not in its words comes from a proxy, or from nobody who
/// knows what a relay is.
async fn refused(response: Response) -> Trouble {
    let status = response.status();
    if status.is_redirection() {
        return Trouble::Away(format!(
            "it sends elsewhere (HTTP {status}), and that is not followed; give the address that it means"
        ));
    }
    let body = bounded(response, MAX_REFUSAL_BYTES)
        .await
        .unwrap_or_default();
    let limit = usize::try_from(MAX_REFUSAL_BYTES).unwrap_or(usize::MAX);
    match json::read::<Refused>(&body, limit) {
        Ok(refused) => Trouble::Refused(refused.code, excerpt(&refused.message, MAX_MESSAGE_CHARS)),
        Err(_) => Trouble::Away(format!("HTTP {status}, and not in a relay's words")),
    }
}

/// An error with all its causes, without the address: it names the shelf.
fn reasons(error: &reqwest::Error) -> String {
    let mut text = match () {
        () if error.is_timeout() => "no answer in time".to_owned(),
        () if error.is_connect() => "no connection".to_owned(),
        () => "the connection broke".to_owned(),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    excerpt(&text, MAX_MESSAGE_CHARS)
}

/// Whether a host is this machine.
fn is_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_strictly() {
        for (address, base) in [
            ("https://relay.example", "https://relay.example"),
            ("https://relay.example/", "https://relay.example"),
            (
                "https://Relay.Example:8443/a/b/",
                "https://relay.example:8443/a/b",
            ),
            ("http://127.0.0.1:7420", "http://127.0.0.1:7420"),
            ("http://localhost:1", "http://localhost:1"),
            ("http://[::1]:1/x", "http://[::1]:1/x"),
        ] {
            assert_eq!(
                Http::new(address, Patience::default()).unwrap().base(),
                base
            );
        }
        let wrong = |address| Http::new(address, Patience::default()).unwrap_err();
        for address in [
            "http://relay.example",
            "http://192.0.2.1",
            "http://[2001:db8::1]",
        ] {
            assert_eq!(wrong(address), AddressError::Plain);
        }
        for address in [
            "https://user@relay.example",
            "https://:secret@relay.example",
            "https://relay.example?x=1",
            "https://relay.example#x",
        ] {
            assert_eq!(wrong(address), AddressError::Parts);
        }
        for address in ["https://", "https:// x", "ftp://relay.example", "relay"] {
            assert!(
                matches!(wrong(address), AddressError::Malformed(_)),
                "{address}"
            );
        }
    }

    #[test]
    fn time_goes_with_size() {
        let patience = Patience::default();
        let http = Http::new("https://relay.example", patience).unwrap();
        assert_eq!(http.time_for(0), patience.answer);
        let minute = Duration::from_secs(60);
        assert_eq!(http.time_for(SLOWEST * 60), patience.answer + minute);
    }
}
