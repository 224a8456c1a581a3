//! Kernels: added, found, removed, handed out, and computed to their results.

use crate::support::{Answer, Ran, Server, ended, interrupt, run, run_with, spawn, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tequio::store::{Options, SqliteStore, Store};
use tequio_kernel::{DATA_BYTES_MAX, MODULE_BYTES_MAX};
use tokio::process::Child;

/// A thousand times a number, and how many tasks its instance has computed before, in its lowest bits.
const COUNTS: &str = r#"(module
    (global $count (mut i64) (i64.const 0))
    (func (export "run") (param i64) (result i64)
        (local i64)
        (local.set 1 (global.get $count))
        (global.set $count (i64.add (local.get 1) (i64.const 1)))
        (i64.add (i64.mul (local.get 0) (i64.const 1000)) (local.get 1))))"#;

/// What is given, behind `data`'s length.
const ECHO: &str = r#"(module
    (memory (export "memory") 2)
    (global $data (mut i32) (i32.const 0))
    (func (export "alloc") (param i32) (result i32) (i32.const 1028))
    (func (export "init") (param i32 i32) (result i32)
        (global.set $data (local.get 1)) (i32.const 0))
    (func (export "run") (param i32 i32) (result i32)
        (if (i32.eqz (global.get $data)) (then (unreachable)))
        (i32.store (i32.const 1024) (local.get 1))
        (i32.const 1024)))"#;

