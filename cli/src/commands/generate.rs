//! The man page and the completions of shells.

use clap::Command;
use clap_complete::{Shell, generate as complete};

use crate::args::{self, GeneratedFile};

const NAME: &str = "fetch-all";

/// Generates the text.
pub(crate) fn generate(kind: GeneratedFile) -> Vec<u8> {
    let mut command = args::command();
    let shell = match kind {
        GeneratedFile::CompleteBash => Shell::Bash,
        GeneratedFile::CompleteElvish => Shell::Elvish,
        GeneratedFile::CompleteFish => Shell::Fish,
        GeneratedFile::CompletePowerShell => Shell::PowerShell,
        GeneratedFile::CompleteZsh => Shell::Zsh,
        GeneratedFile::Man => return man(command),
    };
    let mut text = Vec::new();
    complete(shell, &mut command, NAME, &mut text);
    text
}

fn man(command: Command) -> Vec<u8> {
    let mut text = Vec::new();
    let page = clap_mangen::Man::new(command).manual("User Commands");
    page.render(&mut text).expect("a Vec accepts all bytes");
    text
}
