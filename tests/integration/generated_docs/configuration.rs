//! `docs/configuration.md`: every command, option, default and environment variable, from clap's definitions.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};
use mfagate::config;

use super::{cell, notice, sentence};

pub(super) fn render() -> String {
    let mut program = config::Command::command();
    program.build();
    let mut page = notice("the options in src/config/");
    page.push_str("# Configuration\n\n");
    page.push_str(program.get_after_long_help().unwrap().to_string().trim());
    page.push('\n');
    let mut earlier = Vec::new();
    render_commands(&mut page, &program, &mut earlier);
    page
}

/// The commands of a command, and theirs.
fn render_commands(page: &mut String, parent: &Command, earlier: &mut Vec<(String, String)>) {
    for command in parent.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = command.get_bin_name().unwrap().to_owned();
        if command.has_subcommands() {
            render_commands(page, command, earlier);
            continue;
        }
        write!(page, "\n## `{name}`\n\n{}\n", about(command)).unwrap();
        let options = table(command);
        if let Some((same, _)) = earlier.iter().find(|(_, theirs)| !options.is_empty() && *theirs == options) {
            write!(page, "\nTakes the options of [`{same}`](#{}).\n", same.replace(' ', "-")).unwrap();
        } else if !options.is_empty() {
            write!(page, "\n| option | environment | default | meaning |\n|---|---|---|---|\n{options}").unwrap();
        }
        earlier.push((name, options));
    }
}

fn about(command: &Command) -> String {
    sentence(&command.get_about().unwrap().to_string())
}

/// The rows of a command's options.
fn table(command: &Command) -> String {
    let options = command.get_arguments().filter(|option| option.get_id() != "help" && option.get_id() != "version");
    options.map(row).collect()
}

fn row(option: &Arg) -> String {
    let value = option.get_value_names().and_then(|names| names.first());
    let value = value.filter(|_| option.get_action().takes_values());
    let name = match (option.get_long(), value) {
        (Some(long), Some(value)) => format!("--{long} {value}"),
        (Some(long), None) => format!("--{long}"),
        (None, value) => value.unwrap().to_string(),
    };
    let environment = option.get_env().map_or_else(String::new, |name| format!("`{}`", name.to_str().unwrap()));
    format!("| {} | {environment} | {} | {} |\n", cell(&format!("`{name}`")), default(option), cell(&meaning(option)))
}

fn default(option: &Arg) -> String {
    let shown = option.get_default_values().iter().filter(|_| !option.is_hide_default_value_set());
    let values: Vec<_> = shown.map(|value| format!("`{}`", value.to_str().unwrap())).collect();
    match (option.is_required_set(), option.get_action().takes_values()) {
        (true, _) => "required".to_owned(),
        (false, true) => values.join(", "),
        (false, false) => "off".to_owned(),
    }
}

/// The help, with what each of an option's few values means.
fn meaning(option: &Arg) -> String {
    let help = option.get_long_help().or_else(|| option.get_help()).unwrap();
    let mut text = sentence(&help.to_string());
    if option.get_action().takes_values() {
        let values = option.get_possible_values();
        let values = values.iter().map(|value| format!("`{}`: {}", value.get_name(), value.get_help().unwrap()));
        let values = values.collect::<Vec<_>>().join("; ");
        if !values.is_empty() {
            write!(text, " {}", sentence(&values)).unwrap();
        }
    }
    text
}