/// Never ends.
const ENDLESS: &str =
    r#"(module (func (export "run") (param i32) (result i32) (loop (br 0)) (i32.const 1)))"#;

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn file(folder: &TempDir, name: &str, text: &str) -> String {
    let path: PathBuf = folder.path().join(name);
    fs::write(&path, wasm(text)).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn add(server: &Server, name: &str, text: &str) -> Value {
    let added = server.post(&format!("/api/kernels?name={name}"), wasm(text)).await;
    assert_eq!(added.status, 201, "{}", added.text);
    added.json()
}

/// A worker without a browser.
fn work(url: &str) -> Child {
    spawn(url, &["work", "--slots", "2"])
}

async fn stop(mut work: Child) {
    interrupt(&mut work).await;
    ended(work).await;
}

/// What a command wrote to stdout that succeeded, whatever its notes were.
fn done(ran: Ran) -> String {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.out
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_file_is_run_and_its_results_are_those_of_its_blocks() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (url, path) = (server.url(), file(&folder, "counts.wasm", COUNTS));
    let work = work(&url);
    let ran = run(&url, &["run", &path, "x=0..100", "--block", "8"]).await;
    let results = lines(&done(ran));
    assert_eq!(results.len(), 100);
    for (index, line) in results.iter().enumerate() {
        assert_eq!(*line, json!({"index": index, "result": index * 1000 + index % 8}));
    }
    let view = server.job(1).await;
    assert_eq!((view.name.as_str(), view.block), ("counts", 8));
    let (_, kernels) = server.get("/api/kernels").await;
    assert_eq!(kernels[0]["id"].as_str(), view.kernel.as_deref());
    // The same again, by its name, by its hash, by its beginning, and as a part of something that is typed.
    let hash = view.kernel.unwrap();
    for what in ["counts", &hash, &hash[..8]] {
        let ran = run(&url, &["run", what, "n=3", "--format", "csv", "--inputs"]).await;
        assert_eq!(done(ran), "index,n,result,error\n0,3,3000,\n", "{what}");
    }
    let ran = run_with(&url, &["map", "counts", "--block", "1"], "{\"p1\":5}\n{\"p1\":6}\n").await;
    let results = lines(&done(ran));
    assert_eq!((&results[0]["result"], &results[1]["result"]), (&json!(5000), &json!(6000)));
    stop(work).await;
}

#[tokio::test]
async fn a_kernels_axes_are_checked_as_they_are_typed() {
    let server = Server::start().await;
    let hash = add(&server, "counts", COUNTS).await["id"].as_str().unwrap().to_owned();
    // Behind the kernel everything is an axis, whatever it is called.
    let view = server.get("/api/grid?kernel=counts&op=1..%3D9").await;
    let op = format!("kernel:{hash}:1:i64:op=i64");
    let axis = json!({"count": 9, "first": 1.0, "last": 9.0});
    assert_eq!(view, (200, json!({"total": 9, "errors": {}, "axes": {"op": axis}, "op": op})));
    let (_, wrong) = server.get(&format!("/api/grid?kernel={}&n=0.5", &hash[..8])).await;
    let said = json!({
        "code": "not_an_integer",
        "message": "0.5 is no integer from -9007199254740991 to 9007199254740991",
    });
    assert_eq!((&wrong["total"], &wrong["errors"]["n"]), (&Value::Null, &said));
    let (status, unknown) = server.get("/api/grid?kernel=none&n=1").await;
    assert_eq!((status, &unknown["error"]["code"]), (404, &json!("unknown_kernel")));
}

#[tokio::test]
async fn a_block_is_measured_where_nothing_is_said() {
    let server = Server::start().await;
    add(&server, "counts", COUNTS).await;
    let job = json!({"kernel": "counts", "axes": {"n": "0..100000"}}).to_string();
    let id = server.submit("/api/jobs", job).await;
    // How large it is depends on how busy this machine is.
    assert!(server.job(id).await.block.is_power_of_two());
    // One task takes all of the time.
    add(&server, "endless", ENDLESS).await;
    let job = json!({"kernel": "endless", "axes": {"n": "0..100000"}}).to_string();
    let id = server.submit("/api/jobs", job).await;
    assert_eq!(server.job(id).await.block, 1);
}

#[tokio::test]
async fn json_kernels_take_any_input_and_data() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (url, path) = (server.url(), file(&folder, "echo.wasm", ECHO));
    let data = folder.path().join("data");
    fs::write(&data, "some data").unwrap();
    let data = data.to_str().unwrap();
    let work = work(&url);
    let ran =
        run_with(&url, &["map", &path, "--data", data], "{\"x\": {}}\n[1, \"a b\"]\n7\n").await;
    let results: Vec<Value> = lines(&done(ran)).iter().map(|line| line["result"].clone()).collect();
    assert_eq!(results, [json!({"x": {}}), json!([1, "a b"]), json!(7)]);
    let ran = run(&url, &["run", "echo", "a=1,2.5", "b=-3", "--data", data]).await;
    let results = lines(&done(ran));
    assert_eq!(results[1]["result"], json!({"a": 2.5, "b": -3}));
    // Without data it traps, which is an outcome.
    let ran = run(&url, &["run", "echo", "a=1"]).await;
    assert_eq!(lines(&ran.out)[0]["error"], "trap: unreachable");
    let refused = run_with(&url, &["map", "echo"], "{\"x\":\n").await.failed(1);
    assert!(refused.contains("JSON"), "{refused}");
    stop(work).await;
}

#[tokio::test]
async fn what_is_no_kernel_is_refused_in_words() {
    let server = Server::start().await;
    let truncated = wasm(COUNTS)[..20].to_vec();
    for (module, said) in [
        (Vec::new(), "no WebAssembly module"),
        (b"fn main() {}".to_vec(), "no WebAssembly module"),
        (truncated, "."),
        (wasm("(module)"), "neither run nor _start"),
        (
            wasm(
                r#"(module (import "env" "now" (func)) (func (export "run") (param i32) (result i32) (i32.const 1)))"#,
            ),
            "env",
        ),
    ] {
        let refused = server.post("/api/kernels", module).await;
        assert_eq!(refused.refusal(), (400, "bad_kernel".to_owned()), "{}", refused.text);
        assert!(refused.message().contains(said), "{}", refused.text);
    }
    let refused = server.post("/api/kernels", vec![0; MODULE_BYTES_MAX + 1]).await;
    assert_eq!(refused.refusal(), (413, "body_too_big".to_owned()));
    let refused = server.post("/api/data", vec![0; DATA_BYTES_MAX + 1]).await;
    assert_eq!(refused.refusal(), (413, "body_too_big".to_owned()));
    for name in ["", "a%20b", "collatz", "%3Cimg%3E", &"a".repeat(65)] {
        let refused = server.post(&format!("/api/kernels?name={name}"), wasm(COUNTS)).await;
        assert_eq!(refused.refusal(), (400, "bad_name".to_owned()), "{name}");
    }
    assert_eq!(server.get("/api/kernels").await.1, json!([]));
}

