//! What stays behind: of a ceremony whose secrets this test knows, nothing, in no memory of the
//! tool's processes, no file and no output; core dumps are off, and memory is locked where nothing
//! limits it. docs/memory.md says what is done for it and what is not searched for. Linux only: there the
//! kernel shows a process its memory.
#![cfg(target_os = "linux")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use age::secrecy::ExposeSecret as _;
use conclave::ambient::{OsRandomness, Randomness as _};
use conclave::ceremony::plan::Plan;
use conclave::ceremony::shares::OwnShares;
use conclave::crypto::encrypt::{PadContext, Pads};
use conclave::crypto::point::G1;
use conclave::crypto::polynomial::{Polynomial, interpolate_at_zero};
use conclave::crypto::scalar::Scalar;
use conclave::crypto::xof::Xof;
use conclave::ethereum::keystore::Keystore;
use conclave::hash::{Kdf, Tag};
use conclave::secret::{Passphrase, Secret, Seed};
use conclave::wire::card::encryption_secret;
use hkdf::Hkdf;
use sha2::{Digest as _, Sha256, Sha512};

use crate::harness::binary::{Desk, Ended};
use crate::harness::disk::every_file;
use crate::harness::secrets::{Image, Secrets};
use crate::harness::terminal::Terminal;

/// A text that stands in the memory of every process, being one of its arguments: where it is not
/// found, nothing would be. The kernel put it above the first thread's stack; elsewhere are copies
/// that the command made, which are wiped like every block that is freed.
const CONTROL: &str = "kf7Qw2-control-Zp9Xr4Lm";

/// The program that shows its memory. A run of one test target alone does not build it.
fn image_program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_conclave"));
        let profile = binary.parent().unwrap();
        let mut build = Command::new(env!("CARGO"));
        build
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["build", "--locked", "--quiet", "--example"])
            .args(["conclave-image", "--target-dir"])
            .arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success());
        profile.join("examples/conclave-image")
    })
}

/// A desk at which every command shows its memory when it is done.
struct Watched {
    desk: Desk,
    secrets: RefCell<Secrets>,
    /// The one file that may hold a secret, by the secret's name.
    allowed: RefCell<BTreeMap<String, PathBuf>>,
    /// What each command printed, and its image's folder, outside of the desk.
    runs: RefCell<Vec<(String, String, PathBuf)>>,
    images: tempfile::TempDir,
}

impl Watched {
    fn new() -> Self {
        let desk = Desk::new()
            .variable("RUST_BACKTRACE", "1")
            .variable("TMPDIR", "tmp");
        fs::create_dir_all(desk.path("tmp")).unwrap();
        fs::create_dir_all(desk.path(&format!("{CONTROL}/stick"))).unwrap();
        let watched = Self {
            desk,
            secrets: RefCell::default(),
            allowed: RefCell::default(),
            runs: RefCell::default(),
            images: tempfile::tempdir().unwrap(),
        };
        watched.secrets.borrow_mut().text("control", CONTROL);
        watched
    }

    /// A file of a user's that holds a secret.
    fn secret_file(&self, file: &str, name: &str, secret: &str) {
        self.desk.write(file, format!("{secret}\n"));
        private(&self.desk.path(file));
        self.text(name, secret);
        self.allow(name, &self.desk.path(file));
    }

    fn allow(&self, name: &str, file: &Path) {
        let mut allowed = self.allowed.borrow_mut();
        allowed.insert(name.to_owned(), file.to_owned());
    }

    fn text(&self, name: &str, secret: &str) {
        self.secrets.borrow_mut().text(name, secret);
    }

    fn bytes(&self, name: &str, secret: &[u8]) {
        self.secrets.borrow_mut().bytes(name, secret);
    }

    fn scalar(&self, name: &str, secret: &Scalar) {
        let mut secrets = self.secrets.borrow_mut();
        secret
            .to_bytes()
            .expose(|bytes| secrets.scalar(name, bytes));
    }

    /// A key of HKDF: as it is, and extracted.
    fn derivation_key(&self, name: &str, key: &[u8]) {
        self.bytes(name, key);
        let (extracted, _) = Hkdf::<Sha256>::extract(None, key);
        self.bytes(&format!("{name}, extracted"), &extracted);
    }

    fn folder(&self) -> PathBuf {
        let number = self.runs.borrow().len();
        self.images.path().join(number.to_string())
    }

