//! A data folder that is moved, deleted or replaced while a server runs.

#![cfg(unix)]

use crate::support::{
    Answer, Tequio, Worker, binary, eights, eights_of_lines, eights_results, ended, http, run,
    until,
};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

const SUBMIT: &[&str] =
    &["submit", "repeat_multiply", "--initial=0..5", "--factor=2", "--times=3", "--json"];

async fn serve(folder: &Path) -> Tequio {
    Tequio::start(&["--data", folder.to_str().unwrap(), "--listen", "127.0.0.1:0"]).await
}

async fn health(server: &Tequio) -> u16 {
    Answer::of(http().get(format!("{}/healthz", server.page))).await.status
}

async fn becomes(server: &Tequio, status: u16) {
    until(async || (health(server).await == status).then_some(())).await;
}

async fn submits(server: &Tequio) -> bool {
    run(&server.page, SUBMIT).await.code == Some(0)
}

async fn results(server: &Tequio) -> String {
    run(&server.page, &["results", "1", "--follow"]).await.out
}

/// A folder with a store in it.
fn folder() -> (TempDir, std::path::PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    (parent, folder)
}

#[tokio::test]
async fn a_folder_that_is_moved_and_put_back_is_one_again() {
    let (parent, folder) = folder();
    let mut server = serve(&folder).await;
    assert!(submits(&server).await);
    let away = parent.path().join("away");
    fs::rename(&folder, &away).unwrap();
    becomes(&server, 503).await;
    let line = server.line_with("nothing can be recorded").await;
    assert!(line.contains("was deleted or moved") && line.contains("start it again"), "{line}");
    assert!(!submits(&server).await, "nothing is taken");
    let worker = Worker::start_at(server.address());
    fs::rename(&away, &folder).unwrap();
    becomes(&server, 200).await;
    assert_eq!(results(&server).await, eights_results(0..5));
    worker.stop().await;
    assert!(submits(&server).await);
    assert_eq!(server.interrupt().await.code(), Some(0));
    assert!(!folder.join("tequio.sqlite-wal").exists(), "it is tidied away");
    let again = serve(&folder).await;
    assert_eq!(results(&again).await, eights_results(0..5));
}

#[tokio::test]
async fn a_second_server_that_has_a_folder_of_the_same_name_is_left_alone() {
    let (_parent, folder) = folder();
    let mut first = serve(&folder).await;
    assert!(submits(&first).await);
    fs::remove_dir_all(&folder).unwrap();
    let second = serve(&folder).await;
    assert!(submits(&second).await);
    becomes(&first, 503).await;
    assert!(!submits(&first).await);
    assert_eq!(first.interrupt().await.code(), Some(0));
    assert!(folder.join("tequio.sqlite-wal").exists(), "the log of the second stays");
    assert_eq!(health(&second).await, 200);
    assert!(submits(&second).await);
    let worker = Worker::start_at(second.address());
    assert_eq!(results(&second).await, eights_results(0..5));
    worker.stop().await;
    second.kill().await;
    let again = serve(&folder).await;
    assert_eq!(results(&again).await, eights_results(0..5));
    let jobs = run(&again.page, &["jobs", "--json"]).await.out;
    assert_eq!(jobs.matches("\"submitted_at\"").count(), 2, "{jobs}");
}

#[tokio::test]
async fn a_file_that_is_not_the_one_that_was_opened_takes_nothing() {
    let copied = |folder: &Path, name: &str| {
        let (file, copy) = (folder.join(name), folder.join("copy"));
        fs::copy(&file, &copy).unwrap();
        fs::rename(&copy, &file).unwrap();
    };
    let deleted = |folder: &Path, name: &str| fs::remove_file(folder.join(name)).unwrap();
    type Harm<'a> = &'a dyn Fn(&Path, &str);
    let ways: [(&str, Harm<'_>); 6] = [
        ("tequio.sqlite", &copied),
        ("tequio.sqlite", &deleted),
        ("tequio.sqlite-wal", &deleted),
        ("tequio.sqlite-wal", &copied),
        ("tequio.sqlite-shm", &deleted),
        ("lock", &deleted),
    ];
    for (name, harm) in ways {
        let (_parent, folder) = folder();
        let mut server = serve(&folder).await;
        assert!(submits(&server).await);
        harm(&folder, name);
        becomes(&server, 503).await;
        let line = server.line_with("nothing can be recorded").await;
        assert!(line.contains(name), "{line}");
        assert!(!submits(&server).await, "{name}");
        // Nobody else gets the folder meanwhile.
        let mut second = binary();
        second.args(["serve", "--data"]).arg(&folder).args(["--listen", "127.0.0.1:0"]);
        second.stdout(Stdio::piped()).stderr(Stdio::piped());
        let second = ended(second.spawn().unwrap()).await;
        assert_eq!(second.code, Some(1), "{name}: {second:?}");
        assert!(second.err.contains("in use"), "{name}: {second:?}");
        if name.starts_with("tequio.sqlite-") {
            // What was in the log is in the file by now.
            server.kill().await;
        } else {
            assert_eq!(server.interrupt().await.code(), Some(0), "{name}");
        }
        if name != "tequio.sqlite" {
            let again = serve(&folder).await;
            let jobs = run(&again.page, &["jobs", "--json"]).await.out;
            assert_eq!(jobs.matches("\"submitted_at\"").count(), 1, "{name}: {jobs}");
        }
    }
}

#[tokio::test]
async fn what_was_computed_while_the_folder_was_away_is_recorded_when_it_is_back() {
    let (parent, folder) = folder();
    let server = serve(&folder).await;
    let url = format!("{}/api/jobs?op=repeat_multiply", server.page);
    let job = Answer::of(http().post(url).body(eights(0..3000))).await;
    assert_eq!(job.status, 201, "{}", job.text);
    let worker = Worker::start_at(server.address());
    let away = parent.path().join("away");
    fs::rename(&folder, &away).unwrap();
    becomes(&server, 503).await;
    fs::rename(&away, &folder).unwrap();
    assert_eq!(results(&server).await, eights_of_lines(0..3000));
    worker.stop().await;
}
