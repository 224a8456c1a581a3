//! Inputs as other programs write them: taken, or named with what to do; and which line each is from.

use crate::support::{
    Ran, Server, Worker, eights, eights_of_lines, ended, run, run_with, spawn, within,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::Arc;
use tequio::store::SqliteStore;
use tokio::io::AsyncWriteExt;

const LINES: &str = "/api/jobs?op=repeat_multiply";
const MAP: &[&str] = &["map", "repeat_multiply"];

/// A text, and the lines that its results say they are from: `value × 2^3`, the values being 1, 2, 3.
fn taken() -> Vec<(&'static str, String, [u64; 3])> {
    let bom = "\u{feff}";
    let input = |value: u64| eights(value..value + 1).trim_end().to_owned();
    let [one, two, three] = [1, 2, 3].map(input);
    let pretty = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    };
    let (p1, p2, p3) = (pretty(&one), pretty(&two), pretty(&three));
    vec![
        ("lines with a mark", format!("{bom}{one}\r\n\r\n{two}\n{three}"), [1, 3, 4]),
        ("an array", format!("[{one},{two},{three}]"), [1, 2, 3]),
        ("an array over lines", format!("{bom}[\n{p1},\n{p2},\n{p3}\n]\n"), [1, 2, 3]),
        ("csv", "times,initial,factor\n3,1,2\n3,2,2\n\n3,3,2\n".to_owned(), [2, 3, 5]),
        (
            "csv with more columns and quotes",
            "name,\"Initial\",factor,times\n\"a, \"\"b\"\"\",\"1\",2,3\nb,2,2,3\nc,3,2,3"
                .to_owned(),
            [2, 3, 4],
        ),
        (
            "Excel's, in Spanish",
            format!(
                "{bom}sep=;\r\ninitial;factor;times\r\n1,0;2;3\r\n2,0;2;3\r\n3,0;2;3\r\n;;\r\n"
            ),
            [3, 4, 5],
        ),
        ("tabs", "initial\tfactor\ttimes\n1\t2\t3\n2\t2\t3\n3\t2\t3\n".to_owned(), [2, 3, 4]),
    ]
}

fn results(lines: [u64; 3]) -> String {
    let result = |(index, line): (usize, u64)| {
        let value = (index + 1) * 8;
        format!("{{\"index\":{index},\"line\":{line},\"result\":{value}.0}}\n")
    };
    lines.into_iter().enumerate().map(result).collect()
}

#[tokio::test]
async fn what_other_programs_write_is_taken() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let url = server.url();
    for (what, text, lines) in taken() {
        let id = server.submit(LINES, text.clone()).await;
        server.job_over(id).await;
        let got = server.get_text(&format!("/api/jobs/{id}/results")).await;
        assert_eq!(got, results(lines), "{what}");
        let mapped = run_with(&url, MAP, &text).await.succeeded();
        assert_eq!(mapped, results(lines), "{what}, by map");
    }
    worker.stop().await;
}

#[tokio::test]
async fn what_is_foreign_is_named_with_what_to_do_and_never_skipped() {
    let server = Server::start().await;
    let url = server.url();
    let folder = tempfile::tempdir().unwrap();
    for (what, bytes, said) in foreign() {
        for query in ["", "&skip_invalid=true", "&more=true"] {
            let answer = server.post(&format!("{LINES}{query}"), bytes.clone()).await;
            assert_eq!(answer.refusal(), (400, "foreign_format".to_owned()), "{what}{query}");
            let message = answer.message();
            assert!(message.contains(said), "{what}: {message}");
            assert!(message.ends_with("Nothing of this submission is kept."), "{message}");
        }
        let file = folder.path().join("inputs");
        std::fs::write(&file, &bytes).unwrap();
        let submit = ["submit", "repeat_multiply", "--skip-invalid", "--input"];
        let error = run(&url, &[&submit, &[file.to_str().unwrap()][..]].concat()).await.failed(1);
        assert!(error.contains(said), "{what}: {error}");
        for options in [&[][..], &["--skip-invalid"]] {
            let error = run_bytes(&url, &[MAP, options].concat(), &bytes).await.failed(1);
            assert!(error.contains(said), "{what}: {error}");
        }
    }
    let jobs = server.get("/api/jobs").await.1;
    let kept = jobs.as_array().unwrap().iter().filter(|job| job["state"] != "cancelled");
    assert_eq!(kept.count(), 0, "{jobs}");
}

