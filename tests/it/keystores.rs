//! Many keystores at one time: how many work, what memory they take, and what a crash among them leaves.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::thread::ThreadId;

use conclave::ambient::{OsRandomness, Randomness, RandomnessError};
use conclave::artifacts::{ArtifactError, KEYS, Keystores, Recorded, Request, Written, write};
use conclave::ceremony::Unobserved;
use conclave::ceremony::plan::Validator;
use conclave::ethereum::keystore::{Capacity, KdfChoice};
use conclave::ethereum::network::Network;
use conclave::store::disk::{Disk, RealDisk};
use serde_json::Value;

use crate::harness::binary::Desk;
use crate::harness::ceremony::{Ceremony, draft, play, players};
use crate::harness::disk::{Death, FaultDisk, every_file};

const MIB: u64 = 1 << 20;
const SCRYPT: Keystores<'_> = Keystores::Generated(KdfChoice::Scrypt);
const PBKDF2: Keystores<'_> = Keystores::Generated(KdfChoice::Pbkdf2);

/// Four validators with one deposit each, two operators.
static FOUR: LazyLock<Ceremony> = LazyLock::new(|| {
    let players = players(&[3, 8]);
    let mut draft = draft(&players);
    draft.network = Network::known("hoodi").unwrap().spec();
    let one: Validator = draft.validators[0].clone();
    draft.validators = vec![one; 4];
    play(draft, players)
});

/// Randomness that remembers which threads wanted some. One that works on a keystore does, before its
/// key derivation.
#[derive(Default)]
struct Workers(HashSet<ThreadId>);

impl Randomness for Workers {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomnessError> {
        self.0.insert(std::thread::current().id());
        OsRandomness.fill(out)
    }
}

fn write_with(
    disk: Arc<dyn Disk>,
    directory: &Path,
    keystores: Keystores<'_>,
    capacity: Capacity,
    randomness: &mut (dyn Randomness + Send),
) -> Result<Written, ArtifactError> {
    let ceremony = &*FOUR;
    let list = ceremony.board.list();
    let request = Request {
        plan: ceremony.plan.keygen().unwrap(),
        outcome: &ceremony.outcome,
        own: Some(ceremony.shares(0)),
        keystores,
        capacity,
        messages: Recorded {
            messages: &ceremony.board,
            list: &list,
        },
        codes: &ceremony.codes,
    };
    write(&disk, directory, &request, randomness, &Unobserved)
}

fn names(directory: &Path) -> BTreeSet<String> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let files = every_file(&directory.join(KEYS));
    files.iter().map(|(path, _)| name(path)).collect()
}

/// Writes four keystores, expects so many threads at work, and has them all opened again.
#[track_caller]
fn names_by(
    keystores: Keystores<'_>,
    capacity: Capacity,
    threads: RangeInclusive<usize>,
) -> BTreeSet<String> {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("out");
    let mut workers = Workers::default();
    let real = || -> Arc<dyn Disk> { Arc::new(RealDisk) };
    write_with(real(), &directory, keystores, capacity, &mut workers).unwrap();
    let again = write_with(real(), &directory, keystores, capacity, &mut OsRandomness);
    assert!(again.unwrap().already);
    workers.0.remove(&std::thread::current().id());
    assert!(threads.contains(&workers.0.len()), "{}", workers.0.len());
    names(&directory)
}

#[test]
fn memory_bounds_the_workers_and_the_files_are_the_same_however_many_work() {
    let alone = names_by(SCRYPT, Capacity::chosen(8, 300 * MIB), 1..=1);
    let pair = names_by(SCRYPT, Capacity::chosen(8, 600 * MIB), 2..=2);
    let all = names_by(PBKDF2, Capacity::chosen(8, 0), 2..=8);
    assert_eq!(alone.len(), 8);
    assert_eq!(alone, pair);
    assert_eq!(alone, all);
}

#[test]
fn where_not_even_one_fits_nothing_is_written() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("out");
    let capacity = Capacity::chosen(8, 255 * MIB);
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let error = write_with(disk, &directory, SCRYPT, capacity, &mut OsRandomness).unwrap_err();
    assert!(
        matches!(error, ArtifactError::Capacity(_)),
        "{error}: {error:?}"
    );
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn a_crash_while_several_work_leaves_nothing_under_the_name() {
    let capacity = Capacity::chosen(4, 0);
    let mut died = 0;
    for step in (8..30).step_by(3) {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("out");
        let disk = FaultDisk::dying(step, Death::Torn);
        let result = write_with(
            disk.clone(),
            &directory,
            PBKDF2,
            capacity,
            &mut OsRandomness,
        );
        assert_eq!(result.is_err(), disk.died());
        if disk.died() {
            died += 1;
            if directory.exists() {
                assert_eq!(names(&directory).len(), 8);
            }
            let real: Arc<dyn Disk> = Arc::new(RealDisk);
            write_with(real, &directory, PBKDF2, capacity, &mut OsRandomness).unwrap();
        }
        assert_eq!(names(&directory).len(), 8);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
    assert!(died >= 4, "{died}");
}

#[test]
fn a_rehearsal_keeps_to_the_memory_it_is_allowed() {
    let desk = Desk::new();
    desk.write(
        "plan.json",
        include_bytes!("../../ceremonies/keygen-3of4-hoodi.plan.json"),
    );
    let rehearse = |memory: &str, out: &str| {
        let report = desk.ok(&[
            "rehearse",
            "plan.json",
            "--operators",
            "3",
            "--validators",
            "2",
            "--keystores",
            "scrypt",
            "--keystore-memory",
            memory,
            "--out",
            out,
            "--json",
        ]);
        let report: Value = serde_json::from_str(&report).unwrap();
        report["peak_memory_bytes"].as_u64().unwrap() / MIB
    };
    let one = rehearse("256MiB", "one");
    assert!((256..400).contains(&one), "{one} MiB");
    desk.refused(
        &[
            "rehearse",
            "plan.json",
            "--keystores",
            "scrypt",
            "--keystore-memory",
            "255MiB",
        ],
        2,
        &["a keystore takes 256 MiB, and 255 MiB is allowed"],
    );
    // The same bound when they are opened; nothing is opened beyond it.
    let folder = "one/1-alice/validator_keys";
    let told = desk.run(&["keystore", "check", folder, "--keystore-memory", "100MiB"]);
    assert_eq!(told.code, 1, "{told:?}");
    let words = "a keystore's key derivation takes 256 MiB of memory, and 100 MiB is allowed";
    assert_eq!(told.stdout.matches(words).count(), 2, "{told:?}");
    let rows = desk.ok(&["keystore", "check", folder, "--keystore-memory", "1GiB"]);
    let opened: Vec<&str> = rows.lines().collect();
    assert!(
        opened
            .iter()
            .all(|row| row.contains("decrypted, the secret"))
    );
    assert!(opened.is_sorted(), "{rows}");
}