    /// Runs a command to its end in a process that then shows its memory.
    #[track_caller]
    fn run(&self, code: i32, args: &[&str]) -> Ended {
        let folder = self.folder();
        let mut command = Command::new(image_program());
        command
            .arg(&folder)
            .arg("--")
            .args(args)
            .env_clear()
            .env("RUST_BACKTRACE", "1")
            .env("TMPDIR", "tmp")
            .current_dir(self.desk.path("."));
        let ended = Ended::of(command.output().unwrap());
        assert_eq!(ended.code, code, "{args:?}: {ended:?}");
        let printed = format!("{}{}", ended.stdout, ended.stderr);
        let mut runs = self.runs.borrow_mut();
        runs.push((args.join(" "), printed, folder));
        ended
    }

    /// Searches all images, outputs and files for all secrets.
    #[track_caller]
    fn assert_clean(&self) {
        let secrets = self.secrets.borrow();
        let mut leaks = Vec::new();
        let (mut memory, mut files, mut printed) = (0, 0, 0);
        for (command, output, folder) in self.runs.borrow().iter() {
            let image = Image::read(folder);
            memory += image.bytes();
            let mut controlled = false;
            for (address, run) in &image.runs {
                secrets.search(run, &mut |found| {
                    let mapping = image.mapping(address + found.at as u64);
                    if found.secret == "control" && mapping.ends_with("[stack]") {
                        controlled = true;
                        return;
                    }
                    leaks.push(format!("{command}: memory {found} in {mapping}"));
                });
            }
            assert!(controlled, "{command}: its arguments are not in its image");
            printed += output.len();
            secrets.search(output.as_bytes(), &mut |found| {
                if found.secret != "control" {
                    leaks.push(format!("{command}: output {found}"));
                }
            });
        }
        let allowed = self.allowed.borrow();
        for (path, bytes) in every_file(&self.desk.path(".")) {
            let full = self.desk.path(".").join(&path);
            files += bytes.len();
            secrets.search(&bytes, &mut |found| {
                let home = allowed.get(&found.secret);
                let same = |home: &PathBuf| {
                    fs::canonicalize(home).unwrap() == fs::canonicalize(&full).unwrap()
                };
                if found.secret != "control" && !home.is_some_and(same) {
                    leaks.push(format!("file {}: {found}", path.display()));
                }
            });
        }
        let (count, forms) = secrets.counts();
        println!(
            "{count} secrets in {forms} forms: {memory} bytes of memory of {} processes, {files} of files, {printed} of output",
            self.runs.borrow().len()
        );
        leaks.sort();
        leaks.dedup();
        let shown = leaks.len().min(60);
        assert!(
            leaks.is_empty(),
            "{} leaks\n{}",
            leaks.len(),
            leaks[..shown].join("\n")
        );
    }
}

fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

fn random_text() -> String {
    let mut seed = [0u8; 20];
    OsRandomness.fill(&mut seed).unwrap();
    let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789+_-=.:~";
    seed.iter()
        .map(|byte| char::from(letters[usize::from(*byte) % letters.len()]))
        .collect()
}

/// Decrypts an age file; adds the keys that did so.
fn open_age(watched: &Watched, name: &str, file: &[u8], key: &dyn age::Identity) -> Vec<u8> {
    let mut plain = Vec::new();
    age::Decryptor::new_buffered(file)
        .unwrap()
        .decrypt(std::iter::once(key))
        .unwrap()
        .read_to_end(&mut plain)
        .unwrap();
    let end = file.windows(5).position(|five| five == b"\n--- ").unwrap();
    let nonce = end
        + file[end + 1..]
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap()
        + 2;
    let first = file.windows(3).position(|three| three == b"-> ").unwrap();
    let (_, stanza) = age_core::format::read::age_stanza(&file[first..]).unwrap();
    if let Some(file_key) = key.unwrap_stanza(&stanza.into()) {
        let file_key = file_key.unwrap();
        let file_key = file_key.expose_secret();
        watched.bytes(&format!("{name}: file key"), file_key);
        let mut payload = [0u8; 32];
        Hkdf::<Sha256>::new(Some(&file[nonce..nonce + 16]), file_key)
            .expand(b"payload", &mut payload)
            .unwrap();
        watched.bytes(&format!("{name}: payload key"), &payload);
    }
    plain
}

