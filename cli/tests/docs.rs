//! The documentation, checked as a reader would use it: blocks are executed, links and names are
//! looked up.
//!
//! | block | what is done with it |
//! |---|---|
//! | `console` | each line after `$ ` runs in a directory with `urls.txt`; lines below it are its exact output |
//! | `toml` with `[dependencies]` | the manifest of a new package, for the `rust` blocks of the same file |
//! | `toml` otherwise | is written to `policy.toml` and passes `fetch-all policy check` |
//! | `rust` | compiles in that package: as a test, as a program, or as items of one |
//!
//! A comment on the line before a block changes that: `<!-- file: NAME -->` writes the block to a
//! file, `<!-- exit: N -->` expects an exit code, `<!-- not run: REASON -->` skips the block.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fetch_testbed::Site;
use tempfile::TempDir;

/// A fenced block, and the comment before it.
struct Block {
    language: String,
    comment: String,
    text: String,
    line: usize,
}

impl Block {
    fn is_manifest(&self) -> bool {
        self.language == "toml" && self.text.contains("dependencies]")
    }
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().unwrap()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// README.md and the pages of docs/.
fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let docs = docs.map(|entry| entry.unwrap().path());
    let mut pages: Vec<_> = docs
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    pages.push(root().join("README.md"));
    pages.sort();
    pages
}

fn blocks(page: &Path) -> Vec<Block> {
    let text = read(page);
    let lines: Vec<&str> = text.lines().collect();
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if let Some(language) = lines[at].strip_prefix("```") {
            let length = lines[at + 1..].iter().position(|line| *line == "```");
            let end = at + 1 + length.expect("a block has an end");
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

/// A directory as a reader may have it, with a list of URLs.
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
    let path = format!("{}:{path}", binary.parent().unwrap().display());
    let mut shell = Command::new("sh");
    shell
        .args(["-c", line])
        .current_dir(directory)
        .env("PATH", path)
        .env("API_SECRET", "hush")
        .env("API_TOKEN", "t0k3n")
        .env("XDG_CONFIG_HOME", directory)
        .env("FETCH_ALL_CONNECT_TO", format!("::{}", site.address()));
    for name in ["all_proxy", "http_proxy", "https_proxy", "no_proxy"] {
        shell.env_remove(name).env_remove(name.to_uppercase());
    }
    shell
}

/// Runs each command of the block, and compares exit code and, if it is shown, output.
fn run_console(block: &Block, directory: &Path, site: &Site, place: &str) {
    let code = block.comment.strip_prefix("exit: ");
    let code: i32 = code.map_or(0, |code| code.parse().unwrap());
    let commands = format!("\n{}", block.text);
    for command in commands.split("\n$ ").skip(1) {
        let (line, shown) = command.split_once('\n').unwrap_or((command, ""));
        // The site has no TLS, so https URLs are only explained.
        let fetches_https = line.contains("https://") && !line.contains(" policy explain ");
        assert!(!fetches_https, "{place}: {line}");
        let output = shell(line, directory, site).output().unwrap();
        let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{place}: {line}\n{printed}"
        );
        if !shown.trim().is_empty() {
            assert_eq!(printed.trim_end(), shown.trim_end(), "{place}: {line}");
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
            } else if block.language == "console" {
                run_console(&block, directory.path(), &site, &place);
            } else if block.language == "toml" && !block.is_manifest() {
                fs::write(directory.path().join("policy.toml"), &block.text).unwrap();
                let check = "fetch-all policy check policy.toml";
                let output = shell(check, directory.path(), &site).output().unwrap();
                let printed = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{place}: {printed}");
            }
        }
    }
}

/// Writes a package with the page's dependencies and its `rust` blocks. It uses this repository's
/// lock file.
fn write_package(folder: &Path, blocks: &[Block]) {
    let (root, crates) = (root(), ["fetch-all", "fetch-proto"]);
    let mut manifest =
        "[package]\nname = \"reader\"\nedition = \"2024\"\n[workspace]\n[patch.crates-io]\n"
            .to_owned();
    for (name, path) in crates.into_iter().zip([root.clone(), root.join(crates[1])]) {
        writeln!(manifest, "{name} = {{ path = {path:?} }}").unwrap();
    }
    for kind in ["src/bin", "tests"] {
        fs::create_dir_all(folder.join(kind)).unwrap();
    }
    for block in blocks {
        let name = format!("line{}.rs", block.line);
        if block.is_manifest() {
            manifest += &block.text;
        } else if block.language == "rust" && block.text.contains("#[test]") {
            fs::write(folder.join("tests").join(name), &block.text).unwrap();
        } else if block.language == "rust" {
            let has_main = block.text.contains("fn main(");
            let main = if has_main { "" } else { "fn main() {}\n" };
            let text = format!("#![allow(dead_code)]\n{}{main}", block.text);
            fs::write(folder.join("src/bin").join(name), text).unwrap();
        }
    }
    fs::write(folder.join("src/lib.rs"), "").unwrap();
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
}

