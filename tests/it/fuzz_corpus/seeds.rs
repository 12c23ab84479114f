//! What the fuzzer starts from: good inputs, made by the code of today.

use std::path::Path;

use conclave::ambient::{Randomness, RandomnessError};
use conclave::artifacts::cluster::Cluster;
use conclave::ceremony::evidence::Evidence;
use conclave::ceremony::imported::ImportedCluster;
use conclave::ceremony::paper::PaperShare;
use conclave::ceremony::{Unobserved, session::Session};
use conclave::crypto::bls;
use conclave::crypto::polynomial::Polynomial;
use conclave::crypto::scalar::Scalar;
use conclave::crypto::xof::Xof;
use conclave::ethereum::address::Address;
use conclave::ethereum::amount::Gwei;
use conclave::ethereum::deposit::{DepositData, DepositEntry, DepositMessage, write_entries};
use conclave::ethereum::keystore::{KdfChoice, Keystore};
use conclave::ethereum::network::Network;
use conclave::ethereum::withdrawal::{CredentialsKind, WithdrawalCredentials};
use conclave::formats::obol_lock::ObolLock;
use conclave::json;
use conclave::secret::Passphrase;
use conclave::store::disk::Disk as _;
use conclave::store::known::{Book, How};
use conclave::store::wrap::{WorkFactor, Wrap, seal};
use conclave::wire::roster::Index;
use serde_json::{Value, json};

use super::targets::boards::{Stage, perform, stage};
use super::targets::codes;
use super::targets::memory::Memory;
use super::targets::public::share_proofs;
use super::targets::relays;
use super::targets::signing;
use super::targets::stores::{KEY, PLAIN};
use crate::harness::ceremony::{Board, ETH, card};

/// Files of signed messages; their signatures are points, and nobody's.
const SIGNED: [(&str, &str); 3] = [
    (
        "exit",
        r#"{"message":{"epoch":"350000","validator_index":"7"},"signature":"0xb3baf0a7b15a4a8c8d6bca8a9a3f0f5b7f2a4d5a2cbe2d1e1c8d1f7f8a3f0f5bb3baf0a7b15a4a8c8d6bca8a9a3f0f5b7f2a4d5a2cbe2d1e1c8d1f7f8a3f0f5bb3baf0a7b15a4a8c8d6bca8a9a3f0f5b7f2a4d5a2cbe2d1e1c8d1f7f8a3f0f5b"}"#,
    ),
    (
        "changes",
        r#"[{"message":{"from_bls_pubkey":"0x97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb","to_execution_address":"0x71c7656ec7ab88b098defb751b7401b5f6d8976f","validator_index":"7"},"metadata":{"network_name":"hoodi"},"signature":"0x93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"}]"#,
    ),
    (
        "registrations",
        r#"[{"message":{"fee_recipient":"0x71c7656ec7ab88b098defb751b7401b5f6d8976f","gas_limit":"45000000","pubkey":"0x97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb","timestamp":"1790000000"},"signature":"0x93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"}]"#,
    ),
];