#[tokio::test]
async fn a_job_that_a_kernel_cannot_do_is_refused_in_words() {
    let server = Server::start().await;
    let kernel = add(&server, "counts", COUNTS).await;
    let unknown = "0".repeat(64);
    for (job, said) in [
        (json!({"kernel": "other", "axes": {"n": 1}}), "There is no op other"),
        (json!({"kernel": "counts", "axes": {"n": 0.5}}), "n: 0.5 is no integer"),
        (json!({"kernel": "counts", "axes": {"n": 1, "m": 1}}), "no \"m\"; it has p1"),
        (json!({"kernel": "counts", "axes": {"n m": 1}}), "no name for a kernel's axis"),
        (json!({"kernel": "counts", "axes": {"n": 1}, "block": 3}), "a power of two"),
        (json!({"kernel": "counts", "axes": {"n": 1}, "block": "x"}), "\"block\" is"),
        (json!({"kernel": "counts", "axes": {"n": 1}, "data": unknown}), "there is no data 0000"),
        (json!({"kernel": "counts", "axes": {"n": 1}, "data": "x"}), "no hash"),
        (json!({"kernel": "counts", "op": "collatz", "axes": {"n": 1}}), "are both there"),
        (json!({"op": "collatz", "axes": {"n": 1}, "block": 4}), "no \"block\""),
    ] {
        let refused = server.post("/api/jobs", job.to_string()).await;
        assert_eq!(refused.status, 400, "{job}: {}", refused.text);
        assert!(refused.message().contains(said), "{job}: {}", refused.text);
    }
    let data = server.post("/api/data", "some").await.json();
    let job = json!({"kernel": kernel["id"], "axes": {"n": 1}, "data": data["sha256"]});
    let refused = server.post("/api/jobs", job.to_string()).await;
    assert!(refused.message().contains("counts takes no data"), "{}", refused.text);
}