fn identity_secrets(watched: &Watched, name: &str, key: &age::x25519::Identity) {
    let text = key.to_string();
    let text = text.expose_secret();
    watched.text(name, text.trim_start_matches("AGE-SECRET-KEY-1"));
    let (_, data) = bech32::decode(text).unwrap();
    watched.bytes(&format!("{name}, decoded"), &data);
    let mut clamped = data;
    clamped[0] &= 248;
    clamped[31] = clamped[31] & 127 | 64;
    watched.bytes(&format!("{name}, clamped"), &clamped);
}

/// What opens a home.
enum Opener {
    Passphrase(String),
    Key(age::x25519::Identity),
}

/// An operator whose secrets are known.
struct Operator {
    name: &'static str,
    flags: Vec<String>,
    home_key: age::x25519::Identity,
    ceremony_secret: Seed,
}

/// Makes a home and a card with the watched commands, then learns its secrets.
fn operator(watched: &Watched, name: &'static str, opener: Opener) -> Operator {
    let desk = &watched.desk;
    let home = format!("{CONTROL}/home-{name}");
    let mut flags = vec!["--home".to_owned(), home.clone()];
    let file = format!("{CONTROL}/{name}.secret");
    let secret_name = format!("what opens {name}'s home");
    match &opener {
        Opener::Passphrase(text) => {
            watched.secret_file(&file, &secret_name, text);
            flags.extend(["--passphrase-file".to_owned(), file]);
            let all: Vec<&str> = flags.iter().map(String::as_str).collect();
            watched.run(0, &[&all[..], &["identity", "new"]].concat());
        }
        Opener::Key(key) => {
            desk.write(&file, key.to_string().expose_secret());
            private(&desk.path(&file));
            identity_secrets(watched, &secret_name, key);
            watched.allow(&secret_name, &desk.path(&file));
            let public = key.to_public().to_string();
            watched.run(
                0,
                &["--home", &home, "identity", "new", "--recipient", &public],
            );
            flags.extend(["--unlock".to_owned(), file]);
        }
    }
    let card = format!("{CONTROL}/{name}.card.json");
    let all: Vec<&str> = flags.iter().map(String::as_str).collect();
    watched.run(
        0,
        &[&all[..], &["card", "--name", name, "-o", &card]].concat(),
    );

    let read = |file: &str| desk.read(&format!("{home}/{file}"));
    let wrapped = read("home-key.age");
    let label = format!("{name}'s home key");
    let line = match &opener {
        Opener::Passphrase(text) => {
            let mut key = age::scrypt::Identity::new(text.clone().into());
            key.set_max_work_factor(30);
            open_age(watched, &label, &wrapped, &key)
        }
        Opener::Key(key) => open_age(watched, &label, &wrapped, key),
    };
    let home_key: age::x25519::Identity = std::str::from_utf8(&line)
        .unwrap()
        .trim_end()
        .parse()
        .unwrap();
    identity_secrets(watched, &label, &home_key);

    let label = format!("{name}'s identity");
    let seed = open_age(watched, &label, &read("identity.age"), &home_key);
    watched.derivation_key(&label, &seed);
    let expanded: [u8; 64] = Sha512::digest(&seed).into();
    let mut scalar: [u8; 32] = expanded[..32].try_into().unwrap();
    watched.bytes(&format!("{label}, hashed"), &scalar);
    scalar[0] &= 248;
    scalar[31] = scalar[31] & 127 | 64;
    let mut secrets = watched.secrets.borrow_mut();
    secrets.ed25519_scalar(&format!("{label}, as a scalar"), &scalar);
    secrets.bytes(&format!("{label}, for nonces"), &expanded[32..]);
    drop(secrets);

    let secret = every_file(&desk.path(&format!("{home}/cards")))
        .into_iter()
        .find(|(path, _)| path.ends_with("secret.age"))
        .unwrap();
    let label = format!("{name}'s ceremony secret");
    let secret: [u8; 32] = open_age(watched, &label, &secret.1, &home_key)
        .try_into()
        .unwrap();
    watched.derivation_key(&label, &secret);
    let ceremony_secret = Secret::new(secret);
    let encryption = encryption_secret(&ceremony_secret);
    watched.scalar(&format!("{name}'s encryption secret"), &encryption);
    Operator {
        name,
        flags,
        home_key,
        ceremony_secret,
    }
}

