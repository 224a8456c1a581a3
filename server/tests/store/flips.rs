//! One bit of the file is turned: whatever is read is what was written, or an error.

use crate::helpers::*;
use rand::rngs::{StdRng, SysRng};
use rand::{RngExt, SeedableRng, TryRng};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tequio::store::{Damage, Recording, Run, Sample, SqliteStore, Store, StoreError};
use tequio_protocol::ids::JobId;
use tequio_protocol::reader::LineRun;
use tequio_protocol::values::Values;

const GRID: JobId = JobId(1);
const LINES: JobId = JobId(2);

/// A page of the file, see `PAGE_BYTES`.
const PAGE: usize = 4096;

/// Turns of bits that a test of many tries.
const TURNS: usize = 600;

/// The file of a store with rows that lie within a page, one over several pages, and ones with errors.
fn file() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(running(&store, 10_000), GRID);
    assert_eq!(store.create_job(&inputs_job()).unwrap(), LINES);
    store.append_lines(LINES, 0, &inputs(0..2), &[line_run(0, 1), line_run(1, 7)]).unwrap();
    store.append_lines(LINES, 2, &inputs(2..300), &[line_run(2, 9)]).unwrap();
    store.publish(LINES).unwrap();
    store.record(&recordings()).unwrap();
    drop(store);
    fs::read(dir.path().join("tequio.sqlite")).unwrap()
}

/// What [`file`] has of outcomes.
fn recordings() -> Vec<Recording> {
    let of_grid = [0..3, 3..12, 12..700, 5000..5001].map(|range| mixed(GRID, range));
    of_grid.into_iter().chain([numbers(LINES, 0..5)]).collect()
}

/// All that a store gives of its jobs' rows.
#[derive(Debug, PartialEq)]
struct Rows {
    outcomes: [Vec<Run>; 2],
    samples: [Sample; 2],
    inputs: Values,
    lines: Option<Vec<LineRun>>,
    counts: Vec<(u64, u64)>,
}

fn read(dir: &Path) -> Result<Rows, StoreError> {
    let store = SqliteStore::open(dir)?;
    let jobs = store.load()?.jobs;
    if let Some(job) = jobs.iter().find(|job| job.trouble.is_some()) {
        let what = job.trouble.clone().unwrap();
        return Err(StoreError::Damaged { job: job.id, name: String::new(), what, outcomes: None });
    }
    let indices: Vec<u64> = (0..6000).step_by(7).collect();
    Ok(Rows {
        outcomes: [store.outcomes(GRID, 0..u64::MAX, u64::MAX)?, store.outcomes(LINES, 1..9, 99)?],
        samples: [store.sample(GRID, &indices, u64::MAX)?, store.sample(LINES, &[0, 3, 8], 99)?],
        inputs: store.inputs(LINES, 0..300)?,
        lines: store.lines(LINES, 0..300)?,
        counts: jobs.iter().map(|job| (job.done, job.failed)).collect(),
    })
}

/// A folder in memory, where the system has such: a store syncs what it writes, and here are many of them.
fn memory_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// What is read of a file.
fn read_file(bytes: &[u8]) -> Result<Rows, StoreError> {
    let dir = memory_folder();
    fs::write(dir.path().join("tequio.sqlite"), bytes).unwrap();
    read(dir.path())
}

/// Reads the file with one bit turned, which must be right or an error; gives the latter.
#[track_caller]
fn turned(file: &[u8], whole: &Rows, byte: usize, bit: u8) -> Option<String> {
    let mut bytes = file.to_vec();
    bytes[byte] ^= 1 << bit;
    match read_file(&bytes) {
        Ok(rows) => assert!(rows == *whole, "bit {bit} of byte {byte} gives other rows"),
        Err(error) => return Some(error.to_string()),
    }
    None
}

/// Where the file has a text, and that once.
fn position(file: &[u8], text: &str) -> usize {
    let found: Vec<usize> = (0..file.len() - text.len())
        .filter(|at| file[*at..].starts_with(text.as_bytes()))
        .collect();
    assert_eq!(found.len(), 1, "{text}");
    found[0]
}

#[test]
fn a_bit_of_a_small_row_is_never_another_result() {
    let file = file();
    let whole = read_file(&file).unwrap();
    // The text of tasks 0..3, its errors and its checksum.
    let text = "[null,0.3333333333333333,0.6666666666666666]";
    let errors = r#"{"0":"trap at 0"}"#;
    let first = position(&file, &format!("{text}{errors}"));
    for byte in first..first + text.len() + errors.len() + 4 {
        for bit in 0..8 {
            let error = turned(&file, &whole, byte, bit);
            let error = error.unwrap_or_else(|| panic!("bit {bit} of byte {byte} is not seen"));
            let named = "job 1 (grid): the outcomes of tasks 0..3 cannot be read: ";
            assert!(error.starts_with(named), "{error}");
        }
    }
    // What comes before it in the row: job, first, count, failed, and who computed it.
    for byte in first - 40..first {
        (0..8).for_each(|bit| drop(turned(&file, &whole, byte, bit)));
    }
}