/// A seed: its target, its name and its bytes.
pub(super) type Seed = (&'static str, String, Vec<u8>);

/// Every seed, the same on every day.
pub(super) fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target, name: &str, bytes: &[u8]| {
        seeds.push((target, format!("seed-{name}"), bytes.to_vec()));
    };
    let Stage {
        plan,
        board,
        players,
        outcome,
        ended,
        scripts,
        payloads,
        ..
    } = stage();
    for (name, script) in scripts {
        add("board", name, script);
    }
    for (name, payload) in payloads {
        add("payload", name, payload);
    }
    for (name, bytes) in &board.0 {
        add("envelope", name, bytes);
    }
    add("outcome", "complete", outcome);
    add("plan", "three", plan.bytes());
    let mut asking = plan.value().clone();
    asking["backups"] = "required".into();
    add("plan", "backups", &json::canonical_value(&asking).unwrap());
    add("plan", "signing", &signing::plan());
    add("partial", "honest", &signing::honest());
    add(
        "sign_csv",
        "exits",
        b"validator,validator_index,epoch\n0,1234567,350000\n1,1234568,\n",
    );
    for (name, text) in SIGNED {
        add("signed", name, text.as_bytes());
    }
    add("card", "first", card(&players[0]).bytes());
    let cluster = Cluster::new(plan.keygen().unwrap(), ended).unwrap();
    add("cluster", "three", &cluster.to_bytes().unwrap());
    let shares = players[0].memory.shares.as_ref().unwrap();
    shares
        .to_blob()
        .unwrap()
        .expose(|blob| add("shares", "first", blob));
    PaperShare::of(shares, 0)
        .unwrap()
        .line()
        .expose(|line| add("paper", "first", line.as_bytes()));
    for (name, proof) in ["answers", "bare"].iter().zip(share_proofs()) {
        add("share_proof", name, &json::canonical(proof).unwrap());
    }
    add("share_backup", "first", &share_archive());
    let (lock, description, shares) = imported();
    add("obol_lock", "four", &lock);
    add("imported", "four", &description);
    add("share_backup", "imported", &shares);
    for name in ["complained", "equivocated"] {
        add("evidence", name, &evidence(&scripts[name]));
    }

    for (name, bytes) in relays::seeds_of_json() {
        add("relay_json", name, &bytes);
    }
    for (name, bytes) in relays::seeds_of_entries() {
        add("relay_entry", name, &bytes);
    }

    for (name, bytes) in codes::seeds_of_lines() {
        add("qr_lines", name, &bytes);
    }
    for (name, document) in [
        ("card", card(&players[0]).bytes()),
        ("plan", plan.bytes()),
        ("message", &board.0.values().next().unwrap()[..]),
    ] {
        let payload = conclave::courier::qr::payload::pack(document).unwrap();
        add("qr_payload", name, &payload);
    }
    add("qr_picture", "code", &codes::seed_of_picture());

    let memory = Memory::default();
    let path = Path::new("/known.json");
    Book::remember(&memory, path, plan, How::Planned).unwrap();
    add("known", "three", &memory.read(path, 1 << 20).unwrap());
    add("backup", "home", &archive());

    let network = json::canonical(plan.network()).unwrap();
    add("network", "hoodi", &network);
    add(
        "network",
        "rehearsal",
        &json::canonical(&plan.network().rehearsal()).unwrap(),
    );
    add("json", "network", &network);
    add("json", "board", &scripts["abandoned"]);
    let names: Vec<&String> = board.0.keys().collect();
    let stick = json!([
        ["pool-x/plan.json", "$plan"],
        [format!("pool-x/{}", names[1]), format!("${}", names[1])],
        [
            format!("copy of pool-{}/{}", plan.cid().short(), names[2]),
            format!("${}", names[2])
        ],
        ["pool-x/half.json", "{\"header\":"],
        ["other/plan.json", "{}"],
        [names[3], format!("${}", names[3])],
        ["pool-x/link.json", 1],
        ["pool-x/pipe.json", true],
        ["pool-x/folder.json", null],
    ]);
    add("folder", "stick", &json::canonical_value(&stick).unwrap());
    let mut record = vec![json!(["plan.json", "$plan"])];
    for name in &names {
        record.push(json!([format!("messages/{name}"), format!("${name}")]));
    }
    record.push(json!([
        "pool.outcome.json",
        String::from_utf8(outcome.clone()).unwrap()
    ]));
    add("record", "complete", &serde_json::to_vec(&record).unwrap());

    let identity = players[0].me.identity.public();
    add("identity", "first", identity.to_string().as_bytes());
    add("identity", "bytes", identity.as_bytes());
    for (name, account) in [("signing", 0u32), ("largest", u32::MAX)] {
        let path = conclave::ethereum::hd::KeyPath::signing_key(account);
        add("key_path", name, path.to_string().as_bytes());
    }
    add("key_path", "withdrawal", b"m/12381/3600/0/0");
    let address = Address([0xa1; 20]);
    let lower = address.to_lower_hex();
    add("address", "checksummed", address.to_string().as_bytes());
    add("address", "lower", lower.as_bytes());
    let list = format!("# ours\n\n{address}\n{lower} # again\r\n");
    add("address", "list", list.as_bytes());
    add(
        "code",
        "words",
        b"kiwi amused erode deny abandon vote arrow chuckle",
    );
    add(
        "code",
        "typed",
        b" KIWI, amused-erode\tdeny,,abandon vote\narrow  Chuckle ",
    );
    for (name, separator) in [("commas", ","), ("semicolons", ";"), ("tabs", "\t")] {
        let rows = [
            [
                "Withdrawal Address",
                "credentials",
                "amounts",
                "fee_recipient",
                "gas_limit",
            ],
            [&lower, "0x01", "32 eth", &lower, "60000000"],
            [&lower, "0x02", "\"1 eth 2047eth\"", "", ""],
            [&lower, "", "", "", ""],
        ];
        let rows = rows.map(|row| row.join(separator)).join("\r\n");
        add("csv", name, rows.as_bytes());
    }
    add(
        "csv",
        "one-column",
        format!("sep=;\nwithdrawal_address\n{lower}\n").as_bytes(),
    );
    for name in [
        "alice",
        "Zoë",
        "運営者 1",
        "O'Brien & Söhne",
        "conclave 0.1.0",
        "a/../b.json",
    ] {
        add(
            "text",
            &conclave::store::folder::safe_name(name),
            name.as_bytes(),
        );
    }
    add("age_keys", "file", b"# created: today\nAGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n");
    add(
        "age_keys",
        "recipient",
        b"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    );

    add("keystore", "ours", &keystore().to_bytes().unwrap());
    add(
        "keystore",
        "scrypt",
        &foreign(
            json!({"dklen": 32, "n": 2, "r": 1, "p": 1, "salt": "00"}),
            "scrypt",
        ),
    );
    add(
        "keystore",
        "pbkdf2",
        &foreign(
            json!({"dklen": 32, "c": 2, "prf": "hmac-sha256", "salt": "0011"}),
            "pbkdf2",
        ),
    );
    add("deposit", "two", &deposits());
    add("faults", "none", &[]);
    let some: Vec<u8> = (0..=u8::MAX).step_by(5).collect();
    add("faults", "some", &some);
    add("sign_faults", "none", &[]);
    add("sign_faults", "some", &some[..24]);
    seeds
}

fn evidence(script: &[u8]) -> Vec<u8> {
    let plan = &stage().plan;
    let mut session = Session::new(plan);
    let said = perform(script).unwrap();
    let messages = said
        .iter()
        .enumerate()
        .map(|(number, said)| (number.to_string(), said.bytes.clone()));
    let board = Board(messages.collect());
    for (id, bytes) in &board.0 {
        session.register(bytes, id);
    }
    let examination = session.examine(&board, &Unobserved).unwrap();
    let fault = examination.faults.first().unwrap();
    let accused = vec![fault.accused];
    Evidence::collect(plan, accused, fault.kind.to_string(), &fault.proof, &board).unwrap()
}

/// An archive as a backup is, of a home with one card.
fn archive() -> Vec<u8> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/valid");
    let home = std::fs::read(data.join("home/example.json")).unwrap();
    let said: Value = serde_json::from_slice(&home).unwrap();
    let about = json!({"version": 1, "tool": "0.1.0", "created": 7, "identity": said["identity"], "files": 4});
    let about = json::canonical_value(&about).unwrap();
    let card = std::fs::read(data.join("card/example.json")).unwrap();
    packed(
        "conclave-home",
        &[
            ("backup.json", about.as_slice()),
            ("home-key.age", b"sealed"),
            ("home.json", &home),
            ("identity.age", b"sealed"),
            ("cards/0123456789abcdef/card.json", &card),
        ],
    )
}

