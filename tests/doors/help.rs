//! The tree of commands, against a stored text: nothing appears in it or goes by accident.

use chorus::cli::args::Cli;
use clap::{Command, CommandFactory};

fn walk(command: &mut Command, path: &str, each: &mut impl FnMut(&str, &mut Command)) {
    each(path, command);
    for child in command.get_subcommands_mut() {
        let path = format!("{path} {}", child.get_name());
        walk(child, &path, each);
    }
}

#[test]
fn every_command_has_an_example_and_the_tree_is_as_documented() {
    let mut root = Cli::command();
    root.build();
    root.clone().debug_assert();
    let mut tree = String::new();
    walk(&mut root, "chorus", &mut |path, command| {
        let help = command.render_help().to_string();
        let (_, examples) = help.split_once("Example:\n").unwrap_or_else(|| panic!("no example in {path} --help"));
        assert!(examples.contains(&format!("  {path}")) || path == "chorus", "{path}: {examples}");
        let usage = help.lines().find(|line| line.starts_with("Usage: ")).unwrap_or_else(|| panic!("{path}"));
        tree.push_str(usage.trim_start_matches("Usage: "));
        tree.push('\n');
        for arg in command.get_arguments().filter(|arg| !arg.is_global_set() || path == "chorus") {
            if let Some(long) = arg.get_long() {
                tree.push_str(&format!("    --{long}\n"));
            }
        }
    });
    insta::assert_snapshot!(tree);
}