#[test]
fn a_bit_of_inputs_or_of_lines_is_never_another_one() {
    let file = file();
    let whole = read_file(&file).unwrap();
    let inputs = r#"{"initial":0.3333333333333333,"factor":1.1,"times":1}]"#;
    let inputs = (position(&file, inputs), inputs.len(), "the inputs of tasks 0..2 cannot be read");
    let lines = "[[0,1],[1,7]]";
    let lines = (position(&file, lines), lines.len(), "the lines of inputs from task 0 on cannot");
    for (first, length, named) in [inputs, lines] {
        for byte in first..first + length + 4 {
            for bit in 0..8 {
                let error = turned(&file, &whole, byte, bit);
                let error = error.unwrap_or_else(|| panic!("bit {bit} of byte {byte} is not seen"));
                assert!(error.contains("job 2") && error.contains(named), "{error}");
            }
        }
    }
}

/// The pages of tables and of indices, their heads and their ends, where what finds the rows is.
#[test]
fn a_bit_anywhere_behind_the_schema_is_never_another_result() {
    let seed = SysRng.try_next_u64().unwrap();
    eprintln!("the bits follow from the seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let file = file();
    let whole = read_file(&file).unwrap();
    let pages = file.len() / PAGE;
    let mut seen = 0;
    for turn in 0..TURNS {
        let page = 1 + turn % (pages - 1);
        // Every other time what the page begins or ends with, which is most of what is there in a small one.
        let within = match turn / (pages - 1) % 3 {
            0 => random.random_range(0..PAGE),
            1 => random.random_range(0..48),
            _ => PAGE - 1 - random.random_range(0..160),
        };
        let bit = random.random_range(0..8);
        seen += usize::from(turned(&file, &whole, page * PAGE + within, bit).is_some());
    }
    assert!(seen > TURNS / 20, "{seen} of {TURNS} were seen");
}

/// Repairs all jobs of a file, and records again what they had.
fn repair(bytes: &[u8]) -> Result<Rows, StoreError> {
    let dir = memory_folder();
    fs::write(dir.path().join("tequio.sqlite"), bytes).unwrap();
    let store = SqliteStore::open(dir.path())?;
    store.load()?;
    for job in [GRID, LINES] {
        let damage = store.examine(job)?;
        assert_eq!(damage.inputs, [], "none were turned");
        let repaired = store.repair(job, &damage)?;
        assert_eq!(store.examine(job)?, Damage::default(), "{repaired:?}");
        let tally = store.tally(job)?;
        assert_eq!((repaired.job.done, repaired.job.recorded), (tally.done, tally.recorded));
    }
    store.record(&recordings())?;
    drop(store);
    read(dir.path())
}

#[test]
fn what_is_damaged_is_repaired_by_recording_it_again() {
    let file = file();
    let whole = read_file(&file).unwrap();
    let first = position(&file, r#"[null,0.3333333333333333,0.6666666666666666]{"0":"trap at 0"}"#);
    for byte in (first - 40..first + 64).step_by(3) {
        let mut bytes = file.clone();
        bytes[byte] ^= 1 << (byte % 8);
        match repair(&bytes) {
            Ok(rows) => assert!(rows == whole, "byte {byte} gives other rows"),
            // By its number alone the table finds a row, and that is nowhere else.
            Err(error) => assert!(byte < first - 25, "byte {byte}: {error}"),
        }
    }
}

/// Some of it is SQLite's own, of which one error is told where it is in the way.
#[test]
fn a_bit_of_an_index_is_repaired_or_told_of() {
    let seed = SysRng.try_next_u64().unwrap();
    eprintln!("the bits follow from the seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let file = file();
    let whole = read_file(&file).unwrap();
    let roots = roots(&file);
    let mut repaired = 0;
    for name in ["outcome_extent", "sqlite_autoindex_outcome_1"] {
        for _ in 0..100 {
            let mut bytes = file.clone();
            let byte = roots[name] * PAGE - 1 - random.random_range(0..64);
            bytes[byte] ^= 1 << random.random_range(0..8);
            match repair(&bytes) {
                Ok(rows) => {
                    assert!(rows == whole, "byte {byte} gives other rows");
                    repaired += 1;
                }
                Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "{error}"),
            }
        }
    }
    assert!(repaired > 100, "{repaired} of 200 were repaired");
}

#[test]
fn results_are_recorded_though_nobody_knows_how_many_were_audited() {
    let dir = memory_folder();
    let store = SqliteStore::open(dir.path()).unwrap();
    let job = running(&store, 1000);
    let audited = |first| Recording { audited: 10, ..numbers(job, first..first + 10) };
    store.record(&[audited(0)]).unwrap();
    drop(store);
    let path = dir.path().join("tequio.sqlite");
    let mut file = fs::read(&path).unwrap();
    let root = roots(&file)["audited"];
    file[(root - 1) * PAGE..root * PAGE].fill(0xff);
    fs::write(&path, file).unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    assert_eq!(store.load().unwrap().jobs[0].audited, 0);
    store.record(&[audited(10)]).unwrap();
    assert_eq!(store.load().unwrap().jobs[0].recorded, [0..20]);
    assert_eq!(store.outcomes(job, 10..20, 10).unwrap(), [run(10..20)]);
}

/// The page, counted from 1, that each table and index begins with.
fn roots(file: &[u8]) -> BTreeMap<String, usize> {
    let dir = memory_folder();
    fs::write(dir.path().join("tequio.sqlite"), file).unwrap();
    let shell = rusqlite::Connection::open(dir.path().join("tequio.sqlite")).unwrap();
    let mut roots = shell.prepare("SELECT name, rootpage FROM sqlite_schema").unwrap();
    let roots = roots.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    roots.map(Result::unwrap).collect()
}
