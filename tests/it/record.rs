//! Records: written, and read from anyone.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use conclave::artifacts::record::{RecordError, RecordFiles, read_record};
use conclave::artifacts::{ArtifactError, Recorded, write_record};
use conclave::ceremony::outcome::Outcome;
use conclave::ceremony::session::Session;
use conclave::ceremony::{Messages as _, Unobserved};
use conclave::store::disk::{Disk, DiskError, RealDisk};
use conclave::store::folder::MAX_FILE_BYTES;

use crate::harness::ceremony::{Ceremony, draft, play, players};
use crate::harness::disk::every_file;

static CEREMONY: LazyLock<Ceremony> = LazyLock::new(|| {
    let players = players(&[1, 2]);
    let mut draft = draft(&players);
    draft.validators.truncate(1);
    play(draft, players)
});

fn real() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

fn write(directory: &Path, list: &[(String, String)], complete: bool) -> Result<(), ArtifactError> {
    let recorded = Recorded {
        messages: &CEREMONY.board,
        list,
    };
    let outcome = CEREMONY.outcome.to_bytes().unwrap();
    let outcome = complete.then_some(outcome.as_slice());
    write_record(&real(), directory, &CEREMONY.plan, &recorded, outcome).map(drop)
}

fn read(directory: &Path) -> Result<RecordFiles, RecordError> {
    read_record(&real(), directory)
}

#[test]
fn a_record_leads_to_the_outcome_again() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("record");
    write(&directory, &CEREMONY.board.list(), true).unwrap();
    let record = read(&directory).unwrap();
    assert_eq!(record.plan(), CEREMONY.plan.bytes());
    assert_eq!(record.messages().len(), 4);
    assert!(record.ignored().is_empty());
    let outcome = record.outcome().unwrap().unwrap();
    assert_eq!(outcome, CEREMONY.outcome.to_bytes().unwrap());
    let mut session = Session::new(&CEREMONY.plan);
    for id in record.messages() {
        session.register(&record.load(id).unwrap(), id);
    }
    let examination = session.examine(&record, &Unobserved).unwrap();
    assert_eq!(
        examination.outcome.as_ref().and_then(Outcome::keygen),
        Some(&CEREMONY.outcome)
    );

    // It is not written twice, nor over anything.
    let before = every_file(place.path());
    let error = write(&directory, &CEREMONY.board.list(), true).unwrap_err();
    assert!(matches!(error, ArtifactError::Occupied { .. }));
    assert_eq!(every_file(place.path()), before);
}

#[test]
fn a_record_without_an_end_has_no_outcome_and_equal_labels_get_suffixes() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("record");
    let list: Vec<_> = CEREMONY
        .board
        .0
        .keys()
        .map(|id| ("1-deal.json".to_owned(), id.clone()))
        .collect();
    write(&directory, &list, false).unwrap();
    let record = read(&directory).unwrap();
    assert_eq!(record.outcome().unwrap(), None);
    let names = [
        "1-deal.json",
        "1-deal~2.json",
        "1-deal~3.json",
        "1-deal~4.json",
    ];
    assert_eq!(record.messages(), names);
    let missing = [("x".to_owned(), "nowhere".to_owned())];
    let other = place.path().join("other");
    assert!(matches!(
        write(&other, &missing, false),
        Err(ArtifactError::Messages(_))
    ));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn what_does_not_belong_to_a_record_is_listed_and_never_read() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("record");
    write(&directory, &CEREMONY.board.list(), true).unwrap();
    let messages = directory.join("messages");
    fs::write(directory.join("notes.txt"), "x").unwrap();
    fs::write(directory.join("._x.outcome.json"), "x").unwrap();
    fs::write(messages.join("._1-deal.json"), "x").unwrap();
    fs::write(messages.join("readme.md"), "x").unwrap();
    fs::create_dir(messages.join("dir.json")).unwrap();
    symlink("/etc/hostname", messages.join("link.json")).unwrap();
    let large = fs::File::create(messages.join("large.json")).unwrap();
    large.set_len(MAX_FILE_BYTES + 1).unwrap();
    let record = read(&directory).unwrap();
    assert_eq!(record.messages().len(), 4);
    assert_eq!(record.ignored().len(), 7, "{:?}", record.ignored());
    for (name, why) in [
        ("notes.txt", "a regular file"),
        ("messages/link.json", "a symbolic link"),
        ("messages/dir.json", "a directory"),
        ("messages/large.json", "67108865 bytes"),
    ] {
        let listed = |text: &&String| text.starts_with(name) && text.contains(why);
        assert_eq!(record.ignored().iter().filter(listed).count(), 1, "{name}");
    }
    for id in [
        "link.json",
        "large.json",
        "../plan.json",
        "/etc/hostname",
        "",
    ] {
        assert!(
            record
                .load(id)
                .unwrap_err()
                .to_string()
                .contains("does not exist")
        );
    }

    fs::write(directory.join("a.outcome.json"), "x").unwrap();
    let error = read(&directory).unwrap_err();
    assert!(matches!(&error, RecordError::Outcomes { .. }), "{error}");
}

#[test]
fn what_is_no_record_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let error = read(&place.path().join("nowhere")).unwrap_err();
    assert!(matches!(error, RecordError::Disk(DiskError::NotFound(_))));
    assert!(read(place.path()).is_err());
    let plan = fs::File::create(place.path().join("plan.json")).unwrap();
    assert!(read(place.path()).unwrap().messages().is_empty());
    plan.set_len(16 * 1024 * 1024 + 1).unwrap();
    let error = read(place.path()).unwrap_err();
    assert!(matches!(
        error,
        RecordError::Disk(DiskError::TooLarge { .. })
    ));
}
