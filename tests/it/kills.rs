//! Whole ceremonies with the real commands, disturbed and given again: killed at any change of the
//! disk, over disks that fail, with clocks that lie, twice at once, with homes that forgot or were
//! copied.

use std::path::Path;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Instant;

use crate::harness::disk::{copy_tree, every_file};
use crate::harness::kills::{Played, Point, Step, Task, spread, try_all};

/// The undisturbed ceremony, which all compare with.
fn played() -> &'static Played {
    static PLAYED: OnceLock<Played> = OnceLock::new();
    PLAYED.get_or_init(|| Played::play("pbkdf2"))
}

#[test]
fn two_hundred_kill_points_of_a_ceremony_lose_nothing() {
    let points = spread(played(), &played().kill_points(), 200);
    assert_eq!(points.len(), 200);
    try_all(played(), &points);
}

#[test]
fn keeping_shares_is_killed_at_its_changes_and_given_again() {
    let kept = |point: &Point| {
        let step = &played().steps[point.step];
        matches!(
            step.task,
            Task::Prove | Task::ShareBackup | Task::CheckBackup | Task::ShareRestore
        )
    };
    let mut points = played().kill_points();
    points.retain(kept);
    // Every one of them in `every_kill_point`; here each tenth, and so another kind each time.
    let points: Vec<Point> = points.into_iter().step_by(10).collect();
    assert!(points.len() > 20, "{}", points.len());
    try_all(played(), &points);
}

#[test]
fn a_disk_that_fails_at_any_call_loses_nothing() {
    let points = spread(played(), &played().failing_points(), 90);
    try_all(played(), &points);
}

#[test]
fn no_clock_changes_what_a_ceremony_comes_to() {
    let points = spread(played(), &played().clock_points(), 40);
    try_all(played(), &points);
}

/// `cargo test --locked --test it -- --ignored --nocapture every_kill_point`
#[test]
#[ignore = "takes an hour; CONTRIBUTING.md has the command"]
fn every_kill_point() {
    let started = Instant::now();
    let points = played().kill_points();
    assert!(points.len() >= 2000, "{}", points.len());
    for ((task, operator), count) in try_all(played(), &points) {
        println!("{operator:<6} {task:?}: {count}");
    }
    let seconds = started.elapsed().as_secs();
    println!("{} kill points in {seconds} s", points.len());
}

/// `cargo test --locked --test it -- --ignored --nocapture every_failing_call`
#[test]
#[ignore = "takes an hour; CONTRIBUTING.md has the command"]
fn every_failing_call() {
    let started = Instant::now();
    let points = played().failing_points();
    for ((task, operator), count) in try_all(played(), &points) {
        println!("{operator:<6} {task:?}: {count}");
    }
    let seconds = started.elapsed().as_secs();
    println!("{} failing calls in {seconds} s", points.len());
}

/// Starts a command at several desks, or several times at one, and waits for all to end.
fn at_once(step: &Step, desks: &[&Path]) -> Vec<(i32, String)> {
    let running: Vec<_> = desks
        .iter()
        .map(|desk| {
            let mut command = step.command(desk);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    running
        .into_iter()
        .map(|child| {
            let ended = child.wait_with_output().unwrap();
            let said = String::from_utf8(ended.stderr).unwrap();
            (ended.status.code().unwrap(), said)
        })
        .collect()
}

#[test]
fn two_processes_at_once_with_one_home_do_what_one_does() {
    for step in played().runs_of("bob") {
        let place = tempfile::tempdir().unwrap();
        let desk = step.desk_before(place.path());
        for (code, said) in at_once(step, &[&desk, &desk, &desk]) {
            assert!(
                code == step.code() || said.contains("another conclave is at work"),
                "{code}: {said}"
            );
        }
        let again = step.run(&desk);
        played().check(step, &desk, &again, "three at once");
    }
}

#[test]
fn a_home_that_forgot_says_the_same_again() {
    let runs = played().runs_of("alice");
    let last = runs.last().unwrap();
    // From before the deal, from between deal and confirm, from after the confirm.
    for old in &runs {
        let place = tempfile::tempdir().unwrap();
        let desk = last.desk_after(place.path());
        let home = desk.join(old.home());
        std::fs::remove_dir_all(&home).unwrap();
        let past = tempfile::tempdir().unwrap();
        copy_tree(&old.desk_before(past.path()).join(old.home()), &home);
        let again = last.run(&desk);
        played().check(last, &desk, &again, "an old home");
    }
}

/// What lies on a stick, by its place there.
fn on_stick(desk: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let stick = desk.join("stick");
    every_file(&stick)
        .into_iter()
        .map(|(path, bytes)| (path.strip_prefix(&stick).unwrap().to_owned(), bytes))
        .collect()
}

#[test]
fn a_home_on_two_machines_in_turn_and_at_once_says_the_same() {
    let runs = played().runs_of("alice");
    let place = tempfile::tempdir().unwrap();
    for step in &runs {
        for at_the_same_time in [false, true] {
            let here = step.desk_before(&place.path().join("here"));
            let there = step.desk_before(&place.path().join("there"));
            // One stick for both.
            std::fs::remove_dir_all(there.join("stick")).unwrap();
            std::os::unix::fs::symlink(here.join("stick"), there.join("stick")).unwrap();
            let ended = if at_the_same_time {
                at_once(step, &[&here, &there])
            } else {
                [&here, &there]
                    .map(|desk| at_once(step, &[desk]).remove(0))
                    .into()
            };
            for (code, said) in ended {
                assert_eq!(code, step.code(), "{said}");
            }
            let after = tempfile::tempdir().unwrap();
            let twin = step.desk_after(after.path());
            assert!(on_stick(&here) == on_stick(&twin), "{:?}", step.task);
            played().check(step, &here, &step.run(&here), "here");
            std::fs::remove_file(there.join("stick")).unwrap();
            copy_tree(&here.join("stick"), &there.join("stick"));
            played().check(step, &there, &step.run(&there), "there");
            std::fs::remove_dir_all(place.path().join("here")).unwrap();
            std::fs::remove_dir_all(place.path().join("there")).unwrap();
        }
    }
}
