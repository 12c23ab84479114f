//! How much one address may do, in one instance: requests, new shelves, bytes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;

use axum::http::HeaderMap;
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use super::Limits;
use crate::relay::address::{FORWARDED_FOR, Refusal};

type Buckets = RateLimiter<Source, DashMapStateStore<Source>, DefaultClock>;

/// Who asks: an IPv4 address, or an IPv6 network of 64 bits, which is what one customer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Source(IpAddr);

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Source {
    /// Where nobody said who asks: all of these together.
    pub(super) const fn unknown() -> Self {
        Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(IpAddr::from([a, b, c, d, 0, 0, 0, 0]))
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

/// The limits by address.
pub(super) struct Guard {
    proxy: bool,
    requests: Buckets,
    shelves: Buckets,
    kibibytes: Buckets,
}

/// An address asks too much.
#[derive(Debug, Clone, Copy)]
pub(super) struct TooMuch {
    pub(super) why: Refusal,
    /// Seconds to wait, at least 1.
    pub(super) wait: u64,
}

impl Guard {
    pub(super) fn new(limits: &Limits, proxy: bool) -> Self {
        let kibibytes = limits
            .mebibytes
            .saturating_mul(NonZeroU32::MIN.saturating_add(1023));
        Self {
            proxy,
            requests: RateLimiter::keyed(Quota::per_minute(limits.requests)),
            shelves: RateLimiter::keyed(Quota::per_hour(limits.shelves)),
            kibibytes: RateLimiter::keyed(Quota::per_hour(kibibytes)),
        }
    }

    /// Says who asks: the peer, or the last one that the proxy before us names.
    pub(super) fn source(&self, peer: SocketAddr, headers: &HeaderMap) -> Source {
        let named = || {
            let last = headers.get_all(FORWARDED_FOR).iter().next_back()?;
            let last = last.to_str().ok()?.rsplit(',').next()?.trim();
            last.parse().ok()
        };
        let forwarded = if self.proxy { named() } else { None };
        Source::of(forwarded.unwrap_or_else(|| peer.ip()))
    }

    /// Counts a request.
    pub(super) fn request(&self, source: Source) -> Result<(), TooMuch> {
        one(&self.requests, source, Refusal::TooManyRequests)
    }

    /// Counts a new shelf.
    pub(super) fn shelf(&self, source: Source) -> Result<(), TooMuch> {
        one(&self.shelves, source, Refusal::TooManyShelves)
    }

    /// Counts bytes, before they are taken.
    pub(super) fn bytes(&self, source: Source, bytes: u64) -> Result<(), TooMuch> {
        let kibibytes = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let Some(cells) = NonZeroU32::new(kibibytes) else {
            return Ok(());
        };
        let why = Refusal::TooManyBytes;
        match self.kibibytes.check_key_n(&source, cells) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => Err(TooMuch {
                why,
                wait: seconds(&not_until),
            }),
            // More than the whole hour's share at once.
            Err(_) => Err(TooMuch { why, wait: 3600 }),
        }
    }

    /// Forgets addresses that have their full share again.
    pub(super) fn forget(&self) {
        for buckets in [&self.requests, &self.shelves, &self.kibibytes] {
            buckets.retain_recent();
            buckets.shrink_to_fit();
        }
    }
}

fn one(buckets: &Buckets, source: Source, why: Refusal) -> Result<(), TooMuch> {
    buckets.check_key(&source).map_err(|not_until| TooMuch {
        why,
        wait: seconds(&not_until),
    })
}

fn seconds(
    not_until: &governor::NotUntil<<DefaultClock as governor::clock::Clock>::Instant>,
) -> u64 {
    let wait = not_until.wait_time_from(DefaultClock::default().now());
    wait.as_secs().saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        let number = |n| NonZeroU32::new(n).unwrap();
        Limits {
            requests: number(3),
            shelves: number(1),
            mebibytes: number(1),
            ..Limits::default()
        }
    }

    fn source(text: &str) -> Source {
        Source::of(text.parse().unwrap())
    }

    #[test]
    fn each_address_has_its_own_share() {
        let guard = Guard::new(&limits(), false);
        let (a, b) = (source("192.0.2.1"), source("192.0.2.2"));
        for _ in 0..3 {
            guard.request(a).unwrap();
        }
        let refused = guard.request(a).unwrap_err();
        assert_eq!(refused.why, Refusal::TooManyRequests);
        assert!((1..=21).contains(&refused.wait), "{refused:?}");
        guard.request(b).unwrap();
        guard.shelf(a).unwrap();
        assert_eq!(guard.shelf(a).unwrap_err().why, Refusal::TooManyShelves);
        guard.bytes(a, 1 << 20).unwrap();
        assert_eq!(guard.bytes(a, 1).unwrap_err().why, Refusal::TooManyBytes);
        assert_eq!(guard.bytes(b, 2 << 20).unwrap_err().wait, 3600);
        guard.bytes(b, 0).unwrap();
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    }

    #[test]
    fn only_a_proxy_that_was_named_says_who_asks() {
        let peer: SocketAddr = "192.0.2.9:1".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, "198.51.100.1".parse().unwrap());
        headers.append(FORWARDED_FOR, "203.0.113.1, 198.51.100.2".parse().unwrap());
        let of = |proxy, headers: &HeaderMap| Guard::new(&limits(), proxy).source(peer, headers);
        assert_eq!(of(false, &headers), source("192.0.2.9"));
        // What a client wrote stands before what the proxy added.
        assert_eq!(of(true, &headers), source("198.51.100.2"));
        assert_eq!(of(true, &HeaderMap::new()), source("192.0.2.9"));
        headers.append(FORWARDED_FOR, "unknown".parse().unwrap());
        assert_eq!(of(true, &headers), source("192.0.2.9"));
    }
}
