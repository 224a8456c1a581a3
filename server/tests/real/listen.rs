//! `--listen` as people type it, what is printed to open, and what keeps a server from starting.

use crate::support::{Ran, Tequio, binary, ended, http, run, within};
use std::process::Stdio;

#[tokio::test]
async fn what_is_printed_to_open_opens() {
    for (listen, sockets, page) in [
        ("127.0.0.1:0", "ws://127.0.0.1:", "http://127.0.0.1:"),
        ("localhost:0", "ws://127.0.0.1:", "http://127.0.0.1:"),
        (":0", "ws://127.0.0.1:", "http://127.0.0.1:"),
        ("0", "ws://127.0.0.1:", "http://127.0.0.1:"),
        ("0.0.0.0:0", "ws://0.0.0.0:", "http://127.0.0.1:"),
        ("*:0", "ws://0.0.0.0:", "http://127.0.0.1:"),
        ("[::1]:0", "ws://[::1]:", "http://[::1]:"),
        ("[::]:0", "ws://[::]:", "http://[::1]:"),
    ] {
        let tequio = Tequio::start(&["--memory", "--listen", listen]).await;
        assert!(tequio.url.starts_with(sockets), "{listen}: {}", tequio.url);
        assert!(tequio.page.starts_with(page), "{listen}: {}", tequio.page);
        let health = within(http().get(format!("{}/healthz", tequio.page)).send()).await.unwrap();
        assert_eq!(health.status(), 200, "{listen}");
        let is_reached = tequio.address().ip().is_unspecified();
        if let Some(join) = &tequio.join {
            assert!(is_reached, "{listen}: {join}");
            let health = within(http().get(format!("{join}/healthz")).send()).await.unwrap();
            assert_eq!(health.status(), 200, "{join}");
        }
        let is_asked = tequio.preface.iter().any(|line| line.contains("Operator token"));
        assert_eq!(is_asked, is_reached, "{listen}");
    }
}

#[tokio::test]
async fn the_link_for_others_is_printed() {
    let tequio = Tequio::serve(&["--allow-origin", "https://lab.example"]).await;
    assert_eq!(tequio.join.as_deref(), Some("https://lab.example"));
    let tequio = Tequio::serve(&[]).await;
    assert_eq!(tequio.join, None);
}

async fn refused(arguments: &[&str], token: Option<&str>) -> Ran {
    let mut serve = binary();
    serve.arg("serve").arg("--memory").args(arguments);
    if let Some(token) = token {
        serve.env("TEQUIO_TOKEN", token);
    }
    serve.stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = ended(serve.spawn().unwrap()).await;
    assert!(matches!(ran.code, Some(1 | 2)), "{arguments:?}: {ran:?}");
    assert!(!ran.err.contains("panicked") && !ran.err.contains("Listening"), "{ran:?}");
    ran
}

#[tokio::test]
async fn an_address_that_is_none_is_answered_with_a_sentence() {
    for (listen, said) in [
        ("http://localhost:0", "without http://"),
        ("localhost:http", "a port is a number from 0 to 65535"),
        ("70000", "a port is a number from 0 to 65535"),
        ("::1:2:3:4:5:6:7:8:9", "in brackets"),
        ("no-such-name.invalid:0", "no name that this machine knows"),
        // Of a documentation's network (RFC 5737), which nobody has.
        ("192.0.2.77:0", "does not have the address"),
    ] {
        let ran = refused(&["--listen", listen], None).await;
        assert!(ran.err.contains(said), "{listen}: {}", ran.err);
    }
    let first = Tequio::serve(&[]).await;
    let port = first.address().port().to_string();
    for taken in [port.clone(), format!("localhost:{port}"), format!("127.0.0.1:{port}")] {
        let ran = refused(&["--listen", &taken], None).await;
        assert!(ran.err.contains("in use") && ran.err.contains("127.0.0.1:PORT"), "{}", ran.err);
    }
}

#[tokio::test]
async fn a_token_that_nobody_could_show_is_refused() {
    let listen = ["--listen", "127.0.0.1:0"];
    for bad in ["", " ", "contraseña", "two words", "line\nend", "tab\tbed", "\u{1b}x", "a\u{a0}b"]
    {
        let given = refused(&[&listen[..], &["--operator-token", bad]].concat(), None).await;
        let named = refused(&listen, Some(bad)).await;
        for ran in [given, named] {
            assert_eq!(ran.err.lines().count(), 1, "{bad:?}: {ran:?}");
            assert!(ran.err.contains("operator token"), "{bad:?}: {ran:?}");
            let shows = bad.trim().len() > 3 && ran.err.contains(bad.trim());
            assert!(!shows, "a token is not printed: {ran:?}");
        }
    }
    // What a file ends with is no part of a token.
    let tequio = Tequio::serve(&["--operator-token", " abracadabra\r\n"]).await;
    let unknown = run(&tequio.url, &["cancel", "1", "--token", "abracadabra"]).await;
    assert!(unknown.err.contains("There is no job 1."), "{unknown:?}");
    let page = &tequio.page;
    for (name, shown, status) in [
        ("Authorization", "bearer abracadabra", 204),
        ("Authorization", "BEARER   abracadabra", 204),
        ("Tequio-Token", "abracadabra", 204),
        ("Authorization", "Basic abracadabra", 401),
        ("Tequio-Token", "wrong", 401),
    ] {
        let request = http().post(format!("{page}/api/operator")).header(name, shown);
        assert_eq!(within(request.send()).await.unwrap().status(), status, "{name}: {shown}");
    }
    // The proxy's own password is beside it.
    let request = http().post(format!("{page}/api/operator")).header("Tequio-Token", "abracadabra");
    let request = request.header("Authorization", "Basic dXNlcjpwYXNz");
    assert_eq!(within(request.send()).await.unwrap().status(), 204);
}