/// An archive as a backup of shares is, of the first operator.
fn share_archive() -> Vec<u8> {
    let Stage {
        plan,
        board,
        players,
        ..
    } = stage();
    let shares = players[0].memory.shares.as_ref().unwrap();
    let own = |name: &&String| name.contains("-1-operator");
    let own: Vec<&String> = board.0.keys().filter(own).collect();
    assert_eq!(own.len(), 2, "{own:?}");
    let about = json!({
        "cid": plan.cid(), "created": 7, "epoch": 0, "files": board.0.len() + own.len() + 2,
        "identity": players[0].me.identity.public(), "index": 1, "tool": "0.1.0",
        "transcript": shares.transcript, "validators": 1, "version": 1,
    });
    let about = json::canonical_value(&about).unwrap();
    let board_names = board.0.keys().map(|name| format!("board/{name}"));
    let own_names = own.iter().map(|name| format!("own/{name}"));
    let names: Vec<String> = board_names.chain(own_names).collect();
    let messages = board
        .0
        .values()
        .chain(own.iter().map(|name| &board.0[*name]));
    let blob = shares.to_blob().unwrap();
    blob.expose(|blob| {
        let mut files = vec![("backup.json", about.as_slice())];
        let messages = names.iter().zip(messages);
        files.extend(messages.map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
        files.extend([("plan.json", plan.bytes()), ("shares.bin", blob.as_slice())]);
        packed("conclave-shares", &files)
    })
}

/// A cluster of another tool: its lock, its description, and a backup of shares of it.
fn imported() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let mut stream = Xof::new(&[12; 32]);
    let polynomial = Polynomial::draw(&mut stream, 3);
    let key = |x: u64| {
        let key = bls::public_key(&polynomial.evaluate(x)).unwrap();
        format!("0x{}", json::encode_hex(&key.to_bytes()))
    };
    let lock = json!({
        "cluster_definition": {
            "name": "West", "version": "v1.10.0", "operators": [{}, {}, {}, {}], "num_validators": 1,
            "threshold": 3, "fork_version": "0x10000910", "deposit_amounts": null,
        },
        "distributed_validators": [{
            "distributed_public_key": key(0), "public_shares": [key(1), key(2), key(3), key(4)],
        }],
    });
    let lock = lock.to_string().into_bytes();
    let cluster = ImportedCluster::of_lock(&ObolLock::parse(&lock).unwrap()).unwrap();
    let own = cluster.own_shares(Index::new(2).unwrap(), vec![polynomial.evaluate(2)]);
    let Stage { players, .. } = stage();
    let about = json!({
        "cid": cluster.cid(), "created": 7, "epoch": 0, "files": 2,
        "identity": players[0].me.identity.public(), "index": 2, "tool": "0.1.0",
        "transcript": cluster.cid(), "validators": 1, "version": 1,
    });
    let about = json::canonical_value(&about).unwrap();
    let archive = own.to_blob().unwrap().expose(|blob| {
        let files = [
            ("backup.json", about.as_slice()),
            ("cluster.json", cluster.bytes()),
            ("shares.bin", blob.as_slice()),
        ];
        packed("conclave-shares", &files)
    });
    (lock, cluster.bytes().to_vec(), archive)
}