fn foreign() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let lines = eights(0..3);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(eights(0..3000).as_bytes()).unwrap();
    let wide = |mark: &str, little: bool| -> Vec<u8> {
        let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        format!("{mark}{lines}").encode_utf16().flat_map(bytes).collect()
    };
    let pretty = "{\n  \"initial\": 1,\n  \"factor\": 2,\n  \"times\": 3\n}\n";
    vec![
        ("gzip", gzip.finish().unwrap(), "gzip -dc FILE | tequio "),
        ("zip", b"PK\x03\x04\x14\0\0\0".to_vec(), "Save a spreadsheet as CSV"),
        ("xz", b"\xfd7zXZ\0\0\x04".to_vec(), "xz -dc FILE | tequio "),
        ("zstd", b"\x28\xb5\x2f\xfd\x04\x58\n\n".to_vec(), "zstd -dc FILE | tequio "),
        ("UTF-16", wide("\u{feff}", true), "iconv -f utf-16 -t utf-8 FILE | tequio "),
        ("UTF-16, big", wide("\u{feff}", false), "iconv -f utf-16 -t utf-8 FILE | tequio "),
        ("UTF-16 without a mark", wide("", true), "iconv -f utf-16le -t utf-8 FILE | tequio "),
        ("pretty JSON", pretty.into(), "jq -c . FILE | tequio "),
        ("lists", b"[1,2,3]\n[2,2,3]\n".to_vec(), "jq -c '{initial:.[0]"),
        ("no header", b"1;2;3\n2;2;3\n".to_vec(), "'initial;factor;times'; cat FILE"),
        ("other columns", b"a,b,c\n1,2,3\n".to_vec(), "columns a, b, c"),
        ("a column too few", b"initial,times\n1,3\n".to_vec(), "lacks factor"),
        ("a web page", b"<!DOCTYPE html>\n<p>".to_vec(), "a web page"),
        ("old Mac lines", lines.replace('\n', "\r").into(), "tr '\\r' '\\n' < FILE | tequio "),
    ]
}

