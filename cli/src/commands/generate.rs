//! The man page, and what shells complete by.

use clap::Command;
use clap_complete::{Shell, generate as complete};

use crate::args::{self, setup::Generate};

const NAME: &str = "fetch-all";

/// What is asked for, whole.
pub(crate) fn generate(kind: Generate) -> Vec<u8> {
    let mut command = args::command();
    let shell = match kind {
        Generate::CompleteBash => Shell::Bash,
        Generate::CompleteElvish => Shell::Elvish,
        Generate::CompleteFish => Shell::Fish,
        Generate::CompletePowerShell => Shell::PowerShell,
        Generate::CompleteZsh => Shell::Zsh,
        Generate::Man => return man(command),
    };
    let mut text = Vec::new();
    complete(shell, &mut command, NAME, &mut text);
    text
}

fn man(command: Command) -> Vec<u8> {
    let mut text = Vec::new();
    let page = clap_mangen::Man::new(command).manual("User Commands");
    page.render(&mut text).expect("a vector takes all");
    text
}