#[tokio::test]
async fn kernels_are_handed_out_for_ever_and_in_gzip() {
    let server = Server::start().await;
    let kernel = add(&server, "counts", COUNTS).await;
    let path = format!("/kernels/{}.wasm", kernel["sha256"].as_str().unwrap());
    let request = server.request(Method::GET, &path).header("accept-encoding", "gzip");
    let answer = Answer::of(request).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/wasm")));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
    let plain = server.request(Method::GET, &path).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(tequio_kernel::sha256(&plain), kernel["sha256"].as_str().unwrap());
    assert_eq!(plain.len() as u64, kernel["bytes"].as_u64().unwrap());
    for path in ["/kernels/x.wasm", "/kernels/..%2Fx.wasm", &format!("/data/{}", "0".repeat(64))] {
        let missing = Answer::of(server.request(Method::GET, path)).await;
        assert_eq!(missing.refusal(), (404, "unknown_kernel".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_full_disk_refuses_kernels_and_data_and_keeps_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { max_pages: Some(200) };
    let store = Arc::new(SqliteStore::open_with(folder.path(), &options).unwrap());
    let server = Server::start_on(store.clone()).await;
    add(&server, "counts", COUNTS).await;
    // A file of 200 pages has 800 kB.
    let data: Vec<u8> = (0..1_000_000_u32).map(|at| at.wrapping_mul(2_654_435_761) as u8).collect();
    let large = format!(
        "(module (memory (export \"memory\") 20) (func (export \"run\") (param i32) (result i32)
        (i32.const 1)) (data (i32.const 0) \"{}\"))",
        "x".repeat(1_000_000)
    );
    for _ in 0..2 {
        for (path, body) in [("/api/data", data.clone()), ("/api/kernels?name=large", wasm(&large))]
        {
            let refused = server.post(path, body).await;
            assert_eq!(refused.refusal(), (503, "store_failing".to_owned()), "{path}");
            assert!(refused.message().contains("disk is full"), "{path}: {}", refused.text);
            assert!(!refused.text.contains(folder.path().to_str().unwrap()), "{}", refused.text);
        }
    }
    let kernels = server.get("/api/kernels").await.1;
    assert_eq!(kernels.as_array().map(Vec::len), Some(1), "nothing of them is kept: {kernels}");
    let work = work(&server.url());
    let ran = run(&server.url(), &["run", "counts", "n=3"]).await;
    assert_eq!(lines(&done(ran)), [json!({"index": 0, "result": 3000})], "others go on");
    stop(work).await;
    store.set_max_pages(None).unwrap();
    assert_eq!(server.post("/api/data", data).await.status, 201);
    add(&server, "large", &large).await;
}

#[tokio::test]
async fn a_kernel_outlives_its_server_and_is_removed_once_no_job_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    let open = || -> Arc<dyn Store> { Arc::new(SqliteStore::open(folder.path()).unwrap()) };
    let server = Server::start_on(open()).await;
    add(&server, "counts", COUNTS).await;
    let again = server.post("/api/kernels?name=other", wasm(COUNTS)).await;
    assert_eq!(again.json()["name"], "counts", "it is the same module");
    let taken = server.post("/api/kernels?name=counts", wasm(ENDLESS)).await;
    assert_eq!(taken.status, 409, "{}", taken.text);
    let job = json!({"kernel": "counts", "axes": {"n": "0..1000"}, "block": 16}).to_string();
    let id = server.submit("/api/jobs", job).await;
    server.stop().await;

    let server = Server::start_on(open()).await;
    let url = server.url();
    let work = work(&url);
    server.job_over(id).await;
    let results = server.get_text(&format!("/api/jobs/{id}/results?first=999")).await;
    assert_eq!(results, "{\"index\":999,\"result\":999007}\n");
    let used = run(&url, &["kernel", "remove", "counts"]).await.failed(1);
    assert!(used.contains("used by 1 job"), "{used}");
    run(&url, &["remove", &id.to_string()]).await.succeeded();
    until(async || {
        let removed = run(&url, &["kernel", "remove", "counts"]).await;
        (removed.code == Some(0)).then_some(())
    })
    .await;
    let missing = run(&url, &["kernel", "show", "counts"]).await.failed(1);
    assert!(missing.contains("counts"), "{missing}");
    stop(work).await;
}

#[tokio::test]
async fn a_kernel_that_never_ends_does_not_keep_others_from_being_computed() {
    let server = Server::start().await;
    add(&server, "endless", ENDLESS).await;
    let job = json!({"kernel": "endless", "axes": {"n": "0..4"}, "block": 1}).to_string();
    let endless = server.submit("/api/jobs", job).await;
    let url = server.url();
    let work = spawn(&url, &["work", "--slots", "3"]);
    let ran = run(&url, &["run", "collatz", "n=1..=100", "--name", "short"]).await;
    assert_eq!(lines(&done(ran)).len(), 100);
    run(&url, &["cancel", &endless.to_string()]).await.succeeded();
    stop(work).await;
}

#[tokio::test]
async fn one_task_is_tried_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = "http://127.0.0.1:1";
    let counts = file(&folder, "counts.wasm", COUNTS);
    let ran = run(nowhere, &["kernel", "test", &counts, "n=7"]).await;
    assert!(ran.err.contains("numbers(p1: i64) -> i64"), "{}", ran.err);
    assert_eq!(done(ran), "7000\n");
    let echo = file(&folder, "echo.wasm", ECHO);
    let ran = run(nowhere, &["kernel", "test", &echo, "a=1", "--data", &counts]).await;
    assert_eq!(done(ran), "{\"a\":1}\n");
    for (arguments, said) in [
        (&[counts.as_str()][..], "a value for each parameter"),
        (&[counts.as_str(), "n=0.5"], "whole number"),
        (&[echo.as_str(), "a=1"], "trap: unreachable"),
        (&["/nowhere.wasm", "n=1"], "cannot be read"),
    ] {
        let arguments = [&["kernel", "test"], arguments].concat();
        let failed = run(nowhere, &arguments).await.failed(1);
        assert!(failed.contains(said), "{arguments:?}: {failed}");
    }
}
