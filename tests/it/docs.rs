//! What README and runbook tell people to type does what they say: see `harness::story`.

use crate::harness::binary::Desk;
use crate::harness::story;

const README: &str = include_str!("../../README.md");
const RUNBOOK: &str = include_str!("../../docs/runbook.md");

#[test]
fn the_readme_does_what_it_says() {
    assert!(story::play(README) > 20);
}

#[test]
fn the_runbook_does_what_it_says() {
    assert!(story::play(RUNBOOK) > 50);
}

#[test]
fn error_codes_of_the_runbook_exist() {
    let errors = include_str!("../../docs/errors.md");
    let table = RUNBOOK.split("### 7.2 ").nth(1).unwrap();
    let table = table.split("\n### ").next().unwrap();
    let mut found = 0;
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.split(" | ").next().unwrap();
        for code in cell.split('`').skip(1).step_by(2) {
            assert!(errors.contains(&format!("### `{code}`\n")), "{code}");
            found += 1;
        }
    }
    assert!(found > 25, "{found}");
}

#[test]
fn commands_in_passing_are_taken() {
    let desk = Desk::new();
    let mut tried = 0;
    for page in [README, RUNBOOK] {
        for command in page.split('`').filter(|text| text.starts_with("conclave ")) {
            // Help is given only when everything before it is understood.
            let mut args: Vec<&str> = command.split_whitespace().skip(1).collect();
            args.push("--help");
            let ended = desk.run(&args);
            assert_eq!(ended.code, 0, "{command}: {ended:?}");
            assert!(ended.stdout.contains("Usage: conclave"), "{command}");
            tried += 1;
        }
    }
    assert!(tried > 2);
    let wrong = desk.run(&["run", "pool.plan.json", "--through", "x", "--help"]);
    assert_eq!(wrong.code, 2, "an unknown flag is not hidden by --help");
}

#[test]
fn the_first_commands_are_those_that_ci_runs() {
    let first: Vec<&str> = README
        .split("```sh\n")
        .skip(1)
        .take(2)
        .map(|block| block.split("\n```").next().unwrap())
        .collect();
    assert_eq!(
        first,
        [
            "cargo run --release --locked -- rehearse ceremonies/keygen-3of4-hoodi.plan.json",
            "cargo test --locked"
        ]
    );
}
