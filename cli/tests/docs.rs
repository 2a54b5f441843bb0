//! The code blocks of the documentation, executed as a reader would copy them.
//!
//! | block | what is done with it |
//! |---|---|
//! | `console` | each line after `$ ` runs in a directory with `urls.txt`; lines below it are its exact output |
//! | `toml` with `[dependencies]` | the manifest of a new package, for the `rust` blocks of the same file |
//! | `toml` otherwise | is written to `policy.toml` and passes `fetch-all policy check` |
//! | `rust` | compiles in that package: as a program, or as a test if it has one |
//!
//! A comment on the line before a block changes that: `<!-- file: NAME -->` writes the block to a file, `<!-- exit: N -->`
//! expects an exit code, `<!-- not run: REASON -->` skips the block.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fetch_testbed::Site;
use tempfile::TempDir;

/// A fenced block and what the comment before it says.
struct Block {
    language: String,
    comment: String,
    text: String,
    line: usize,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// README.md and the pages of docs/ that hold `language` blocks.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md")];
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    pages.extend(docs.filter(|path| path.extension().is_some_and(|end| end == "md")));
    pages.sort();
    pages
}

fn blocks(page: &Path) -> Vec<Block> {
    let text = fs::read_to_string(page).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if let Some(language) = lines[at].strip_prefix("```") {
            let end = at
                + 1
                + lines[at + 1..]
                    .iter()
                    .position(|line| *line == "```")
                    .unwrap();
            let comment = at.checked_sub(1).map_or("", |before| lines[before]);
            let comment = comment
                .strip_prefix("<!-- ")
                .and_then(|text| text.strip_suffix(" -->"));
            blocks.push(Block {
                language: language.to_owned(),
                comment: comment.unwrap_or_default().to_owned(),
                text: lines[at + 1..end].join("\n") + "\n",
                line: at + 1,
            });
            at = end;
        }
        at += 1;
    }
    blocks.retain(|block| !block.comment.starts_with("not run: "));
    blocks
}

/// A directory as a reader may have it: a list of URLs.
fn reader_directory(site: &Site) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let urls: String = (1..=20)
        .map(|n| site.url(&format!("/bytes/{n}")) + "\n")
        .collect();
    fs::write(directory.path().join("urls.txt"), urls).unwrap();
    directory
}

/// A shell in which `fetch-all` is the built command, and which reaches nothing but the test site.
fn shell(line: &str, directory: &Path, site: &Site) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_fetch-all"));
    let path = std::env::var("PATH").unwrap();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", line])
        .current_dir(directory)
        .env(
            "PATH",
            format!("{}:{path}", binary.parent().unwrap().display()),
        )
        .env("XDG_CONFIG_HOME", directory)
        .env("FETCH_ALL_CONNECT_TO", format!("::{}", site.address()));
    for name in ["all_proxy", "http_proxy", "https_proxy", "no_proxy"] {
        shell.env_remove(name).env_remove(name.to_uppercase());
    }
    shell
}

fn run_console(block: &Block, directory: &Path, site: &Site, place: &str) {
    let expected: i32 = block
        .comment
        .strip_prefix("exit: ")
        .map_or(0, |code| code.parse().unwrap());
    let lines: Vec<&str> = block.text.lines().collect();
    let starts = (0..lines.len()).filter(|n| lines[*n].starts_with("$ "));
    for start in starts {
        let line = &lines[start][2..];
        let output = shell(line, directory, site).output().unwrap();
        let shown = lines[start + 1..]
            .iter()
            .take_while(|line| !line.starts_with("$ "));
        let shown: Vec<&str> = shown.copied().collect();
        let (out, err) = (output.stdout, output.stderr);
        let said = String::from_utf8([out, err].concat()).unwrap();
        assert_eq!(
            output.status.code(),
            Some(expected),
            "{place}: {line}\n{said}"
        );
        if !shown.is_empty() {
            assert_eq!(
                said.trim_end(),
                shown.join("\n").trim_end(),
                "{place}: {line}"
            );
        }
    }
}

#[test]
fn console_and_policy_blocks_do_what_they_show() {
    let site = Site::start().unwrap();
    for page in pages() {
        let directory = reader_directory(&site);
        for block in blocks(&page) {
            let place = format!("{}:{}", page.display(), block.line);
            if let Some(name) = block.comment.strip_prefix("file: ") {
                fs::write(directory.path().join(name), &block.text).unwrap();
                continue;
            }
            match &*block.language {
                "console" => run_console(&block, directory.path(), &site, &place),
                "toml" if !block.text.contains("dependencies]") => {
                    fs::write(directory.path().join("policy.toml"), &block.text).unwrap();
                    let check = shell(
                        "fetch-all policy check policy.toml",
                        directory.path(),
                        &site,
                    );
                    let output = { check }.output().unwrap();
                    let said = String::from_utf8_lossy(&output.stderr);
                    assert!(output.status.success(), "{place}: {said}");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn rust_blocks_compile_in_a_package_with_the_dependencies_shown() {
    let package = tempfile::tempdir().unwrap();
    for page in pages() {
        let blocks = blocks(&page);
        // Pages without a manifest have fragments, which are compiled as documentation tests.
        if !blocks
            .iter()
            .any(|block| block.text.contains("[dependencies]"))
        {
            continue;
        }
        let folder = package.path().join(page.file_stem().unwrap());
        for folder in ["src/bin", "tests"] {
            fs::create_dir_all(package.path().join(page.file_stem().unwrap()).join(folder))
                .unwrap();
        }
        let mut manifest =
            String::from("[package]\nname = \"reader\"\nedition = \"2024\"\n[workspace]\n");
        let source = root().canonicalize().unwrap();
        writeln!(
            manifest,
            "[patch.crates-io]\nfetch-all = {{ path = {source:?} }}"
        )
        .unwrap();
        writeln!(
            manifest,
            "fetch-proto = {{ path = {:?} }}",
            source.join("fetch-proto")
        )
        .unwrap();
        for (number, block) in blocks.iter().enumerate() {
            match &*block.language {
                "toml" if block.text.contains("dependencies]") => manifest += &block.text,
                "rust" => {
                    let kind = if block.text.contains("#[test]") {
                        "tests"
                    } else {
                        "src/bin"
                    };
                    fs::write(
                        folder.join(kind).join(format!("block{number}.rs")),
                        &block.text,
                    )
                    .unwrap();
                }
                _ => {}
            }
        }
        fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        let target = root().join("target/docs");
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["check", "--quiet", "--all-targets"])
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", target)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}:\n{said}", page.display());
    }
}