#[tokio::test]
async fn whoever_has_a_name_for_others_needs_a_token() {
    for (name, value, is_needed) in [
        ("--host", "tunnel.example", true),
        ("--host", "192.168.1.5:8765", true),
        ("--host", "me.localhost", false),
        ("--allow-origin", "https://lab.example", true),
        ("--allow-origin", "http://127.1:8080", false),
    ] {
        let tequio = Tequio::serve(&[name, value]).await;
        let is_printed = tequio.preface.iter().any(|line| line.contains("Operator token"));
        assert_eq!(is_printed, is_needed, "{name} {value}: {:?}", tequio.preface);
    }
}

#[tokio::test]
async fn what_would_let_every_website_in_is_refused_at_the_start() {
    for (name, value, said) in [
        ("--allow-origin", "null", "every website can have the origin null"),
        ("--allow-origin", "NULL", "every website can have the origin null"),
        ("--allow-origin", "*", "a wildcard would let everybody in"),
        ("--allow-origin", "https://*.example", "a wildcard would let everybody in"),
        ("--allow-origin", "https://lab.example/", "leave the path out"),
        ("--allow-origin", "https://ana:x@lab.example", "no user and no password"),
        ("--allow-origin", "file://", "an origin is http(s)://HOST"),
        ("--allow-origin", "http://127.0.0.1:1.evil.example", "an origin is http(s)://HOST"),
        ("--host", "*", "a host is NAME or NAME:PORT"),
        ("--host", "https://lab.example", "a host is NAME or NAME:PORT"),
    ] {
        let mut command = binary();
        command.args(["serve", "--memory", "--listen", "127.0.0.1:0", name, value]);
        let ran = within(command.output()).await.unwrap();
        let err = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(2), "{name} {value}: {err}");
        assert!(err.contains(said), "{name} {value}: {err}");
    }
}

/// A library that has the system's clock show another time.
#[cfg(target_os = "linux")]
const CLOCK: &str = "
    #include <time.h>
    #include <stdlib.h>
    #include <unistd.h>
    #include <sys/syscall.h>
    int clock_gettime(clockid_t clock, struct timespec *time) {
        int failed = syscall(SYS_clock_gettime, clock, time);
        if (clock == CLOCK_REALTIME) time->tv_sec = atoll(getenv(\"SHOWN_S\"));
        return failed;
    }";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_clock_that_is_wrong_is_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("clock.c"), folder.path().join("clock.so"));
    std::fs::write(&source, CLOCK).unwrap();
    // What builds SQLite.
    let mut cc = tokio::process::Command::new("cc");
    let built = cc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status().await;
    assert!(built.unwrap().success());
    let sane = Tequio::serve(&["--no-welcome"]).await;
    for (shown, is_served) in
        [("-86400000", false), ("0", true), ("4102444800", true), ("300000000000", false)]
    {
        let with_clock = |arguments: &[&str]| {
            let mut command = binary();
            command.args(arguments).env("LD_PRELOAD", &library).env("SHOWN_S", shown);
            command
        };
        let mut serve = with_clock(&["serve", "--memory", "--listen", "127.0.0.1:0"]);
        if is_served {
            let tequio = Tequio::start_as(serve).await;
            let health = within(http().get(format!("{}/healthz", tequio.page)).send()).await;
            assert_eq!(health.unwrap().status(), 200, "{shown}");
        } else {
            serve.stdout(Stdio::piped()).stderr(Stdio::piped());
            let ran = ended(serve.spawn().unwrap()).await;
            assert_eq!((ran.code, ran.err.lines().count()), (Some(1), 1), "{shown}: {ran:?}");
            assert!(ran.err.contains("clock"), "{shown}: {ran:?}");
        }
        // A worker is not asked what time it is.
        let mut work = with_clock(&["work", &sane.url, "--slots", "1"]);
        work.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut work = work.spawn().unwrap();
        let workers = async || {
            let found = run(&sane.url, &["workers", "--json"]).await;
            found.out.contains("\"id\"").then_some(())
        };
        crate::support::until(workers).await;
        crate::support::interrupt(&mut work).await;
        let ran = ended(work).await;
        assert!(!ran.err.contains("panicked"), "{shown}: {ran:?}");
        let gone = async || {
            let found = run(&sane.url, &["workers", "--json"]).await;
            (!found.out.contains("\"id\"")).then_some(())
        };
        crate::support::until(gone).await;
    }
}