/// All that a dealer's secret leads to: coefficients, the ephemeral key, shared points, pads, and
/// what it dealt. Returns the shares that it dealt, by recipient and validator.
fn deal_secrets(watched: &Watched, plan: &Plan, dealer: usize, operator: &Operator) -> Vec<Scalar> {
    let params = plan.keygen().unwrap().params();
    let index = params.operators[dealer].index;
    let name = operator.name;
    let derive = |tag| Kdf::new(tag).bytes(params.cid.as_bytes());
    let secret = &operator.ceremony_secret;
    let seed: Seed = secret.expose(|secret| derive(Tag::DEAL_COEFFICIENTS).derive(secret));
    seed.expose(|seed| watched.bytes(&format!("{name}'s seed of coefficients"), seed));
    let wide = secret.expose(|secret| derive(Tag::DEAL_EPHEMERAL).derive::<48>(secret));
    wide.expose(|wide| watched.bytes(&format!("{name}'s ephemeral key, wide"), wide));
    let r = wide.expose(Scalar::from_wide);
    watched.scalar(&format!("{name}'s ephemeral key"), &r);
    let ephemeral = G1::generator_times(&r).unwrap();
    let polynomials: Vec<Polynomial> = (0..params.validators)
        .map(|v| {
            let coefficients = (0..params.threshold).map(|k| {
                let block = u32::try_from(v * params.threshold + k).unwrap();
                Xof::secret(&seed).scalar_at(block)
            });
            let polynomial = Polynomial::from_coefficients(coefficients.collect());
            for (k, coefficient) in polynomial.coefficients().iter().enumerate() {
                watched.scalar(&format!("{name}'s coefficient {k} of {v}"), coefficient);
            }
            polynomial
        })
        .collect();
    let mut dealt = Vec::new();
    for recipient in &params.operators {
        let to = recipient.index;
        let shared = recipient.key.times(&r).unwrap();
        let mut secrets = watched.secrets.borrow_mut();
        secrets.point(
            &format!("{name}'s shared point with {to}"),
            &shared.to_bytes(),
        );
        drop(secrets);
        watched.derivation_key(
            &format!("{name}'s shared point with {to}, as key"),
            &shared.to_bytes(),
        );
        let key: Seed = derive(Tag::DEAL_PAD)
            .int(index)
            .int(to)
            .bytes(&recipient.key.to_bytes())
            .bytes(&ephemeral.to_bytes())
            .derive(&shared.to_bytes());
        key.expose(|key| watched.bytes(&format!("{name}'s key of pads for {to}"), key));
        let context = PadContext {
            tag: Tag::DEAL_PAD,
            cid: &params.cid,
            sender: index,
            recipient: to,
            key: &recipient.key,
            ephemeral: &ephemeral,
        };
        let mut pads = Pads::derive(context, &shared).stream();
        for (v, polynomial) in polynomials.iter().enumerate() {
            let pad = pads.scalar_at(u32::try_from(v).unwrap());
            watched.scalar(&format!("{name}'s pad for {to} of {v}"), &pad);
            let share = polynomial.evaluate(to);
            watched.scalar(&format!("what {name} dealt to {to} of {v}"), &share);
            dealt.push(share);
        }
    }
    dealt
}

/// The keystores in a directory: their passphrases, derived keys and secrets. Returns the latter.
fn keystore_secrets(
    watched: &Watched,
    name: &str,
    folder: &Path,
    given: Option<&str>,
) -> Vec<Scalar> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    let open = |path: &PathBuf| {
        let text = match given {
            Some(text) => text.to_owned(),
            None => {
                let beside = path.with_extension("txt");
                let text = fs::read_to_string(&beside).unwrap();
                let label = format!("{name}'s passphrase {}", beside.display());
                watched.text(&label, &text);
                watched.allow(&label, &beside);
                text
            }
        };
        let bytes = fs::read(path).unwrap();
        let file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let kdf = &file["crypto"]["kdf"];
        let mut salt = vec![0u8; 32];
        conclave::json::decode_hex(kdf["params"]["salt"].as_str().unwrap(), &mut salt).unwrap();
        let mut derived = [0u8; 32];
        if kdf["function"] == "scrypt" {
            let params = scrypt::Params::new(18, 8, 1).unwrap();
            scrypt::scrypt(text.as_bytes(), &salt, &params, &mut derived).unwrap();
        } else {
            pbkdf2::pbkdf2_hmac::<Sha256>(text.as_bytes(), &salt, 1 << 18, &mut derived);
        }
        watched.bytes(&format!("{name}'s key of {}", path.display()), &derived);
        let secret = Keystore::parse(&bytes)
            .unwrap()
            .decrypt(&Passphrase::new(text).unwrap())
            .unwrap();
        let secret = secret.expose(Scalar::from_bytes).unwrap();
        watched.scalar(&format!("{name}'s share of {}", path.display()), &secret);
        secret
    };
    files.iter().map(open).collect()
}