#[test]
fn rust_blocks_compile_in_a_package_with_the_dependencies_shown() {
    let packages = tempfile::tempdir().unwrap();
    for page in pages() {
        let blocks = blocks(&page);
        // Pages without a manifest have fragments, which are compiled as documentation tests.
        if !blocks.iter().any(Block::is_manifest) {
            continue;
        }
        let folder = packages.path().join(page.file_stem().unwrap());
        write_package(&folder, &blocks);
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["check", "--quiet", "--offline", "--all-targets"])
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", root().join("target/docs"))
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}:\n{printed}", page.display());
    }
}

/// The long options in the help of the command and its subcommands.
fn long_options() -> BTreeSet<String> {
    let commands = [
        "",
        "cache list",
        "cache purge",
        "cache show",
        "cache stats",
        "cache verify",
        "policy check",
        "policy explain",
        "replay",
        "simulate",
        "state check",
        "state repair",
    ];
    let scale = ["collect", "plan", "status", "work"];
    let scale = scale.into_iter().filter(|_| cfg!(feature = "scale"));
    let mut options = BTreeSet::new();
    for command in commands.into_iter().chain(scale) {
        let output = Command::new(env!("CARGO_BIN_EXE_fetch-all"))
            .args(command.split_whitespace())
            .arg("--help")
            .output()
            .unwrap();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let line = line.trim_start();
            let short = line
                .strip_prefix('-')
                .filter(|rest| rest[1..].starts_with(", "));
            let long = short.map_or(line, |rest| &rest[3..]);
            if let Some(name) = long.strip_prefix("--") {
                let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c)));
                options.insert(format!(
                    "--{}",
                    name[..end.unwrap_or(name.len())].trim_end_matches('.')
                ));
            }
        }
    }
    options
}

#[test]
fn the_page_of_the_command_names_every_option_and_field() {
    let page = read(&root().join("docs/cli.md"));
    let options = long_options();
    assert!(
        options.contains("--http1.1") && options.len() > 100,
        "{options:?}"
    );
    let is_named = |name: &str| {
        page.match_indices(name).any(|(at, _)| {
            let before = page[..at].chars().next_back();
            let after = page[at + name.len()..].chars().next();
            before == Some('`') || before == Some(' ') && after != Some('-')
        })
    };
    let missing: Vec<_> = options.iter().filter(|name| !is_named(name)).collect();
    assert!(missing.is_empty(), "docs/cli.md does not name {missing:?}");

    let site = Site::start().unwrap();
    let (directory, list) = (
        reader_directory(&site),
        "fetch-all -i urls.txt --record-headers --checksum md5",
    );
    let output = shell(list, directory.path(), &site).output().unwrap();
    let record = String::from_utf8(output.stdout).unwrap();
    let record: serde_json::Value = serde_json::from_str(record.lines().next().unwrap()).unwrap();
    for (name, value) in record.as_object().unwrap() {
        assert!(
            page.contains(&format!("`{name}`")),
            "docs/cli.md does not name the field {name}"
        );
        for part in value.as_array().iter().flat_map(|list| list[0].as_object()) {
            for name in part.keys() {
                assert!(
                    page.contains(&format!("`{name}`")),
                    "docs/cli.md does not name attempts.{name}"
                );
            }
        }
    }
}

/// The pages whose links are checked: those with blocks, and other pages for readers.
fn linked_pages() -> Vec<PathBuf> {
    let mut all = pages();
    all.extend(["CHANGELOG.md", "CONTRIBUTING.md"].map(|page| root().join(page)));
    for folder in subfolders(&root()) {
        let crates = subfolders(&folder).into_iter().chain([folder]);
        all.extend(crates.map(|folder| folder.join("README.md")));
    }
    all.retain(|page| page.exists());
    all.sort();
    all.dedup();
    all
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let entries = entries.map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

/// The targets of inline links, with the text of each.
fn links(text: &str) -> Vec<(&str, &str)> {
    let mut links = Vec::new();
    for (at, _) in text.match_indices("](") {
        let target = &text[at + 2..];
        let (Some(start), Some(end)) = (text[..at].rfind('['), target.find(')')) else {
            continue;
        };
        links.push((&text[start + 1..at], &target[..end]));
    }
    links
}

/// The text without fenced blocks.
fn prose(text: &str) -> String {
    let mut in_block = false;
    let mut prose = String::new();
    for line in text.lines() {
        let is_fence = line.starts_with("```");
        in_block ^= is_fence;
        if !in_block && !is_fence {
            prose += line;
            prose.push('\n');
        }
    }
    prose
}

/// Whether a page has this heading, by the name that GitHub gives its anchor.
fn has_anchor(page: &str, anchor: &str) -> bool {
    page.lines()
        .filter(|line| line.starts_with('#'))
        .any(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c })
                .eq(anchor.chars())
        })
}