fn packed(directory: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_path(format!("{directory}/{name}")).unwrap();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap()
}

struct Sevens;

impl Randomness for Sevens {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomnessError> {
        out.fill(7);
        Ok(())
    }
}

fn keystore() -> Keystore {
    let secret = Scalar::from_u64(7);
    let public = bls::public_key(&secret).unwrap().to_bytes();
    let passphrase = Passphrase::new("testpassword".to_owned()).unwrap();
    let path = "m/12381/3600/0/0/0";
    let made = Keystore::encrypt(
        &secret.to_bytes(),
        &public,
        &passphrase,
        KdfChoice::Pbkdf2,
        path,
        "seven",
        &mut Sevens,
    );
    made.unwrap().0
}

/// A keystore of another tool, whose passphrase costs nothing to try.
fn foreign(params: Value, function: &str) -> Vec<u8> {
    let file = json!({
        "crypto": {
            "kdf": {"function": function, "params": params, "message": ""},
            "checksum": {"function": "sha256", "params": {}, "message": "ab".repeat(32)},
            "cipher": {"function": "aes-128-ctr", "params": {"iv": "cd".repeat(16)}, "message": "ef".repeat(32)},
        },
        "description": null,
        "pubkey": format!("0x{}", "A1".repeat(48)),
        "path": "",
        "uuid": "1d85ae20-35c5-4611-98e8-aa14a633906f",
        "version": 4,
        "note": "not of the standard",
    });
    serde_json::to_vec_pretty(&file).unwrap()
}

fn deposits() -> Vec<u8> {
    let network = Network::known("hoodi").unwrap().spec();
    let entry = |secret: u64, amount: u64| {
        let secret = Scalar::from_u64(secret);
        let message = DepositMessage {
            pubkey: bls::public_key(&secret).unwrap().to_bytes(),
            credentials: WithdrawalCredentials::new(CredentialsKind::Eth1, Address([7; 20])),
            amount: Gwei(amount),
        };
        let root = message.signing_root(network.fork_version());
        let signature = bls::sign(&secret, &root).unwrap().to_bytes();
        DepositEntry::new(&DepositData { message, signature }, &network)
    };
    write_entries(&[entry(1, 32 * ETH), entry(2, ETH)]).unwrap()
}

/// Age files of what the target expects: never the same twice, so that they are made once.
pub(super) fn sealed() -> Vec<Seed> {
    let passphrase = Passphrase::new("testpassword".to_owned()).unwrap();
    let key: age::x25519::Identity = KEY.parse().unwrap();
    let wraps = [
        ("seed-sealed", Wrap::Recipient(key.to_public())),
        (
            "seed-passphrase",
            Wrap::Passphrase(passphrase, WorkFactor::new(1).unwrap()),
        ),
    ];
    wraps
        .into_iter()
        .map(|(name, wrap)| ("age_file", name.to_owned(), seal(&[wrap], PLAIN).unwrap()))
        .collect()
}
