//! `relay serve` as a process: its flags, logs, metrics and signals, TLS, and proxies on either side.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use conclave::relay::address::Refusal;
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::binary::{Desk, draft, plan_file};
use crate::harness::relay::{Client, Shelf, reading, sent};

/// A relay's process; killed with the value.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    /// Starts `relay serve` over the folder `store`, with more flags; its log goes to `log`.
    fn start(desk: &Desk, flags: &[&str]) -> Self {
        let store = format!("file:{}", desk.path("store").display());
        let mut args = vec![
            "relay",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--store",
            &store,
        ];
        args.extend(flags);
        let mut child = desk
            .command(&args)
            .stdout(Stdio::piped())
            .stderr(fs::File::create(desk.path("log")).unwrap())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut url).unwrap();
        let log = String::from_utf8(desk.read("log")).unwrap();
        assert!(url.starts_with("http"), "{url:?} {log}");
        Self {
            child,
            url: url.trim_end().to_owned(),
        }
    }

    fn port(&self) -> &str {
        self.url.rsplit(':').next().unwrap()
    }

    /// Sends a signal, and returns how it ended and how long that took.
    fn end(mut self, signal: Signal) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let status = self.child.wait().unwrap();
        (status.code(), begun.elapsed())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a log; each is a JSON object.
