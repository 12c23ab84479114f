//! What the README tells people to type is what the commands take.

use crate::harness::binary::Desk;

/// The `conclave …` lines of the shell blocks of a page.
fn commands(page: &str) -> Vec<Vec<String>> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in page.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside && line.starts_with("conclave ") => found.push(words(line)),
            _ => {}
        }
    }
    found
}

/// Splits at blanks; double quotes hold a word together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (position, part) in line.split('"').enumerate() {
        if position % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn every_command_of_the_readme_is_taken() {
    let desk = Desk::new();
    let commands = commands(include_str!("../../README.md"));
    assert!(commands.len() >= 10, "{commands:?}");
    for command in commands {
        // Help is given only when everything before it is understood.
        let mut args: Vec<&str> = command.iter().skip(1).map(String::as_str).collect();
        args.push("--help");
        let ended = desk.run(&args);
        assert_eq!(ended.code, 0, "{command:?}: {ended:?}");
        assert!(ended.stdout.contains("Usage: conclave"), "{command:?}");
    }
    let wrong = desk.run(&["run", "pool.plan.json", "--through", "x", "--help"]);
    assert_eq!(wrong.code, 2, "an unknown flag is not hidden by --help");
}

#[test]
fn the_first_commands_are_those_that_ci_runs() {
    let page = include_str!("../../README.md");
    let first: Vec<&str> = page
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
