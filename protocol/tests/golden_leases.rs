//! Every message of lease mode, to the letter.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use tequio_protocol::ids::{JobId, LeaseId, WorkerId};
use tequio_protocol::limits::{FRAME_RESULTS_MAX, LEASE_INPUTS_MAX, LEASE_TASKS_MAX, SLOTS_MAX};
use tequio_protocol::message::{
    DurationMs, ErrorCode, ErrorMessage, Hello, Lease, LeaseInputs, LeaseResults, MessageKind,
    ReadError, ServerMessage, TaskFailed, Welcome, WorkerMessage,
};
use tequio_protocol::op::{self, Op};
use tequio_protocol::outcome::{Outcome, OutcomeRef, Outcomes};
use tequio_protocol::piece::{Piece, PieceResults};
use tequio_protocol::values::Values;

fn op(name: &str) -> &'static dyn Op {
    op::named(name).unwrap()
}

fn error(code: ErrorCode) -> ErrorMessage {
    ErrorMessage { code, message: "no".to_owned(), task_id: None, lease: Some(LeaseId(9)) }
}

/// A value that lies so deep within others.
fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn each_message_of_a_worker_in_lease_mode_is_written_and_read_to_the_letter() {
    let agent = || "Test/1.0".to_owned();
    let results = |first, outcomes: &[OutcomeRef<'_>], duration: Option<f64>, agent| {
        WorkerMessage::Results(LeaseResults {
            lease: LeaseId(9),
            first,
            outcomes: outcomes.iter().copied().collect(),
            duration_ms: duration.map(DurationMs::new),
            agent,
        })
    };
    for (message, text) in [
        (
            WorkerMessage::Hello(Hello {
                protocol: 1,
                agent: agent(),
                slots: 8,
                worker: "5f0c".to_owned(),
                ops: vec!["repeat_multiply".to_owned(), "of another version".to_owned()],
                resume: None,
            }),
            r#"{"type":"hello","protocol":1,"agent":"Test/1.0","slots":8,"worker":"5f0c","ops":["repeat_multiply","of another version"]}"#,
        ),
        (
            WorkerMessage::Hello(Hello {
                protocol: 1,
                agent: agent(),
                slots: 0,
                worker: "5f0c".to_owned(),
                ops: Vec::new(),
                resume: Some("9d1e".to_owned()),
            }),
            r#"{"type":"hello","protocol":1,"agent":"Test/1.0","slots":0,"worker":"5f0c","ops":[],"resume":"9d1e"}"#,
        ),
        (
            results(3, &["1.5", "-0.0", "3.0"].map(Outcome::Result), Some(2.5), Some(agent())),
            r#"{"type":"results","lease":9,"first":3,"results":[1.5,-0.0,3.0],"duration_ms":2.5,"agent":"Test/1.0"}"#,
        ),
        (
            results(
                0,
                &["\"Infinity\"", "\"-Infinity\"", "\"NaN\""].map(Outcome::Result),
                None,
                None,
            ),
            r#"{"type":"results","lease":9,"first":0,"results":["Infinity","-Infinity","NaN"],"duration_ms":null,"agent":null}"#,
        ),
        (
            results(
                5,
                &["null", "true", "\"a b\"", "{\"x\":[1,{}]}"].map(Outcome::Result),
                None,
                None,
            ),
            r#"{"type":"results","lease":9,"first":5,"results":[null,true,"a b",{"x":[1,{}]}],"duration_ms":null,"agent":null}"#,
        ),
        (
            results(
                8,
                &[Outcome::Error("no\n"), Outcome::Result("null"), Outcome::Error("")],
                Some(0.0),
                Some(agent()),
            ),
            r#"{"type":"results","lease":9,"first":8,"results":[null,null,null],"errors":{"8":"no\n","10":""},"duration_ms":0,"agent":"Test/1.0"}"#,
        ),
        (
            WorkerMessage::Failed(TaskFailed {
                lease: LeaseId(9),
                index: 2,
                error: "trap: \"unreachable\"\n".to_owned(),
            }),
            r#"{"type":"failed","lease":9,"index":2,"error":"trap: \"unreachable\"\n"}"#,
        ),
        (
            WorkerMessage::Progress { lease: LeaseId(9007199254740991) },
            r#"{"type":"progress","lease":9007199254740991}"#,
        ),
        (WorkerMessage::Release { lease: LeaseId(9) }, r#"{"type":"release","lease":9}"#),
        (WorkerMessage::Slots { n: 0 }, r#"{"type":"slots","n":0}"#),
        (WorkerMessage::Slots { n: 1024 }, r#"{"type":"slots","n":1024}"#),
        (WorkerMessage::Heartbeat, r#"{"type":"heartbeat"}"#),
        (
            WorkerMessage::Error(error(ErrorCode::BadLease)),
            r#"{"type":"error","code":"bad_lease","message":"no","lease":9}"#,
        ),
    ] {
        assert_eq!(message.write(), text);
        assert_eq!(WorkerMessage::read(text), Ok(message));
    }
}

#[test]
fn each_message_of_a_server_in_lease_mode_is_written_and_read_to_the_letter() {
    let lease = |op_name, first, count, block, inputs| {
        let (lease, job, op) = (LeaseId(9), JobId(1), op(op_name));
        let deadline_ms = 10_000;
        ServerMessage::Lease(Lease { lease, job, op, first, count, block, inputs, deadline_ms })
    };
    let grid = |text| LeaseInputs::Grid(serde_json::from_str(text).unwrap());
    let list = |inputs: &[&str]| LeaseInputs::List(inputs.iter().collect());
    for (message, text) in [
        (
            ServerMessage::Welcome(Welcome {
                protocol: 1,
                worker_id: WorkerId(7),
                heartbeat_s: 15,
                session: Some("9d1e".to_owned()),
                resumed: true,
            }),
            r#"{"type":"welcome","protocol":1,"worker_id":7,"heartbeat_s":15,"session":"9d1e","resumed":true}"#,
        ),
        (
            lease(
                "repeat_multiply",
                17,
                3,
                1,
                grid(r#"{"initial":[1,2.5],"factor":3,"times":"0..10"}"#),
            ),
            r#"{"type":"lease","lease":9,"job":1,"op":"repeat_multiply","first":17,"count":3,"grid":{"initial":[1.0,2.5],"factor":3.0,"times":{"from":0.0,"step":1.0,"count":10}},"deadline_ms":10000}"#,
        ),
        (
            lease(
                "repeat_multiply",
                4,
                2,
                1,
                list(&[
                    r#"{"initial":-0.0,"factor":1.5,"times":0}"#,
                    r#"{"initial":5e-324,"factor":1.5,"times":9007199254740991}"#,
                ]),
            ),
            r#"{"type":"lease","lease":9,"job":1,"op":"repeat_multiply","first":4,"count":2,"inputs":[{"initial":-0.0,"factor":1.5,"times":0},{"initial":5e-324,"factor":1.5,"times":9007199254740991}],"deadline_ms":10000}"#,
        ),
        (
            lease("collatz", 64, 36, 64, grid(r#"{"n":"1..101"}"#)),
            r#"{"type":"lease","lease":9,"job":1,"op":"collatz","first":64,"count":36,"block":64,"grid":{"n":{"from":1.0,"step":1.0,"count":100}},"deadline_ms":10000}"#,
        ),
        (
            lease("collatz", 4, 3, 2, list(&[r#"{"n":27}"#, "[1]", "null"])),
            r#"{"type":"lease","lease":9,"job":1,"op":"collatz","first":4,"count":3,"block":2,"inputs":[{"n":27},[1],null],"deadline_ms":10000}"#,
        ),
        (ServerMessage::Revoke { lease: LeaseId(9) }, r#"{"type":"revoke","lease":9}"#),
        (ServerMessage::Heartbeat, r#"{"type":"heartbeat"}"#),
        (
            ServerMessage::Error(error(ErrorCode::WrongResult)),
            r#"{"type":"error","code":"wrong_result","message":"no","lease":9}"#,
        ),
    ] {
        assert_eq!(message.write(), text);
        assert_eq!(ServerMessage::read(text), Ok(message));
    }
}

#[test]
fn results_that_are_written_where_they_are_computed_travel_as_any() {
    let error = Outcome::Error("too \"large\"");
    for outcomes in [
        vec![Outcome::Result("1.5"), Outcome::Result("-0.0"), Outcome::Result("3.0")],
        vec![Outcome::Result("\"NaN\""), error, Outcome::Result("{\"x\":[]}"), error],
        vec![error],
        vec![Outcome::Result("null")],
    ] {
        let outcomes: Outcomes = outcomes.into_iter().collect();
        let written = PieceResults::new(outcomes.clone()).unwrap();
        if outcomes.len() == 1 {
            assert_eq!(written.only(), outcomes.get(0));
        }
        let (lease, duration, agent) = (LeaseId(9), DurationMs::new(2.5), "\"Test\"/1.0\n");
        let message = WorkerMessage::Results(LeaseResults {
            lease,
            first: 7,
            outcomes,
            duration_ms: Some(duration),
            agent: Some(agent.to_owned()),
        });
        let text = WorkerMessage::write_results(lease, 7, &written, duration, agent);
        assert_eq!(text, message.write());
    }
    assert_eq!(PieceResults::new(Outcomes::default()), None);
}

#[test]
fn workers_in_lease_mode_may_say_less_and_more() {
    let less = r#"{"results":[1],"first":0,"lease":9,"type":"results"}"#;
    let WorkerMessage::Results(results) = WorkerMessage::read(less).unwrap() else {
        panic!("{less} is results");
    };
    assert_eq!((results.duration_ms, results.agent), (None, None));
    let spaced = r#"{"type":"results","lease":9,"first":6,"results":[ 1, [ 2 ], null, 4 ],"errors":{"8":"no"}}"#;
    let WorkerMessage::Results(results) = WorkerMessage::read(spaced).unwrap() else {
        panic!("{spaced} is results");
    };
    assert_eq!(results.outcomes.results().json(), "[1,[2],null,4]");
    assert_eq!(results.outcomes.get(2), Outcome::Error("no"));
    for text in [
        r#"{"type":"heartbeat","at":3}"#,
        r#"{"type":"progress","lease":9,"share":0.5}"#,
        r#"{"type":"hello","protocol":2,"agent":"","slots":0,"worker":"","ops":[],"gpu":true}"#,
    ] {
        assert!(WorkerMessage::read(text).is_ok(), "{text}");
    }
}

#[test]
fn bad_messages_of_workers_in_lease_mode_are_named_with_their_lease() {
    let many = format!(
        r#"{{"type":"results","lease":9,"first":0,"results":[{}0]}}"#,
        "0,".repeat(FRAME_RESULTS_MAX)
    );
    let slots = format!(r#"{{"type":"slots","n":{}}}"#, SLOTS_MAX + 1);
    let of_lease = Some(LeaseId(9));
    for (text, kind, lease, said) in [
        (r#"{"type":"hello"}"#, MessageKind::Hello, None, "missing field"),
        (
            r#"{"type":"hello","protocol":1,"agent":"","slots":1025,"worker":"","ops":[]}"#,
            MessageKind::Hello,
            None,
            "slots must be 0 to 1024, not 1025",
        ),
        (
            r#"{"type":"hello","protocol":-1,"agent":"","slots":1,"worker":"","ops":[]}"#,
            MessageKind::Hello,
            None,
            "integer `-1`",
        ),
        (
            r#"{"type":"results","lease":9,"first":0,"results":[]}"#,
            MessageKind::Results,
            of_lease,
            "results must be 1 to 32768 values, not 0",
        ),
        (&many, MessageKind::Results, of_lease, "results must be 1 to 32768 values, not 32769"),
        (
            r#"{"type":"results","lease":9,"first":0,"results":{"0":1}}"#,
            MessageKind::Results,
            of_lease,
            "expected a sequence",
        ),
        (
            r#"{"type":"results","lease":9,"first":0,"results":[null],"errors":{"x":"no"}}"#,
            MessageKind::Results,
            of_lease,
            "expected key to be a number",
        ),
        (
            r#"{"type":"results","lease":9,"first":0,"results":[null],"errors":{"0":7}}"#,
            MessageKind::Results,
            of_lease,
            "integer `7`, expected a string",
        ),
        (
            &format!(r#"{{"type":"results","lease":9,"first":0,"results":[{}]}}"#, nested(101)),
            MessageKind::Results,
            of_lease,
            "too many values lie within each other",
        ),
        (
            r#"{"type":"results","lease":9,"first":-1,"results":[1]}"#,
            MessageKind::Results,
            of_lease,
            "integer `-1`",
        ),
        (
            r#"{"type":"results","lease":9,"first":0,"results":[1],"duration_ms":-1}"#,
            MessageKind::Results,
            of_lease,
            "duration_ms must not be negative",
        ),
        (
            r#"{"type":"results","lease":"9","first":0,"results":[1]}"#,
            MessageKind::Results,
            None,
            "string \"9\"",
        ),
        (r#"{"type":"failed","lease":9}"#, MessageKind::Failed, of_lease, "missing field `index`"),
        (r#"{"type":"progress"}"#, MessageKind::Progress, None, "missing field `lease`"),
        (r#"{"type":"release","lease":0.5}"#, MessageKind::Release, None, "floating point `0.5`"),
        (&slots, MessageKind::Slots, None, "slots must be 0 to 1024, not 1025"),
        (r#"{"type":"slots","n":-1}"#, MessageKind::Slots, None, "integer `-1`"),
        (r#"{"type":"error","lease":9}"#, MessageKind::Error, of_lease, "missing field `code`"),
    ] {
        let Err(ReadError::Invalid { kind: found, lease: about, reason, .. }) =
            WorkerMessage::read(text)
        else {
            panic!("{text} was read");
        };
        assert_eq!((found, about), (kind, lease), "{text}");
        assert!(reason.contains(said), "{text}: {reason}");
    }
}

#[test]
fn bad_messages_of_servers_in_lease_mode_are_named_with_their_lease() {
    let lease = |rest: &str| {
        format!(
            r#"{{"type":"lease","lease":9,"job":1,"op":"repeat_multiply","deadline_ms":1,{rest}}}"#
        )
    };
    let grid = r#""grid":{"initial":"0..1000000","factor":1,"times":1}"#;
    let input = r#"{"initial":1,"factor":1,"times":1}"#;
    let inputs = |count: u64| vec![input; count as usize].join(",");
    let (over, inputs_max) = (LEASE_TASKS_MAX + 1, LEASE_INPUTS_MAX + 1);
    for (rest, said) in [
        (format!(r#""first":0,"count":1,{grid},"inputs":[{input}]"#), "either a grid or inputs"),
        (r#""first":0,"count":1"#.to_owned(), "either a grid or inputs"),
        (
            format!(r#""first":999999,"count":2,{grid}"#),
            "2 tasks from 999999: the grid has 1000000",
        ),
        (format!(r#""first":18446744073709551615,"count":2,{grid}"#), "the grid has 1000000"),
        (format!(r#""first":0,"count":0,{grid}"#), "count must be 1 to 65536, not 0"),
        (format!(r#""first":0,"count":{over},{grid}"#), "count must be 1 to 65536, not 65537"),
        (r#""first":0,"count":0,"inputs":[]"#.to_owned(), "count must be 1 to 4096, not 0"),
        (
            format!(r#""first":0,"count":{inputs_max},"inputs":[{}]"#, inputs(inputs_max)),
            "count must be 1 to 4096, not 4097",
        ),
        (format!(r#""first":0,"count":2,"inputs":[{input}]"#), "1 inputs for 2 tasks from 0"),
        (
            format!(r#""first":9007199254740991,"count":1,"inputs":[{input}]"#),
            "1 inputs for 1 tasks from 9007199254740991",
        ),
        (
            r#""first":0,"count":1,"grid":{"initial":1,"factor":1,"times":0.5}"#.to_owned(),
            "times: 0.5 is no integer",
        ),
        (
            r#""first":0,"count":1,"grid":{"initial":1,"factor":1}"#.to_owned(),
            "the axis times is missing; there are initial, factor, times",
        ),
        (r#""first":0,"count":1,"grid":{"n":1}"#.to_owned(), "there is no axis n"),
        (format!(r#""first":0,"count":1,"block":0,{grid}"#), "power of two up to 32768, not 0"),
        (format!(r#""first":0,"count":3,"block":3,{grid}"#), "power of two up to 32768, not 3"),
        (format!(r#""first":0,"count":1,"block":65536,{grid}"#), "up to 32768, not 65536"),
        (
            format!(r#""first":2,"count":2,"block":4,{grid}"#),
            "tasks 2 to 4 are no whole blocks of 4",
        ),
        (
            format!(r#""first":4,"count":2,"block":4,{grid}"#),
            "tasks 4 to 6 are no whole blocks of 4",
        ),
        (format!(r#""first":999936,"count":63,"block":128,{grid}"#), "no whole blocks of 128"),
        (
            format!(r#""first":1,"count":1,"block":2,"inputs":[{input}]"#),
            "tasks 1 to 2 are no whole blocks of 2",
        ),
    ] {
        let text = lease(&rest);
        let Err(ReadError::Invalid { kind, lease, reason, .. }) = ServerMessage::read(&text) else {
            panic!("{rest} was read");
        };
        assert_eq!((kind, lease), (MessageKind::Lease, Some(LeaseId(9))));
        assert!(reason.contains(said), "{rest}: {reason}");
    }
    let of_another = lease(&format!(r#""first":0,"count":1,{grid}"#)).replace("_multiply", "_add");
    let error = ServerMessage::read(&of_another).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("bad lease: unknown op repeat_add; there are repeat_multiply, "),
        "{error}"
    );
    for (text, kind) in [
        (r#"{"type":"welcome","protocol":1}"#, MessageKind::Welcome),
        (r#"{"type":"revoke"}"#, MessageKind::Revoke),
    ] {
        let error = ServerMessage::read(text).unwrap_err();
        assert!(matches!(error, ReadError::Invalid { kind: found, .. } if found == kind), "{text}");
    }
}

/// The worker computes the others: whose input it is, is told so by its outcome.
#[test]
fn a_lease_is_read_whatever_its_inputs_are() {
    let inputs = r#"[{"initial":1,"factor":1,"times":-1},"x",{"initial":2,"factor":3,"times":2}]"#;
    let text = format!(
        r#"{{"type":"lease","lease":9,"job":1,"op":"repeat_multiply","first":4,"count":3,"inputs":{inputs},"deadline_ms":1}}"#
    );
    let Ok(ServerMessage::Lease(lease)) = ServerMessage::read(&text) else { panic!("{text}") };
    assert_eq!(lease.inputs, LeaseInputs::List(Values::read(inputs).unwrap()));
    let Lease { op, first, count, inputs, .. } = lease;
    let outcomes = Piece { op, first, count, inputs }.compute();
    assert_eq!(outcomes.results().json(), "[null,null,18.0]");
    assert_eq!(outcomes.errors().iter().map(|(place, _)| *place).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_block_of_one_need_not_be_said_and_the_last_one_may_be_short() {
    let lease = |rest: &str| {
        let text = format!(
            r#"{{"type":"lease","lease":9,"job":1,"op":"collatz","deadline_ms":1,"grid":{{"n":"1..=70"}},{rest}}}"#
        );
        match ServerMessage::read(&text) {
            Ok(ServerMessage::Lease(lease)) => lease,
            other => panic!("{text}: {other:?}"),
        }
    };
    assert_eq!(lease(r#""first":3,"count":4"#).block, 1);
    assert_eq!(lease(r#""first":3,"count":4,"block":1"#), lease(r#""first":3,"count":4"#));
    assert_eq!(lease(r#""first":64,"count":6,"block":64"#).block, 64);
    assert_eq!(lease(r#""first":0,"count":70,"block":32768"#).block, 32768);
}
