//! A data folder that is moved, deleted or replaced while a server runs.

#![cfg(unix)]

use crate::support::{
    Answer, Tequio, Worker, binary, eights, eights_of_lines, eights_results, ended, http, run,
    until,
};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
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

/// No server starts on a folder: another has it, or its database.
async fn assert_in_use(folder: &Path, case: &str) {
    let mut second = binary();
    second.args(["serve", "--data"]).arg(folder).args(["--listen", "127.0.0.1:0"]);
    second.stdout(Stdio::piped()).stderr(Stdio::piped());
    let second = ended(second.spawn().unwrap()).await;
    assert_eq!(second.code, Some(1), "{case}: {second:?}");
    assert!(second.err.contains("is in use by another tequio"), "{case}: {second:?}");
}

/// Whatever is done to the files around it, a database has one server.
#[tokio::test]
async fn a_database_has_one_server_wherever_it_is_and_whatever_is_deleted() {
    let renamed = |folder: &Path, other: &Path| {
        // The folder's name is another folder's now, which has the files of before but for the lock.
        fs::rename(folder, other).unwrap();
        fs::create_dir(folder).unwrap();
        for name in ["tequio.sqlite", "tequio.sqlite-wal", "tequio.sqlite-shm"] {
            fs::rename(other.join(name), folder.join(name)).unwrap();
        }
        folder.to_owned()
    };
    let moved = |folder: &Path, other: &Path| {
        fs::create_dir(other).unwrap();
        fs::rename(folder.join("tequio.sqlite"), other.join("tequio.sqlite")).unwrap();
        other.to_owned()
    };
    let linked_hard = |folder: &Path, other: &Path| {
        fs::create_dir(other).unwrap();
        fs::hard_link(folder.join("tequio.sqlite"), other.join("tequio.sqlite")).unwrap();
        other.to_owned()
    };
    let linked = |folder: &Path, other: &Path| {
        fs::create_dir(other).unwrap();
        symlink(folder.join("tequio.sqlite"), other.join("tequio.sqlite")).unwrap();
        other.to_owned()
    };
    let by_another_path = |folder: &Path, other: &Path| {
        symlink(folder, other).unwrap();
        fs::remove_file(folder.join("lock")).unwrap();
        other.to_owned()
    };
    let all_but_the_database_deleted = |folder: &Path, _: &Path| {
        for name in ["lock", "tequio.sqlite-wal", "tequio.sqlite-shm"] {
            fs::remove_file(folder.join(name)).unwrap();
        }
        folder.to_owned()
    };
    type Way<'a> = &'a dyn Fn(&Path, &Path) -> PathBuf;
    let ways: [(&str, Way<'_>); 6] = [
        ("renamed", &renamed),
        ("moved", &moved),
        ("linked hard", &linked_hard),
        ("linked", &linked),
        ("by another path", &by_another_path),
        ("all but the database deleted", &all_but_the_database_deleted),
    ];
    for (case, way) in ways {
        let (parent, folder) = folder();
        let server = serve(&folder).await;
        assert!(submits(&server).await, "{case}");
        let other = way(&folder, &parent.path().join("other"));
        assert_in_use(&other, case).await;
        server.kill().await;
        // It is free once that server is gone.
        let second = serve(&other).await;
        assert_eq!(health(&second).await, 200, "{case}");
    }
}

/// Those of before lock the file `lock` and nothing else.
#[tokio::test]
async fn a_folder_of_an_older_server_is_in_use() {
    let (_parent, folder) = folder();
    fs::create_dir(&folder).unwrap();
    let lock = fs::File::create(folder.join("lock")).unwrap();
    lock.try_lock().unwrap();
    assert_in_use(&folder, "an older server").await;
    drop(lock);
}

#[tokio::test]
async fn a_database_behind_a_link_is_one_of_its_folder() {
    let (parent, folder) = folder();
    let server = serve(&folder).await;
    assert!(submits(&server).await);
    server.kill().await;
    let other = parent.path().join("other");
    fs::create_dir(&other).unwrap();
    symlink(folder.join("tequio.sqlite"), other.join("tequio.sqlite")).unwrap();
    let mut linked = serve(&other).await;
    assert_in_use(&folder, "the folder itself").await;
    let jobs = run(&linked.page, &["jobs", "--json"]).await.out;
    assert_eq!(jobs.matches("\"submitted_at\"").count(), 1, "what was in the log is there: {jobs}");
    assert_eq!(linked.interrupt().await.code(), Some(0));
    assert!(!folder.join("tequio.sqlite-wal").exists(), "it is tidied away");
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
        assert_in_use(&folder, name).await;
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