#[test]
fn nothing_of_a_ceremony_stays_behind() {
    let watched = Watched::new();
    let desk = &watched.desk;
    let key = || Opener::Key(age::x25519::Identity::generate());
    let operators = [
        operator(&watched, "alice", Opener::Passphrase(random_text())),
        operator(&watched, "bob", key()),
        operator(&watched, "carol", key()),
    ];
    let mut plan = vec![
        "plan",
        "new",
        "keygen",
        "--name",
        "Pool",
        "--network",
        "hoodi",
    ];
    let cards = operators
        .each_ref()
        .map(|operator| format!("{CONTROL}/{}.card.json", operator.name));
    for card in &cards {
        plan.extend(["--card", card]);
    }
    plan.extend(["--validators", "2", "--keystores", "pbkdf2"]);
    plan.extend(["--withdrawal", "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"]);
    let file = format!("{CONTROL}/pool.plan.json");
    plan.extend(["-o", &file]);
    desk.ok(&plan);
    let plan = Plan::parse(&desk.read(&file)).unwrap();
    let code = plan.code().unwrap().to_string();

    let chosen = random_text();
    let chosen_file = format!("{CONTROL}/keystores.secret");
    watched.secret_file(&chosen_file, "the keystores' passphrase", &chosen);
    let stick = format!("{CONTROL}/stick");
    let files = |name: &str| format!("{CONTROL}/files-{name}");
    for (turn, code_expected) in [
        (0, 3),
        (1, 3),
        (2, 3),
        (0, 3),
        (1, 0),
        (0, 0),
        (2, 0),
        (0, 0),
    ] {
        let operator = &operators[turn];
        let out = files(operator.name);
        let mut args: Vec<&str> = operator.flags.iter().map(String::as_str).collect();
        args.extend([
            "run",
            &file,
            "--via",
            &stick,
            "--accept-plan",
            &code,
            "--out",
            &out,
        ]);
        match operator.name {
            "bob" => args.extend(["--keystore-passphrase-file", &chosen_file]),
            "carol" => args.extend(["--keystores", "scrypt"]),
            _ => {}
        }
        watched.run(code_expected, &args);
    }

    // All that the ceremony was made of.
    let mut shares: Vec<Vec<Scalar>> = Vec::new();
    for (position, operator) in operators.iter().enumerate() {
        deal_secrets(&watched, &plan, position, operator);
        let name = operator.name;
        let vault = format!("{CONTROL}/home-{name}/vault/{}/shares.age", plan.cid());
        let blob = open_age(
            &watched,
            &format!("{name}'s vault"),
            &desk.read(&vault),
            &operator.home_key,
        );
        let own = OwnShares::from_blob(&Secret::new(blob)).unwrap();
        for (v, share) in own.shares.iter().enumerate() {
            watched.scalar(&format!("{name}'s share of {v}"), share);
        }
        let given = (name == "bob").then_some(chosen.as_str());
        let folder = desk.path(&format!("{}/validator_keys", files(name)));
        assert_eq!(keystore_secrets(&watched, name, &folder, given), own.shares);
        shares.push(own.shares);
    }
    let indices = plan.keygen().unwrap().params().indices();
    for (v, (first, second)) in shares[0].iter().zip(&shares[1]).enumerate() {
        let whole = interpolate_at_zero(&[(indices[0], first), (indices[1], second)]).unwrap();
        watched.scalar(&format!("the key that nobody has, of {v}"), &whole);
    }

    // What comes afterwards.
    let alice: Vec<&str> = operators[0].flags.iter().map(String::as_str).collect();
    let bob: Vec<&str> = operators[1].flags.iter().map(String::as_str).collect();
    let keys = |name| format!("{}/validator_keys", files(name));
    watched.run(0, &["keystore", "check", &keys("alice")]);
    watched.run(
        0,
        &[
            "--passphrase-file",
            &chosen_file,
            "keystore",
            "check",
            &keys("bob"),
        ],
    );
    watched.run(0, &["keystore", "check", &keys("carol")]);
    let new = random_text();
    let new_file = format!("{CONTROL}/new.secret");
    watched.secret_file(&new_file, "alice's new passphrase", &new);
    let change = [
        "home",
        "change-passphrase",
        "--new-passphrase-file",
        &new_file,
    ];
    watched.run(0, &[&alice[..], &change].concat());
    let backup = format!("{CONTROL}/bob.backup");
    let to_backup = random_text();
    let backup_file = format!("{CONTROL}/backup.secret");
    watched.secret_file(&backup_file, "the backup's passphrase", &to_backup);
    let by = ["--backup-passphrase-file", backup_file.as_str()];
    let args = [&bob[..], &["home", "backup", "-o", &backup], &by].concat();
    watched.run(0, &args);
    let restored = format!("{CONTROL}/home-restored");
    let args = [&["--home", &restored, "home", "restore", &backup][..], &by].concat();
    watched.run(0, &args);

    // The vault's commands open the shares; in a backup of them they stand in clear, inside.
    let proof = format!("{CONTROL}/bob.proof.json");
    let kept = format!("{CONTROL}/bob.shares");
    for args in [
        &["share", "show", &file, "--all"][..],
        &["share", "prove", &file, "-o", &proof],
        &[&["share", "backup", &file, "-o", &kept], &by[..]].concat(),
        &[&["share", "check-backup", &kept], &by[..]].concat(),
    ] {
        watched.run(0, &[&bob[..], args].concat());
    }
    let vault = format!("{CONTROL}/home-bob/vault/{}/shares.age", plan.cid());
    fs::remove_file(desk.path(&vault)).unwrap();
    let restore = [&["share", "restore", &kept], &by[..]].concat();
    watched.run(0, &[&bob[..], &restore].concat());
    // And from the keystores, each of which is opened.
    fs::remove_file(desk.path(&vault)).unwrap();
    let record = format!("{}/record", files("bob"));
    let folder = keys("bob");
    let import = [
        "share",
        "import",
        "--cluster",
        &record,
        "--keystores",
        &folder,
        "--keystore-passphrase-file",
        &chosen_file,
    ];
    watched.run(0, &[&bob[..], &import].concat());
    watched.assert_clean();
}

