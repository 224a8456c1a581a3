//! `docs/limits.md`: every limit of `protocol/src/limits.rs` with its value and its reason.
//!
//! Names, sections and reasons are read from the source, line by line. Values are what the compiler
//! makes of them: the file stands alone, so that a small program around it prints them all.

use crate::run::{command, output, root, run, target_dir};
use anyhow::{Context, Result, bail, ensure};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the limits are.
const SOURCE: &str = "protocol/src/limits.rs";

/// Where they are listed for people.
const PAGE: &str = "docs/limits.md";

/// What is above this line is written by hand, what is below it by this program.
const MARK: &str = "<!-- What follows is written by `cargo xtask limits`. -->";

/// One limit, as the source has it.
#[derive(Debug, PartialEq, Eq)]
struct Limit {
    section: String,
    name: String,
    /// The doc comment, in Markdown on one line.
    reason: String,
}

/// Writes the page anew, and leaves what is written by hand.
pub(crate) fn write() -> Result<()> {
    fs::write(path(), page()?).with_context(|| format!("writing {PAGE}"))
}

/// Returns an error where the page does not say what the source says.
pub(crate) fn check() -> Result<()> {
    ensure!(written()? == page()?, "{PAGE} is out of date: run `cargo xtask limits`");
    Ok(())
}

fn path() -> PathBuf {
    root().join(PAGE)
}

fn written() -> Result<String> {
    fs::read_to_string(path()).with_context(|| format!("reading {PAGE}"))
}

fn page() -> Result<String> {
    let written = written()?;
    let (by_hand, _) = written.split_once(MARK).with_context(|| {
        format!("{PAGE} has no line `{MARK}`, below which the limits are written")
    })?;
    let source = root().join(SOURCE);
    let text =
        fs::read_to_string(&source).with_context(|| format!("reading {}", source.display()))?;
    let limits = read(&text)?;
    let values = values(&source, &limits)?;
    Ok(format!("{by_hand}{MARK}\n{}", tables(&limits, &values)))
}

// ---- Reading ------------------------------------------------------------------------------------

/// The limits of a source, in its order. Returns an error where one has no reason.
fn read(source: &str) -> Result<Vec<Limit>> {
    let (mut limits, mut section, mut reason) = (Vec::new(), String::new(), Vec::new());
    for line in source.lines() {
        if let Some(title) = line.strip_prefix("// ---- ") {
            section = title.trim_end_matches(['-', ' ']).to_owned();
        } else if let Some(said) = line.strip_prefix("///") {
            reason.push(said.trim());
        } else if let Some(declared) = line.strip_prefix("pub const ") {
            let (name, _) = declared.split_once(':').with_context(|| format!("no type: {line}"))?;
            ensure!(!reason.is_empty(), "{name} has no reason beside it");
            limits.push(Limit {
                section: section.clone(),
                name: name.to_owned(),
                reason: in_markdown(&reason.join(" ")),
            });
            reason.clear();
        }
    }
    ensure!(!limits.is_empty(), "{SOURCE} has no limits");
    Ok(limits)
}

/// A doc comment for readers that know no links of rustdoc and are in the cell of a table.
fn in_markdown(comment: &str) -> String {
    comment.replace("[`", "`").replace("`]", "`").replace('|', "\\|")
}

// ---- Values -------------------------------------------------------------------------------------

/// What the compiler makes of each limit, as `Debug` writes it.
fn values(source: &Path, limits: &[Limit]) -> Result<Vec<String>> {
    let folder = target_dir().join("limits");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let mut program = format!("#[path = {source:?}]\nmod limits;\n\nfn main() {{\n");
    for Limit { name, .. } in limits {
        writeln!(program, "    println!(\"{{:?}}\", limits::{name});")?;
    }
    program.push_str("}\n");
    let (main, binary) = (folder.join("main.rs"), folder.join("limits"));
    fs::write(&main, program).with_context(|| format!("writing {}", main.display()))?;
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut rustc = command(rustc);
    rustc.args(["--edition", "2024", "--cap-lints", "allow", "-o"]).arg(&binary).arg(&main);
    run(&mut rustc).with_context(|| {
        format!("{SOURCE} is compiled by itself, so it may use nothing but `std`")
    })?;
    let printed = output(&mut command(&binary))?;
    let values: Vec<String> = printed.lines().map(str::to_owned).collect();
    if values.len() != limits.len() {
        bail!("{} limits have {} values", limits.len(), values.len());
    }
    Ok(values)
}

