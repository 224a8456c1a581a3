//! Every message, to the letter: what is written here is what clients in the wild send and expect.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use tequio_protocol::ids::{JobId, LeaseId, TaskId, WorkerId};
use tequio_protocol::limits::{FRAME_RESULTS_MAX, LEASE_INPUTS_MAX, LEASE_TASKS_MAX, SLOTS_MAX};
use tequio_protocol::message::{
    DurationMs, ErrorCode, ErrorMessage, Hello, Lease, LeaseInputs, LeaseResults, MessageKind,
    ReadError, ServerMessage, Task, TaskFailed, TaskResult, Welcome, WorkerMessage,
};
use tequio_protocol::number::Number;
use tequio_protocol::op::{Op, RepeatMultiply};
use tequio_protocol::piece::PieceResults;

const TASK: &str = r#"{"type":"task","op":"repeat_multiply","task_id":1,"initial":1.0000054,"factor":1.00000043,"times":1000000}"#;
const RESULT: &str = r#"{"type":"result","task_id":1,"result":1.5372656826974733,"duration_ms":3,"agent":"Mozilla/5.0 (X11; Linux x86_64)"}"#;

fn task() -> ServerMessage {
    let input = RepeatMultiply::new(1.0000054, 1.00000043, 1_000_000).unwrap();
    ServerMessage::Task(Task { op: Op::RepeatMultiply, task_id: TaskId(1), input })
}

fn result(result: Option<Number>, duration_ms: f64) -> WorkerMessage {
    WorkerMessage::Result(TaskResult {
        task_id: TaskId(1),
        result,
        duration_ms: Some(DurationMs::new(duration_ms)),
        agent: Some("Mozilla/5.0 (X11; Linux x86_64)".to_owned()),
    })
}

fn error(code: ErrorCode, task_id: Option<TaskId>) -> ErrorMessage {
    ErrorMessage { code, message: "no".to_owned(), task_id, lease: None }
}

#[test]
fn a_task_is_six_keys_and_its_type() {
    assert_eq!(task().write(), TASK);
    assert_eq!(ServerMessage::read(TASK), Ok(task()));
}

#[test]
fn a_result_is_five_keys_and_its_type() {
    let message = result(Some(Number(1.5372656826974733)), 3.0);
    assert_eq!(message.write(), RESULT);
    assert_eq!(WorkerMessage::read(RESULT), Ok(message));
}

#[test]
fn what_json_cannot_hold_is_a_string_and_from_plain_clients_null() {
    for (value, json) in [
        (f64::INFINITY, "\"Infinity\""),
        (f64::NEG_INFINITY, "\"-Infinity\""),
        (f64::NAN, "\"NaN\""),
    ] {
        let text = RESULT.replace("1.5372656826974733", json);
        assert_eq!(result(Some(Number(value)), 3.0).write(), text);
        assert_eq!(WorkerMessage::read(&text), Ok(result(Some(Number(value)), 3.0)));
    }
    let null = RESULT.replace("1.5372656826974733", "null");
    assert_eq!(WorkerMessage::read(&null), Ok(result(None, 3.0)));
}