#[test]
fn nothing_of_a_rehearsal_stays_behind() {
    let watched = Watched::new();
    let plan = include_bytes!("../../ceremonies/keygen-3of4-hoodi.plan.json");
    let file = format!("{CONTROL}/plan.json");
    watched.desk.write(&file, plan);
    let out = format!("{CONTROL}/out");
    let args = ["rehearse", &file, "--keystores", "pbkdf2", "--out", &out];
    watched.run(0, &args);
    let mut shares = Vec::new();
    for (number, name) in (1..).zip(["alice", "bob", "carol", "dave"]) {
        let folder = format!("{out}/{number}-{name}/validator_keys");
        let own = keystore_secrets(&watched, name, &watched.desk.path(&folder), None);
        shares.push((number, own));
    }
    for v in 0..shares[0].1.len() {
        let of = |(index, own): &(u64, Vec<Scalar>)| (*index, own[v].duplicate());
        let pairs: Vec<(u64, Scalar)> = shares.iter().take(3).map(of).collect();
        let pairs: Vec<(u64, &Scalar)> = pairs.iter().map(|(x, y)| (*x, y)).collect();
        let whole = interpolate_at_zero(&pairs).unwrap();
        watched.scalar(&format!("the key that nobody has, of {v}"), &whole);
    }
    watched.assert_clean();
}

/// What a person types, and what is shown while they do: the screen is searched as a file is.
#[test]
fn nothing_that_is_typed_stays_behind() {
    let watched = Watched::new();
    let (typed, wrong, new) = (random_text(), random_text(), random_text());
    for (name, text) in [
        ("typed", &typed),
        ("typed wrong", &wrong),
        ("typed new", &new),
    ] {
        watched.text(name, text);
    }
    let home = format!("{CONTROL}/home");
    let card = format!("{CONTROL}/a.card.json");
    let home = ["--home", home.as_str()];
    let at_terminal = |code: u32, args: &[&str], answers: &[(&str, &str)]| {
        let folder = watched.folder();
        let all = [&[folder.to_str().unwrap(), "--"], &home[..], args].concat();
        let backtrace = [("RUST_BACKTRACE", "1"), ("TMPDIR", "tmp")];
        let desk = watched.desk.path(".");
        let mut terminal = Terminal::of(image_program(), &desk, &all, &backtrace);
        for (question, answer) in answers {
            terminal.answer(question, answer);
        }
        let (status, shown) = terminal.end();
        assert_eq!(status.exit_code(), code, "{args:?}: {shown}");
        let mut runs = watched.runs.borrow_mut();
        runs.push((args.join(" "), shown, folder));
    };
    let twice = [("characters", typed.as_str()), ("again", &typed)];
    at_terminal(0, &["identity", "new"], &twice);
    let make = ["card", "--name", "A", "-o", &card];
    at_terminal(1, &make, &[("passphrase of the home", &wrong)]);
    at_terminal(0, &make, &[("passphrase of the home", &typed)]);
    let answers = [
        ("passphrase", typed.as_str()),
        ("characters", &new),
        ("again", &new),
    ];
    at_terminal(0, &["home", "change-passphrase"], &answers);
    watched.assert_clean();
}