/// A value for people. The unit of a number is in its limit's name; a duration brings its own.
fn in_words(name: &str, value: &str) -> String {
    if let Ok(number) = value.parse::<u64>() {
        let has = |part: &str| name.split('_').any(|word| word == part);
        return match number {
            _ if has("BYTES") => bytes(number),
            _ if has("KIB") => bytes(number.saturating_mul(1024)),
            _ if has("CHARS") => format!("{} characters", grouped(number)),
            _ if name.ends_with("_S") => seconds(number),
            _ => grouped(number),
        };
    }
    // `Debug` of a duration has one unit at most, the largest that its nanoseconds need.
    let split = value.find(|one: char| one.is_alphabetic() || one == 'µ').unwrap_or(value.len());
    match (value[..split].parse::<u64>(), &value[split..]) {
        (Ok(number), "s") => seconds(number),
        (_, unit @ ("s" | "ms" | "µs" | "ns")) => format!("{} {unit}", &value[..split]),
        _ => value.to_owned(),
    }
}

fn bytes(number: u64) -> String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if number >= 1 << shift && number.is_multiple_of(1 << shift) {
            return format!("{} {unit}", grouped(number >> shift));
        }
    }
    format!("{} bytes", grouped(number))
}

fn seconds(number: u64) -> String {
    match number {
        86_400.. if number.is_multiple_of(3600) => format!("{} h", grouped(number / 3600)),
        120.. if number.is_multiple_of(60) => format!("{} min", grouped(number / 60)),
        _ => format!("{} s", grouped(number)),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

// ---- Writing ------------------------------------------------------------------------------------

fn tables(limits: &[Limit], values: &[String]) -> String {
    let (mut text, mut section) = (String::new(), None);
    for (limit, value) in limits.iter().zip(values) {
        if section != Some(&limit.section) {
            section = Some(&limit.section);
            text.push_str(&format!("\n## {}\n\n", limit.section));
            text.push_str("| limit | value | reason |\n|---|---|---|\n");
        }
        let Limit { name, reason, .. } = limit;
        text.push_str(&format!("| `{name}` | {} | {reason} |\n", in_words(name, value)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_read_with_its_section_and_its_reason() {
        let source = "//! All.\n\n// ---- Frames ------\n\n/// The longest. See [`B`]\n/// or a|b.\n\
                      pub const A_BYTES: usize =\n    2 * B;\n\n/// Half.\npub const B: usize = 3;\n";
        let limit = |name: &str, reason: &str| Limit {
            section: "Frames".to_owned(),
            name: name.to_owned(),
            reason: reason.to_owned(),
        };
        let limits = [limit("A_BYTES", "The longest. See `B` or a\\|b."), limit("B", "Half.")];
        assert_eq!(read(source).unwrap(), limits);
    }

    #[test]
    fn a_limit_without_a_reason_is_refused() {
        let source = "/// One.\npub const A: u8 = 1;\npub const B: u8 = 2;\n";
        assert!(read(source).unwrap_err().to_string().contains("B has no reason"));
        assert!(read("").is_err());
    }

    #[test]
    fn values_are_told_with_their_units() {
        for (name, value, said) in [
            ("FRAME_BYTES_MAX", "1048576", "1 MiB"),
            ("HOST_BYTES_MAX", "260", "260 bytes"),
            ("WAITING_KIB_MAX", "8192", "8 MiB"),
            ("AGENT_CHARS_MAX", "512", "512 characters"),
            ("SESSIONS_MAX", "1024", "1,024"),
            ("HISTORY_S", "3600", "60 min"),
            ("SESSION_KEPT", "60s", "60 s"),
            ("HOLD_MAX", "600s", "10 min"),
            ("OPEN_IDLE_MAX", "86400s", "24 h"),
            ("PIECE", "250ms", "250 ms"),
            ("BACKOFF", "1.5s", "1.5 s"),
            ("SHARE", "0.25", "0.25"),
            ("RANGE", "1..=4", "1..=4"),
        ] {
            assert_eq!(in_words(name, value), said, "{name}");
        }
    }

    #[test]
    fn the_compiler_says_what_the_limits_are() {
        let source = root().join(SOURCE);
        let limits = read(&fs::read_to_string(&source).unwrap()).unwrap();
        let values = values(&source, &limits).unwrap();
        let value = |name: &str| {
            let at = limits.iter().position(|limit| limit.name == name).unwrap();
            in_words(name, &values[at])
        };
        assert_eq!(value("FRAME_BYTES_MAX"), "1 MiB");
        // Made of others.
        assert_eq!(value("UNSENT_BYTES_MAX"), "4 MiB");
    }
}