#[test]
fn durations_keep_microseconds_and_lose_what_is_no_time() {
    assert!(result(None, 0.12345).write().contains(r#""duration_ms":0.123,"#));
    assert!(result(None, -1.0).write().contains(r#""duration_ms":0,"#));
    assert!(result(None, f64::NAN).write().contains(r#""duration_ms":0,"#));
    assert!(WorkerMessage::read(&RESULT.replace(":3,", ":-3,")).is_err());
}

#[test]
fn errors_go_both_ways() {
    let with_task = r#"{"type":"error","code":"bad_task","message":"no","task_id":7}"#;
    let message = error(ErrorCode::BadTask, Some(TaskId(7)));
    assert_eq!(WorkerMessage::Error(message.clone()).write(), with_task);
    assert_eq!(WorkerMessage::read(with_task), Ok(WorkerMessage::Error(message)));

    let without = r#"{"type":"error","code":"binary_frame","message":"no"}"#;
    let message = error(ErrorCode::BinaryFrame, None);
    assert_eq!(ServerMessage::Error(message.clone()).write(), without);
    assert_eq!(ServerMessage::read(without), Ok(ServerMessage::Error(message)));

    let of_another_version = r#"{"type":"error","code":"new_code","message":"no"}"#;
    let message = error(ErrorCode::Other, None);
    assert_eq!(ServerMessage::read(of_another_version), Ok(ServerMessage::Error(message)));
}

#[test]
fn each_code_has_its_word() {
    for (code, word) in [
        (ErrorCode::BadTask, "bad_task"),
        (ErrorCode::TooManyTasks, "too_many_tasks"),
        (ErrorCode::ComputeFailed, "compute_failed"),
        (ErrorCode::BadResult, "bad_result"),
        (ErrorCode::WrongResult, "wrong_result"),
        (ErrorCode::UnknownTask, "unknown_task"),
        (ErrorCode::BinaryFrame, "binary_frame"),
        (ErrorCode::BadHello, "bad_hello"),
        (ErrorCode::UnsupportedProtocol, "unsupported_protocol"),
        (ErrorCode::BadLease, "bad_lease"),
        (ErrorCode::TooManyLeases, "too_many_leases"),
        (ErrorCode::UnknownLease, "unknown_lease"),
        (ErrorCode::NoHello, "no_hello"),
        (ErrorCode::BadMessage, "bad_message"),
        (ErrorCode::TurnedAway, "turned_away"),
        (ErrorCode::Other, "other"),
    ] {
        assert_eq!(serde_json::to_value(code).unwrap(), word);
        assert_eq!(serde_json::from_value::<ErrorCode>(word.into()).unwrap(), code);
    }
}

#[test]
fn clients_may_say_less_and_more() {
    let less = r#"{"task_id":1,"type":"result","result":2}"#;
    let message = WorkerMessage::Result(TaskResult {
        task_id: TaskId(1),
        result: Some(Number(2.0)),
        duration_ms: None,
        agent: None,
    });
    assert_eq!(WorkerMessage::read(less), Ok(message.clone()));
    let more = r#"{"type":"result","task_id":1,"result":2,"mood":{"type":"task"}}"#;
    assert_eq!(WorkerMessage::read(more), Ok(message));
}

#[test]
fn what_is_not_meant_for_the_reader_is_foreign() {
    for text in ["", "hello", "null", "[]", "{}", r#"{"type":3}"#, "{\"type\":\"result\"", "NaN"] {
        let error = WorkerMessage::read(text).unwrap_err();
        assert!(matches!(error, ReadError::NotAMessage(_)) && error.is_foreign(), "{text}");
    }
    let unknown = WorkerMessage::read(r#"{"type":"task"}"#).unwrap_err();
    assert_eq!(unknown, ReadError::UnknownType("task".to_owned()));
    assert!(unknown.is_foreign());
}

#[test]
fn what_is_wrong_is_named_with_its_task() {
    for (text, said) in [
        (r#"{"type":"result","task_id":4,"result":"many"}"#, "\"Infinity\""),
        (r#"{"type":"result","task_id":4,"result":true}"#, "expected a number"),
        (r#"{"type":"result","task_id":4}"#, "missing field `result`"),
    ] {
        let Err(ReadError::Invalid { kind, task_id, reason, .. }) = WorkerMessage::read(text)
        else {
            panic!("{text} was read");
        };
        assert_eq!((kind, task_id), (MessageKind::Result, Some(TaskId(4))));
        assert!(reason.contains(said), "{reason}");
    }
    let no_id = WorkerMessage::read(r#"{"type":"result","task_id":-4,"result":1}"#);
    assert!(matches!(no_id, Err(ReadError::Invalid { task_id: None, .. })), "{no_id:?}");
}

// ---- Lease mode ---------------------------------------------------------------------------------

#[test]
fn each_message_of_a_worker_in_lease_mode_is_written_and_read_to_the_letter() {
    let agent = || "Test/1.0".to_owned();
    let results = |first, results: &[f64], duration: Option<f64>, agent| {
        WorkerMessage::Results(LeaseResults {
            lease: LeaseId(9),
            first,
            results: results.iter().copied().map(Number).collect(),
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
            results(3, &[1.5, -0.0, 3.0], Some(2.5), Some(agent())),
            r#"{"type":"results","lease":9,"first":3,"results":[1.5,-0.0,3.0],"duration_ms":2.5,"agent":"Test/1.0"}"#,
        ),
        (
            results(0, &[f64::INFINITY, f64::NEG_INFINITY, f64::NAN], None, None),
            r#"{"type":"results","lease":9,"first":0,"results":["Infinity","-Infinity","NaN"],"duration_ms":null,"agent":null}"#,
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
            WorkerMessage::Error(ErrorMessage {
                lease: Some(LeaseId(9)),
                ..error(ErrorCode::BadLease, None)
            }),
            r#"{"type":"error","code":"bad_lease","message":"no","lease":9}"#,
        ),
    ] {
        assert_eq!(message.write(), text);
        assert_eq!(WorkerMessage::read(text), Ok(message));
    }
}

#[test]
fn each_message_of_a_server_in_lease_mode_is_written_and_read_to_the_letter() {
    let lease = |first, count, inputs| {
        let (lease, job, op) = (LeaseId(9), JobId(1), Op::RepeatMultiply);
        ServerMessage::Lease(Lease { lease, job, op, first, count, inputs, deadline_ms: 10_000 })
    };
    let grid = r#"{"initial":[1,2.5],"factor":3,"times":"0..10"}"#;
    let input = |initial, times| RepeatMultiply::new(initial, 1.5, times).unwrap();
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
            lease(17, 3, LeaseInputs::Grid(serde_json::from_str(grid).unwrap())),
            r#"{"type":"lease","lease":9,"job":1,"op":"repeat_multiply","first":17,"count":3,"grid":{"initial":[1.0,2.5],"factor":3.0,"times":{"from":0.0,"step":1.0,"count":10}},"deadline_ms":10000}"#,
        ),
        (
            lease(4, 2, LeaseInputs::List(vec![input(-0.0, 0), input(5e-324, 9007199254740991)])),
            r#"{"type":"lease","lease":9,"job":1,"op":"repeat_multiply","first":4,"count":2,"inputs":[{"initial":-0.0,"factor":1.5,"times":0},{"initial":5e-324,"factor":1.5,"times":9007199254740991}],"deadline_ms":10000}"#,
        ),
        (ServerMessage::Revoke { lease: LeaseId(9) }, r#"{"type":"revoke","lease":9}"#),
        (ServerMessage::Heartbeat, r#"{"type":"heartbeat"}"#),
        (
            ServerMessage::Error(ErrorMessage {
                lease: Some(LeaseId(9)),
                ..error(ErrorCode::WrongResult, None)
            }),
            r#"{"type":"error","code":"wrong_result","message":"no","lease":9}"#,
        ),
    ] {
        assert_eq!(message.write(), text);
        assert_eq!(ServerMessage::read(text), Ok(message));
    }
}

#[test]
fn results_that_are_written_where_they_are_computed_travel_as_any() {
    for results in [vec![1.5, -0.0, 3.0], vec![f64::INFINITY, f64::NAN], vec![5e-324]] {
        let written = PieceResults::new(&results).unwrap();
        let (lease, duration, agent) = (LeaseId(9), DurationMs::new(2.5), "\"Test\"/1.0\n");
        let message = WorkerMessage::Results(LeaseResults {
            lease,
            first: 7,
            results: results.into_iter().map(Number).collect(),
            duration_ms: Some(duration),
            agent: Some(agent.to_owned()),
        });
        let text = WorkerMessage::write_results(lease, 7, &written, duration, agent);
        assert_eq!(text, message.write());
    }
    assert_eq!(PieceResults::new(&[]), None);
}

#[test]
fn workers_in_lease_mode_may_say_less_and_more() {
    let less = r#"{"results":[1],"first":0,"lease":9,"type":"results"}"#;
    let WorkerMessage::Results(results) = WorkerMessage::read(less).unwrap() else {
        panic!("{less} is results");
    };
    assert_eq!((results.duration_ms, results.agent), (None, None));
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
            "results must be 1 to 32768 numbers, not 0",
        ),
        (&many, MessageKind::Results, of_lease, "results must be 1 to 32768 numbers, not 32769"),
        (
            r#"{"type":"results","lease":9,"first":0,"results":[1,null]}"#,
            MessageKind::Results,
            of_lease,
            "expected a number, \"Infinity\"",
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
            r#""first":0,"count":1,"inputs":[{"initial":1,"factor":1,"times":-1}]"#.to_owned(),
            "times must be an integer",
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
    assert!(error.to_string().starts_with("bad lease: unknown variant `repeat_add`"), "{error}");
    for (text, kind) in [
        (r#"{"type":"welcome","protocol":1}"#, MessageKind::Welcome),
        (r#"{"type":"revoke"}"#, MessageKind::Revoke),
    ] {
        let error = ServerMessage::read(text).unwrap_err();
        assert!(matches!(error, ReadError::Invalid { kind: found, .. } if found == kind), "{text}");
    }
}

#[test]
fn what_one_side_sends_is_foreign_to_the_other() {
    for kind in ["hello", "results", "failed", "progress", "release", "slots", "result"] {
        let text = format!(r#"{{"type":"{kind}"}}"#);
        assert_eq!(ServerMessage::read(&text), Err(ReadError::UnknownType(kind.to_owned())));
    }
    for kind in ["welcome", "lease", "revoke", "task"] {
        let text = format!(r#"{{"type":"{kind}"}}"#);
        assert_eq!(WorkerMessage::read(&text), Err(ReadError::UnknownType(kind.to_owned())));
    }
}
