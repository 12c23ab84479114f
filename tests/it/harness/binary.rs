//! The real binary in an empty folder, without environment, terminal or standard input.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use conclave::ceremony::plan::{Draft, Plan, Registration, Validator, default_threshold};
use conclave::crypto::identity::IdentityKey;
use conclave::ethereum::address::Address;
use conclave::ethereum::amount::Gwei;
use conclave::ethereum::keystore::KdfChoice;
use conclave::ethereum::network::Network;
use conclave::ethereum::withdrawal::CredentialsKind;
use conclave::json::{self, Text};
use conclave::secret::Secret;
use conclave::wire::card::VerifiedCard;
use conclave::wire::roster::Index;

use crate::harness::schema;

/// A folder to work in; gone with the value.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Takes what a command left. What goes to no terminal is plain text, whichever command it comes
    /// from: no colour, no line drawn anew.
    pub(crate) fn of(output: std::process::Output) -> Self {
        let plain = |bytes| {
            let text = String::from_utf8(bytes).unwrap();
            assert!(!text.contains(['\u{1b}', '\r', '\u{8}']), "{text:?}");
            text
        };
        Self {
            code: output.status.code().unwrap(),
            stdout: plain(output.stdout),
            stderr: plain(output.stderr),
        }
    }
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        }
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_conclave"));
        command
            .args(args)
            .env_clear()
            .envs(self.variables.iter().cloned())
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end; a report of `--json` keeps to its schema.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        let ended = Ended::of(self.command(args).output().unwrap());
        if args.contains(&"--json") {
            schema::assert_report(args, ended.code, &ended.stdout);
        }
        ended
    }

    /// Runs a command with something on its standard input.
    #[track_caller]
    pub(crate) fn run_with_input(&self, args: &[&str], input: &str) -> Ended {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read it may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ended::of(child.wait_with_output().unwrap())
    }

    /// Runs a command that has to succeed; returns its standard output.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let ended = self.run(args);
        assert_eq!(ended.code, 0, "{args:?}: {ended:?}");
        ended.stdout
    }

    /// Every command by its words, from the first page of help: none for conclave itself, then the
    /// groups and what they hold.
    pub(crate) fn commands(&self) -> Vec<Vec<String>> {
        let page = self.ok(&["--help"]);
        let groups = page.split("\nOptions:").next().unwrap();
        let mut commands = std::collections::BTreeSet::from([Vec::new()]);
        for line in groups.lines().filter_map(|line| line.strip_prefix("  ")) {
            let name = line.split("  ").next().unwrap();
            if name.is_empty() {
                continue;
            }
            let words: Vec<String> = name.split(' ').map(ToOwned::to_owned).collect();
            commands.extend((1..=words.len()).map(|count| words[..count].to_vec()));
        }
        assert!(commands.len() > 20, "{page}");
        commands.into_iter().collect()
    }

    /// Runs a command that has to fail with this exit code and these words on standard error.
    #[track_caller]
    pub(crate) fn refused(&self, args: &[&str], code: i32, words: &[&str]) -> Ended {
        let ended = self.run(args);
        assert_eq!(ended.code, code, "{args:?}: {ended:?}");
        assert!(
            // Who waits for others has met no error.
            code == 3 || ended.stderr.lines().any(|line| line.starts_with("error: ")),
            "{args:?}: {ended:?}"
        );
        for word in words {
            assert!(ended.stderr.contains(word), "{args:?}: {word}: {ended:?}");
        }
        ended
    }
}

/// A program of the tests, by its name. A run of one test target alone does not build them.
pub(crate) fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let directory = BUILT.get_or_init(|| {
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_conclave"));
        let profile = binary.parent().unwrap();
        let mut build = Command::new(env!("CARGO"));
        build
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["build", "--locked", "--quiet", "--examples"])
            .arg("--target-dir")
            .arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            build.arg("--release");
        }
        // What cargo tells a test of its package would be news to build scripts, and half of the
        // dependencies be built again, here and by whoever builds next.
        for (name, _) in std::env::vars_os() {
            let of_package = [
                "CARGO_PKG_",
                "CARGO_MANIFEST_",
                "CARGO_BIN_",
                "CARGO_CRATE_",
            ];
            let name = name.to_string_lossy();
            if of_package.iter().any(|of| name.starts_with(of)) {
                build.env_remove(&*name);
            }
        }
        assert!(build.status().unwrap().success());
        profile.join("examples")
    });
    directory.join(name)
}

/// The card of an operator, the same for the same name.
pub(crate) fn card(name: &str) -> VerifiedCard {
    let mut secret = seed(name);
    secret[31] ^= 1;
    let text = Text::try_from(name.to_owned()).unwrap();
    VerifiedCard::make(&identity(name), text, &Secret::new(secret)).unwrap()
}

/// The identity of [`card`].
pub(crate) fn identity(name: &str) -> IdentityKey {
    IdentityKey::from_seed(&Secret::new(seed(name)))
}

fn seed(name: &str) -> [u8; 32] {
    let mut seed = [0x5a; 32];
    seed.iter_mut()
        .zip(name.bytes())
        .for_each(|(byte, c)| *byte ^= c);
    seed
}

/// A draft for these operators on Hoodi, one validator, everything fixed.
pub(crate) fn draft(names: &[&str]) -> Draft {
    let indices = (1..).map(|index| Index::new(index).unwrap());
    Draft {
        name: Text::try_from("Pool North".to_owned()).unwrap(),
        created: 1_767_225_600,
        network: Network::known("hoodi").unwrap().spec(),
        threshold: default_threshold(names.len()) as u64,
        roster: indices.zip(names.iter().map(|name| card(name))).collect(),
        validators: vec![Validator {
            withdrawal_address: Address([0xab; 20]),
            credentials: CredentialsKind::Eth1,
            deposits: vec![Gwei(32_000_000_000)],
            registration: Some(Registration {
                fee_recipient: Address([0xcd; 20]),
                gas_limit: 60_000_000,
                timestamp: 1_767_225_600,
            }),
        }],
        keystores: KdfChoice::Scrypt,
        backups: None,
        danger_low_threshold: false,
        random: [7; 32],
    }
}

/// A plan's file.
pub(crate) fn plan_file(draft: Draft) -> Vec<u8> {
    json::pretty(Plan::draft(draft).unwrap().value()).unwrap()
}

/// Compares with a golden file under `tests/cli`; `CONCLAVE_BLESS=1` writes it instead.
#[track_caller]
pub(crate) fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cli")
        .join(name);
    if std::env::var_os("CONCLAVE_BLESS").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        return fs::write(path, text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, golden,
        "{name} differs; CONCLAVE_BLESS=1 writes it anew"
    );
}