#[test]
fn links_and_paths_lead_somewhere() {
    let mut errors = Vec::new();
    for page in linked_pages() {
        let text = prose(&read(&page));
        let folder = page.parent().unwrap();
        for (label, target) in links(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() {
                page.clone()
            } else {
                folder.join(path)
            };
            if !file.exists() {
                errors.push(format!("{}: {target} does not exist", page.display()));
            } else if !anchor.is_empty() && !has_anchor(&read(&file), anchor) {
                errors.push(format!("{}: {target} has no such heading", page.display()));
            } else if let Some(name) = label
                .strip_prefix('`')
                .and_then(|name| name.strip_suffix('`'))
                && file.extension().is_some_and(|end| end == "rs")
                && !name.contains(['/', '.'])
                && !read(&file).contains(name.rsplit("::").next().unwrap())
            {
                errors.push(format!("{}: {target} has no {name}", page.display()));
            }
        }
        // A path in code font is relative to the root of the repository, or to the page's folder.
        for code in text.split('`').skip(1).step_by(2) {
            let is_path = code
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            let Some((first, _)) = code.split_once('/').filter(|_| is_path) else {
                continue;
            };
            let is_ours = !first.is_empty() && root().join(first).is_dir();
            if is_ours && !root().join(code).exists() && !folder.join(code).exists() {
                errors.push(format!("{}: `{code}` does not exist", page.display()));
            }
        }
    }
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

/// The sources below a folder of the repository.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files
}

/// The folders with tests that pages name.
const TESTED: [&str; 7] = [
    "adapters",
    "cli/tests",
    "fetch-proto",
    "hickory",
    "policy",
    "tests",
    "trace",
];

/// Checks that each name in backquotes in the last column of a table is that of a test.
fn check_tests(page: &str, rows: impl Fn(&str) -> bool) {
    let folders = TESTED.map(|folder| sources(&root().join(folder)));
    let code: String = folders.iter().flatten().map(|file| read(file)).collect();
    let page = read(&root().join(page));
    let mut count = 0;
    for row in page
        .lines()
        .filter(|line| line.starts_with("| ") && rows(line))
    {
        let tests = row.trim_end_matches(" |").rsplit_once(" | ").unwrap().1;
        for name in tests.split('`').skip(1).step_by(2) {
            count += 1;
            let exists = name.contains('/') || code.contains(&format!("fn {name}("));
            assert!(exists, "no test {name}");
        }
    }
    assert!(count > 20, "{count} tests");
}

#[test]
fn the_tests_that_the_pages_name_exist() {
    check_tests("docs/pitfalls.md", |row| row.contains('_'));
    // The comparison with other clients has seven columns.
    check_tests("docs/library.md", |row| row.matches(" | ").count() == 6);
}

/// The crates whose folders docs/architecture.md explains.
const LAYERED_CRATES: [&str; 4] = ["fetch-proto", "adapters/driver", "adapters/http", "cli"];

#[test]
fn the_page_of_the_architecture_names_the_folders_that_exist() {
    let page = read(&root().join("docs/architecture.md"));
    let start = page.find("## Layers").unwrap();
    let layers = &page[start..start + page[start..].find("## One URL").unwrap()];
    let rows = layers.lines().filter(|line| line.starts_with("| `"));
    let named: BTreeSet<_> = rows
        .flat_map(|row| {
            row[2..]
                .split(" | ")
                .next()
                .unwrap()
                .split('`')
                .skip(1)
                .step_by(2)
        })
        .collect();
    let mut existing = BTreeSet::new();
    for name in LAYERED_CRATES {
        for entry in fs::read_dir(root().join(name).join("src")).unwrap() {
            let path = entry.unwrap().path();
            existing.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    }
    let existing: BTreeSet<_> = existing.iter().map(|name| &**name).collect();
    let existing = &existing - &BTreeSet::from(["lib", "main"]);
    assert_eq!(
        named, existing,
        "docs/architecture.md, left, names other folders than there are"
    );
}