/// As this user and, if that is root, as nobody, whom the usual limit on locked memory holds: 8 MiB,
/// a thirtieth of what the passphrase's key derivation takes. What was done is in the kernel's words.
#[test]
fn core_dumps_are_off_and_memory_is_locked_where_nothing_limits_it() {
    let watched = Watched::new();
    let desk = &watched.desk;
    desk.write("secret", random_text());
    let run = |shell: &str, home: &str| {
        let folder = watched.images.path().join(home);
        let mut command = Command::new("sh");
        command
            .args(["-c", shell, "sh"])
            .arg(image_program())
            .arg(&folder)
            .args(["--", "--home", home, "--passphrase-file", "secret"])
            .args(["identity", "new"])
            .env("TMPDIR", "tmp")
            .current_dir(desk.path("."));
        let ended = Ended::of(command.output().unwrap());
        assert_eq!(ended.code, 0, "{shell}: {ended:?}");
        let image = Image::read(&folder);
        let core = image.fact("limits", "Max core file size");
        let core: Vec<&str> = core.split_whitespace().collect();
        assert_eq!(core[..2], ["0", "0"], "{shell}");
        assert_eq!(image.fact("dumpable", ""), "NotDumpable", "{shell}");
        let locked = image.fact("status", "VmLck:");
        locked.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let root = rustix::process::geteuid().is_root();
    let locked = run("ulimit -l unlimited 2>/dev/null; exec \"$@\"", "own");
    let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock);
    if root || limit.maximum.is_none() {
        assert!(locked > 4 << 10, "{locked} KiB are locked");
    }
    if root {
        use std::os::unix::fs::PermissionsExt as _;
        for folder in [desk.path("."), watched.images.path().to_owned()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
        }
        let nobody = "ulimit -l 8192; exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps -all --bounding-set -all \"$@\"";
        assert_eq!(run(nobody, "nobodys"), 0);
    } else if limit.current.is_some() {
        assert_eq!(
            run("ulimit -H -l \"$(ulimit -S -l)\"; exec \"$@\"", "limited"),
            0
        );
    }
}

/// A fault leaves no copy of the memory, where another program's does.
#[test]
fn a_process_that_is_killed_by_a_fault_leaves_no_core() {
    let desk = Desk::new();
    desk.write("secret", random_text());
    let shell = "ulimit -c unlimited 2>/dev/null; exec \"$@\"";
    let killed = |args: &[&str]| {
        let mut command = Command::new("sh");
        command.args(["-c", shell, "sh"]).args(args);
        let output = command.current_dir(desk.path(".")).output().unwrap();
        assert_eq!(output.status.signal(), Some(6), "{output:?}");
        output.status.core_dumped()
    };
    let image = image_program().to_str().unwrap();
    let home = [
        "--home",
        "h",
        "--passphrase-file",
        "secret",
        "identity",
        "new",
    ];
    let args = [&[image, "image", "--abort", "--"], &home[..]].concat();
    assert!(!killed(&args));
    assert!(desk.path("h/identity.age").exists());
    let left: Vec<PathBuf> = every_file(&desk.path("."))
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    assert!(
        !left
            .iter()
            .any(|path| path.to_string_lossy().contains("core")),
        "{left:?}"
    );
    // The comparison holds where the system dumps at all.
    let dumps = rustix::process::getrlimit(rustix::process::Resource::Core);
    println!(
        "another program: {}, {dumps:?}",
        killed(&["sh", "-c", "kill -ABRT $$"])
    );
}