fn log(desk: &Desk) -> Vec<Value> {
    let text = String::from_utf8(desk.read("log")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .inspect(|line: &Value| assert!(line.is_object()))
        .collect()
}

/// The line that tells that a relay started, which it writes a moment after its address.
fn started(desk: &Desk) -> Value {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let text = String::from_utf8(desk.read("log")).unwrap();
        if let Some((line, _)) = text.split_once('\n') {
            return serde_json::from_str(line).unwrap();
        }
        assert!(Instant::now() < end, "the relay did not start: {text:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn events(log: &[Value]) -> Vec<&str> {
    log.iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect()
}

/// Does a little of everything.
async fn drive(desk: &Desk, client: &Client, shelf: &Shelf) {
    assert_eq!(client.make(&shelf.manifest).await.status, 201);
    assert_eq!(
        client
            .put_on(shelf, 1, b"a body that stays inside")
            .await
            .status,
        201
    );
    let taken = client.put_on(shelf, 1, b"another body").await;
    assert_eq!(taken.refusal(), Refusal::Taken);
    let list = client.list(shelf).await;
    assert_eq!(client.wait(shelf, &list.etag(), 0).await.status, 304);
    assert_eq!(client.get(shelf, &shelf.place(1)).await.status, 200);
    let path = shelf.place(1).path();
    let request = reading(client.request(Method::GET, &path), &Shelf::new(9).token);
    assert_eq!(sent(request).await.refusal(), Refusal::Token);
    let path = format!("{path}?a-query-nobody-logs");
    assert_eq!(
        sent(client.request(Method::GET, &path)).await.refusal(),
        Refusal::Token
    );
    // A place that the disk cannot read: what it says of that names the place.
    let place = shelf.place_of(1, 2);
    let folder = desk.path("store/v1").join(place.shelf.to_string());
    fs::write(folder.join(place.key.to_string()), b"no folder").unwrap();
    assert_eq!(client.get(shelf, &place).await.refusal(), Refusal::Store);
}

#[tokio::test]
async fn the_log_tells_what_happened_and_nothing_that_it_was_told() {
    let desk = Desk::new();
    let served = Served::start(&desk, &["--log-requests"]);
    let shelf = Shelf::new(1);
    drive(&desk, &Client::of(&served.url), &shelf).await;
    assert_eq!(served.end(Signal::TERM).0, Some(0));
    let log = log(&desk);
    let events = events(&log);
    assert_eq!(events.first(), Some(&"started"));
    assert_eq!(events.last(), Some(&"stopped"));
    for event in ["made", "answered", "refused", "store failed", "stopping"] {
        assert!(events.contains(&event), "{event}: {events:?}");
    }
    let codes: Vec<_> = log
        .iter()
        .filter_map(|line| line["code"].as_str())
        .collect();
    assert_eq!(codes, ["taken", "token", "token", "store"]);
    let text = String::from_utf8(desk.read("log")).unwrap();
    let name = shelf.manifest.name().to_string();
    assert!(text.contains(&name[..8]));
    let mut hidden = vec![
        name,
        "body".to_owned(),
        "Bearer".to_owned(),
        "a-query".to_owned(),
        "/v1/shelves/".to_owned(),
    ];
    for place in [shelf.place(1), shelf.place_of(1, 2)] {
        hidden.extend([place.key.to_string(), place.label.to_string()]);
    }
    for shelf in [&shelf, &Shelf::new(9)] {
        let header = shelf.token.header().expose(Clone::clone);
        hidden.push(header.replace("Bearer ", ""));
    }
    for word in &hidden {
        let word = &word[..word.len().min(16)];
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[tokio::test]
async fn without_being_asked_the_log_has_no_line_a_request() {
    let desk = Desk::new();
    let served = Served::start(&desk, &[]);
    let shelf = Shelf::new(1);
    drive(&desk, &Client::of(&served.url), &shelf).await;
    assert_eq!(served.end(Signal::INT).0, Some(0));
    let log = log(&desk);
    let events = events(&log);
    assert!(
        events.contains(&"refused") && !events.contains(&"answered"),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_signal_ends_it_promptly_and_what_was_stored_stays() {
    let desk = Desk::new();
    let shelf = Shelf::new(1);
    let served = Served::start(&desk, &[]);
    let client = Client::of(&served.url);
    assert_eq!(client.make(&shelf.manifest).await.status, 201);
    assert_eq!(client.put_on(&shelf, 1, b"blob").await.status, 201);
    let etag = client.list(&shelf).await.etag();
    let waiting = client.wait(&shelf, &etag, 25);
    let ending = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let ended = tokio::task::spawn_blocking(|| served.end(Signal::TERM));
        ended.await.unwrap()
    };
    let (answer, (code, time)) = tokio::join!(waiting, ending);
    assert_eq!((answer.status, code), (304, Some(0)));
    assert!(time < Duration::from_secs(3), "{time:?}");
    let served = Served::start(&desk, &[]);
    let client = Client::of(&served.url);
    assert_eq!(client.list(&shelf).await.etag(), etag);
    let got = client.get(&shelf, &shelf.place(1)).await;
    assert_eq!(got.body, shelf.entry(1, b"blob"));
    // Others on this machine do not look into the folder.
    let mode = std::os::unix::fs::PermissionsExt::mode;
    let folder = fs::metadata(desk.path("store")).unwrap();
    assert_eq!(mode(&folder.permissions()) & 0o077, 0);
}

#[test]
fn what_would_not_be_safe_is_refused() {
    let desk = Desk::new();
    desk.write("junk", "no PEM");
    let store = format!("file:{}", desk.path("store").display());
    let serve = |flags: &[&str], code, words: &[&str]| {
        let args = [&["relay", "serve"], flags].concat();
        let ended = desk.refused(&args, code, words);
        assert_eq!(ended.stdout, "");
    };
    for open in ["0.0.0.0:0", "[::]:0", "192.0.2.1:7420"] {
        serve(
            &["--listen", open, "--store", &store],
            2,
            &[
                open,
                "--tls-cert",
                "--behind-proxy",
                "--listen 127.0.0.1:7420",
            ],
        );
    }
    // Nothing was made by then.
    assert!(!desk.path("store").exists());
    let here = ["--listen", "127.0.0.1:0", "--store"];
    let with = |store, flags: &[&'static str]| [&here, [store].as_slice(), flags].concat();
    serve(&with("nowhere", &[]), 2, &["--store", "file:DIR", "s3://"]);
    serve(&with("file:", &[]), 2, &["--store"]);
    serve(&with("s3://", &[]), 2, &["bucket"]);
    serve(&with("file:x", &["--tls-cert", "junk"]), 2, &["--tls-key"]);
    let both = ["--tls-cert", "junk", "--tls-key", "junk"];
    serve(&with("file:x", &both), 1, &["TLS", "private key"]);
    let mixed = [both.as_slice(), &["--behind-proxy"]].concat();
    serve(&with("file:x", &mixed), 2, &["--behind-proxy"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let args = ["--listen", &address, "--store", &store];
    serve(&args, 1, &["cannot listen on", &address]);
}

/// What a monitor reads, as Prometheus does: comments, and names with a number.
fn numbers(text: &str) -> Vec<(&str, f64)> {
    assert!(text.ends_with("# EOF\n"));
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, number) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("conclave_relay_"), "{line}");
            (name, number.parse().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_monitor_sees_the_numbers_go_up_and_the_relay_has_no_such_page() {
    let desk = Desk::new();
    let served = Served::start(&desk, &["--metrics", "127.0.0.1:0"]);
    let address = started(&desk)["metrics"].as_str().unwrap().to_owned();
    let monitor = Client::of(&format!("http://{address}"));
    let read = async || {
        let answer = sent(monitor.request(Method::GET, "/metrics")).await;
        assert_eq!(answer.status, 200);
        let kind = answer.headers["content-type"].to_str().unwrap();
        assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
        String::from_utf8(answer.body).unwrap()
    };
    let before = read().await;
    assert!(numbers(&before).iter().all(|(_, number)| *number == 0.0));
    let shelf = Shelf::new(1);
    let client = Client::of(&served.url);
    drive(&desk, &client, &shelf).await;
    let after = read().await;
    let number = |name: &str| {
        let found = numbers(&after)
            .into_iter()
            .find(|(found, _)| *found == name);
        found.unwrap_or_else(|| panic!("{name}: {after}")).1
    };
    assert_eq!(number("conclave_relay_entries_stored_total"), 1.0);
    assert_eq!(number("conclave_relay_shelves_made_total"), 1.0);
    assert_eq!(number("conclave_relay_refusals_total{code=\"token\"}"), 2.0);
    assert_eq!(number("conclave_relay_store_failures_total"), 1.0);
    assert_eq!(
        number("conclave_relay_requests_total{route=\"make\",status=\"201\"}"),
        1.0
    );
    let name = shelf.manifest.name().to_string();
    let label = shelf.place(1).label.to_string();
    // The label's first characters, "00000001", are in a sum of seconds now and then.
    for word in [&name[..8], &label[8..16]] {
        assert!(!after.contains(word), "{after}");
    }
    let health = sent(monitor.request(Method::GET, "/healthz")).await;
    assert_eq!((health.status, health.body), (200, b"ok\n".to_vec()));
    let open = sent(client.request(Method::GET, "/metrics")).await;
    assert_eq!(open.refusal(), Refusal::BadRequest);
}

#[tokio::test]
async fn behind_a_proxy_each_of_its_clients_has_its_share() {
    let shelf = Shelf::new(1);
    let asked = async |client: &Client, from: &str| {
        let request = client.request(Method::GET, &shelf.place(1).path());
        sent(request.header("x-forwarded-for", from))
            .await
            .refusal()
    };
    let desk = Desk::new();
    let served = Served::start(&desk, &["--behind-proxy", "--max-requests", "3"]);
    let client = Client::of(&served.url);
    // What a client says of itself stands before what the proxy says.
    for lie in ["", "198.51.100.7, ", "198.51.100.8, "] {
        let from = format!("{lie}192.0.2.1");
        assert_eq!(asked(&client, &from).await, Refusal::NoShelf);
    }
    assert_eq!(asked(&client, "192.0.2.1").await, Refusal::TooManyRequests);
    assert_eq!(asked(&client, "192.0.2.2").await, Refusal::NoShelf);
    assert_eq!(asked(&client, "2001:db8::1").await, Refusal::NoShelf);
    drop(served);
    // Without a proxy nobody is believed.
    let desk = Desk::new();
    let served = Served::start(&desk, &["--max-requests", "3"]);
    let client = Client::of(&served.url);
    for n in 0..3 {
        let from = format!("192.0.2.{n}");
        assert_eq!(asked(&client, &from).await, Refusal::NoShelf);
    }
    assert_eq!(asked(&client, "192.0.2.9").await, Refusal::TooManyRequests);
}

/// A desk with a plan, a company's certificates in `company.pem`, and a relay's in `chain.pem` and
/// `key.pem`.
fn company() -> Desk {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    let desk = Desk::new();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "A company");
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let names = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = names.signed_by(&own, &issuer).unwrap();
    desk.write("company.pem", root.pem());
    desk.write("chain.pem", leaf.pem());
    desk.write("key.pem", own.serialize_pem());
    desk.write(
        "plan.json",
        plan_file(draft(&["Alice", "Bob", "Carol", "Dave"])),
    );
    desk
}

const TLS: [&str; 4] = ["--tls-cert", "chain.pem", "--tls-key", "key.pem"];

/// Looks at a relay with the client of the program, in this environment.
fn status(desk: &Desk, url: &str, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = desk.command(&["status", "plan.json", "--via", url]);
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

// Elsewhere the system's own list of certificates counts.
#[cfg(target_os = "linux")]
#[test]
fn a_relay_of_a_company_is_trusted_by_who_has_its_certificates() {
    let desk = company();
    let served = Served::start(&desk, &[TLS.as_slice(), &["--log-requests"]].concat());
    assert!(served.url.starts_with("https://127.0.0.1:"));
    let url = format!("https://localhost:{}", served.port());
    let (code, text) = status(&desk, &url, &[]);
    assert_eq!(code, Some(1));
    assert!(text.contains("certificate"), "{text}");
    assert!(!events(&log(&desk)).contains(&"refused"));
    let trusting = [("SSL_CERT_FILE", "company.pem")];
    let (code, text) = status(&desk, &url, &trusting);
    assert_eq!(code, Some(0), "{text}");
    // It got as far as to hear that there is no such shelf.
    let lines = log(&desk);
    let codes: Vec<_> = lines
        .iter()
        .filter_map(|line| line["code"].as_str())
        .collect();
    assert_eq!(codes, ["no-shelf"]);
    // A chain without a certificate, and one with a certificate of another key.
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    desk.write("other.pem", other);
    for (chain, key) in [("other.pem", "other.pem"), ("chain.pem", "other.pem")] {
        let args = [
            "relay",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--store",
            "file:y",
        ];
        let args = [args.as_slice(), &["--tls-cert", chain, "--tls-key", key]].concat();
        assert_eq!(desk.refused(&args, 1, &["TLS"]).stdout, "");
    }
    // The certificate is for a name, not for an address.
    let (_, text) = status(&desk, &served.url, &trusting);
    assert!(text.contains("certificate"), "{text}");
    // Plain HTTP on this port is not served.
    let mut plain = TcpStream::connect(served.url.trim_start_matches("https://")).unwrap();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut text = Vec::new();
    let _ = plain.read_to_end(&mut text);
    assert!(!text.starts_with(b"HTTP"), "{text:?}");
}

/// A proxy that connects where it is told to, and notes the first line of each request.
struct Proxy {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (notes, count) = (Arc::clone(&asked), Arc::clone(&connections));
        // It ends with the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let notes = Arc::clone(&notes);
                std::thread::spawn(move || pass(stream.unwrap(), &notes));
            }
        });
        Self {
            address,
            asked,
            connections,
        }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn pass(client: TcpStream, notes: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    notes.lock().unwrap().push(first.trim_end().to_owned());
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 2 {
        line.clear();
    }
    let Some(target) = first.strip_prefix("CONNECT ") else {
        return;
    };
    let server = TcpStream::connect(target.split(' ').next().unwrap()).unwrap();
    let mut answers = client.try_clone().unwrap();
    answers
        .write_all(b"HTTP/1.1 200 Connected\r\n\r\n")
        .unwrap();
    let mut back = server.try_clone().unwrap();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut back, &mut answers);
    });
    let mut server = server;
    let _ = std::io::copy(&mut reader, &mut server);
}

#[cfg(target_os = "linux")]
#[test]
fn the_client_goes_through_the_proxy_of_its_environment() {
    let desk = company();
    let served = Served::start(&desk, &TLS);
    let url = format!("https://localhost:{}", served.port());
    let refusals = || {
        let lines = log(&desk);
        lines
            .iter()
            .filter(|line| line["code"] == "no-shelf")
            .count()
    };
    let trusting = ("SSL_CERT_FILE", "company.pem");
    let proxy = Proxy::start();
    let through = ("HTTPS_PROXY", proxy.address.as_str());
    status(&desk, &url, &[trusting]);
    assert_eq!((proxy.connections(), refusals()), (0, 1));
    status(&desk, &url, &[trusting, through]);
    assert_eq!((proxy.connections(), refusals()), (1, 2));
    let asked = proxy.asked.lock().unwrap().clone();
    assert_eq!(
        asked,
        [format!("CONNECT localhost:{} HTTP/1.1", served.port())]
    );
    status(&desk, &url, &[trusting, through, ("NO_PROXY", "localhost")]);
    assert_eq!((proxy.connections(), refusals()), (1, 3));
    // The proxy carries TLS and cannot speak for the relay.
    let (_, text) = status(&desk, &url, &[through]);
    assert!(text.contains("certificate"), "{text}");
    assert_eq!(refusals(), 3);
}

/// Plain HTTP is for a relay on this machine: it does not leave it, whatever the environment names.
#[test]
fn plain_http_goes_through_no_proxy() {
    let desk = Desk::new();
    desk.write(
        "plan.json",
        plan_file(draft(&["Alice", "Bob", "Carol", "Dave"])),
    );
    let served = Served::start(&desk, &["--log-requests"]);
    let proxy = Proxy::start();
    let names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let through = names.map(|name| (name, proxy.address.as_str()));
    status(&desk, &served.url, &through);
    assert_eq!(proxy.connections(), 0);
    let lines = log(&desk);
    assert!(lines.iter().any(|line| line["code"] == "no-shelf"));
}
