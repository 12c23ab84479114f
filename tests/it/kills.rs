//! Whole ceremonies with the real commands, each killed at any change of its disk and given again.

use std::time::Instant;

use crate::harness::kills::{Played, spread, try_all};

#[test]
fn two_hundred_kill_points_of_a_ceremony_lose_nothing() {
    let played = Played::play("pbkdf2");
    let points = spread(&played, &played.kill_points(), 200);
    assert_eq!(points.len(), 200);
    try_all(&played, &points);
}

/// `cargo test --release --locked --test it -- --ignored --nocapture every_kill_point`
#[test]
#[ignore = "takes many minutes; CONTRIBUTING.md has the command"]
fn every_kill_point() {
    let started = Instant::now();
    let played = Played::play("pbkdf2");
    let points = played.kill_points();
    assert!(points.len() >= 2000, "{}", points.len());
    for ((task, operator), count) in try_all(&played, &points) {
        println!("{operator:<6} {task:?}: {count}");
    }
    let seconds = started.elapsed().as_secs();
    println!("{} kill points in {seconds} s", points.len());
}