#[tokio::test]
async fn a_line_that_is_no_input_shows_itself_and_a_right_one() {
    let server = Server::start().await;
    let url = server.url();
    for (line, said) in [
        (r#"{"initial":1,"factor":"1.5","times":10}"#, "column 23: \"factor\" is the text \"1.5\""),
        (r#"{"initial":1,"factor":{},"times":10}"#, "column 23: \"factor\" is an object"),
        (r#"{"initial":1e400,"factor":1,"times":10}"#, "column 12: 1e400 is too large"),
        (r#"{"initial":1,"factor":NaN,"times":10}"#, "column 23: NaN is no number in JSON"),
        (r#"{'initial':1,'factor':1,'times':10}"#, "column 2: JSON has double quotes"),
        (r#"{"initial":1,"factor":1,"times":10,}"#, "column 35: a comma before the }"),
        (r#"{"initial":1,"factor":1,"times":-1}"#, "column 33: \"times\" is -1"),
        (r#"{"initial":1,"factor":1,"times":1.5}"#, "column 33: \"times\" is 1.5"),
        (r#"{"initial":1,"factor":1,"time":1}"#, "there is \"time\""),
        (r#"{"initial":1,"initial":1,"factor":1,"times":1}"#, "\"initial\" is there twice"),
        (r#"{"initial":1,"factor":1,"times":1},"#, "column 35: a comma follows the object"),
        (r#"{}"#, "the object is empty"),
        (r#"null"#, "it is no JSON object"),
    ] {
        let text = eights(0..2) + line + "\n" + &eights(2..3);
        let message = server.post(LINES, text.clone()).await.message();
        let mapped = run_with(&url, MAP, &text).await.failed(1);
        for said_of_it in [message, mapped] {
            assert!(said_of_it.contains("Line 3, column "), "{said_of_it}");
            assert!(said_of_it.contains(said), "{line}: {said_of_it}");
            assert!(
                said_of_it.contains(&format!("It reads {line}; an input is {{")),
                "{said_of_it}"
            );
            for leak in ["expected", "invalid", "struct", "f64", "u64", "field", "EOF", "trailing"]
            {
                assert!(!said_of_it.contains(leak), "{leak}: {said_of_it}");
            }
        }
    }
    let far = format!("{{\"id\":\"{}\",\"initial\":x}}\n", "\u{1b}[31m".repeat(300));
    let message = server.post(LINES, far).await.message();
    assert!(message.len() < 400 && !message.contains('\u{1b}'), "{message}");
    let array = format!("[{},\n {{\"initial\":1}}]", eights(0..1).trim_end());
    let message = server.post(LINES, array).await.message();
    assert!(
        message.starts_with("Element 2, in line 2, column 14: \"factor\" is missing"),
        "{message}"
    );
    let table = "initial,factor,times\n1,2,3\n1,1e400,3\n";
    let message = server.post(LINES, table).await.message();
    assert!(
        message.starts_with("Line 3: factor is 1e400; it must be a finite number"),
        "{message}"
    );
}

#[tokio::test]
async fn lines_are_known_after_a_restart_and_those_that_were_skipped_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        eights(0..1) + "\nrubbish\n" + &"\n".repeat(5000) + &eights(1..2) + "{}\n" + &eights(2..3);
    let answer = {
        let server = Server::start_on(Arc::new(SqliteStore::open(folder.path()).unwrap())).await;
        let answer = server.post(&format!("{LINES}&skip_invalid=true"), text.clone()).await;
        server.stop().await;
        answer
    };
    let skipped = ["tequio-skipped-lines", "tequio-skipped-first"].map(|name| answer.header(name));
    assert_eq!(skipped, [Some("2"), Some("3,5005")]);

    let server = Server::start_on(Arc::new(SqliteStore::open(folder.path()).unwrap())).await;
    let worker = Worker::start(&server);
    server.job_over(1).await;
    let expected = [(0, 1, 0.0), (1, 5004, 8.0), (2, 5006, 16.0)];
    let json: String = expected
        .map(|(index, line, value)| {
            format!("{{\"index\":{index},\"line\":{line},\"result\":{value:?}}}\n")
        })
        .concat();
    assert_eq!(server.get_text("/api/jobs/1/results").await, json);
    let second = json.lines().nth(1).unwrap().to_owned() + "\n";
    assert_eq!(server.get_text("/api/jobs/1/results?first=1&count=1").await, second);
    let csv = "index,result,error,line\n0,0.0,,1\n1,8.0,,5004\n2,16.0,,5006\n";
    assert_eq!(server.get_text("/api/jobs/1/results?format=csv").await, csv);

    let url = server.url();
    let options = ["--skip-invalid"];
    let mapped = run_with(&url, &[MAP, &options].concat(), &text).await;
    assert_eq!((mapped.code, mapped.out), (Some(0), json));
    assert_eq!(mapped.err, "tequio: skipped 2 lines that are no inputs: 3 and 5005\n");
    let many = "rubbish\n".repeat(12) + &eights(0..1);
    let submit = ["submit", "repeat_multiply", "--input", "-", "--skip-invalid"];
    let said = run_with(&url, &submit, &many).await;
    let expected =
        "tequio: skipped 12 lines that are no inputs: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more\n";
    assert_eq!((said.code, said.err.as_str()), (Some(0), expected));
    worker.stop().await;
}

#[tokio::test]
async fn lines_of_further_requests_go_on_or_are_where_they_say() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let id = server.submit(&format!("{LINES}&more=true&line=10"), eights(0..1)).await;
    for (query, text) in [
        ("first=1&more=true", eights(1..2)),
        ("first=2&more=true&line=100", "\n".to_owned() + &eights(2..4)),
        // What is repeated is known, wherever it says that it is from.
        ("first=4&line=103", eights(4..5)),
    ] {
        let answer = server.post(&format!("/api/jobs/{id}/inputs?{query}"), text).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    server.job_over(id).await;
    let results = server.get_text(&format!("/api/jobs/{id}/results")).await;
    let lines: Vec<u64> = results
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [10, 11, 101, 102, 103]);

    let grid = json!({"op": "repeat_multiply", "grid": {"initial": 1, "factor": 2, "times": 3}});
    let grid = server.submit("/api/jobs", grid.to_string()).await;
    server.job_over(grid).await;
    let results = server.get_text(&format!("/api/jobs/{grid}/results")).await;
    assert_eq!(results, "{\"index\":0,\"result\":8.0}\n", "a grid has no lines");
    worker.stop().await;
}

#[tokio::test]
async fn map_computes_lines_as_they_come_whatever_their_format() {
    let server = Server::start().await;
    let worker = Worker::start(&server);
    let url = server.url();
    for (head, rows, lines) in [
        ("", eights(0..2), eights_of_lines(0..2)),
        ("initial,factor,times\n", "0,2,3\n1,2,3\n".to_owned(), numbered(2)),
        ("[", eights(0..2).replace('\n', ","), eights_of_lines(0..2)),
    ] {
        let mut map = spawn(&url, MAP);
        let mut stdin = map.stdin.take().unwrap();
        let mut out = map.stdout.take().unwrap();
        stdin.write_all((head.to_owned() + &rows).as_bytes()).await.unwrap();
        let mut seen = vec![0; lines.len()];
        within(tokio::io::AsyncReadExt::read_exact(&mut out, &mut seen)).await.unwrap();
        assert_eq!(String::from_utf8(seen).unwrap(), lines, "before the input ends");
        let end = if head == "[" { eights(2..3) + "]" } else { String::new() };
        stdin.write_all(end.as_bytes()).await.unwrap();
        drop(stdin);
        assert_eq!(ended(map).await.code, Some(0));
    }
    worker.stop().await;
}

/// The results of [`eights`] behind a header.
fn numbered(count: usize) -> String {
    let result = |index| {
        let (line, value) = (index + 2, index * 8);
        format!("{{\"index\":{index},\"line\":{line},\"result\":{value}.0}}\n")
    };
    (0..count).map(result).collect()
}

#[tokio::test]
async fn numbers_of_options_are_refused_without_words_of_programmers() {
    for arguments in [
        &["submit", "repeat_multiply", "--input", "-", "--priority", "high"][..],
        &["submit", "repeat_multiply", "--input", "-", "--priority", "3000000000"],
        &["map", "repeat_multiply", "--priority", "1.5"],
        &["results", "1", "--first", "-1"],
        &["results", "1", "--first", "x"],
        &["results", "1", "--count", "1e3"],
        &["work", "--slots", "many"],
        &["work", "--slots", "0"],
        &["echo", "--count", ""],
    ] {
        let ran = run("http://127.0.0.1:1", arguments).await;
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        for leak in ["digit", "literal", "target type", "u64", "i32"] {
            assert!(!ran.err.contains(leak), "{arguments:?}: {}", ran.err);
        }
    }
    let ran = run("http://127.0.0.1:1", &["work", "--slots", "many"]).await;
    assert!(ran.err.contains("it must be a whole number from 1 to 1024"), "{}", ran.err);
}

/// Runs a command to its end with bytes on its stdin.
async fn run_bytes(url: &str, arguments: &[&str], bytes: &[u8]) -> Ran {
    let mut child = spawn(url, arguments);
    let (mut stdin, bytes) = (child.stdin.take().unwrap(), bytes.to_vec());
    tokio::spawn(async move {
        // A command that has heard enough reads no more.
        stdin.write_all(&bytes).await.ok();
    });
    ended(child).await
}
