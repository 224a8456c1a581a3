//! Every message of plain mode, to the letter: what is written here is what clients in the wild send and expect.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use tequio_protocol::ids::TaskId;
use tequio_protocol::message::{
    DurationMs, ErrorCode, ErrorMessage, MessageKind, ReadError, ServerMessage, Task, TaskResult,
    WorkerMessage,
};
use tequio_protocol::op::{self, Op};
use tequio_protocol::outcome::Outcome;
use tequio_protocol::piece::Piece;
use tequio_protocol::values::Value;

const TASK: &str = r#"{"type":"task","op":"repeat_multiply","task_id":1,"initial":1.0000054,"factor":1.00000043,"times":1000000}"#;
const RESULT: &str = r#"{"type":"result","task_id":1,"result":1.5372656826974733,"duration_ms":3,"agent":"Mozilla/5.0 (X11; Linux x86_64)"}"#;

fn op(name: &str) -> &'static dyn Op {
    op::named(name).unwrap()
}

fn task() -> ServerMessage {
    let input = r#"{"initial":1.0000054,"factor":1.00000043,"times":1000000}"#.to_owned();
    ServerMessage::Task(Task { op: op("repeat_multiply"), task_id: TaskId(1), input })
}

fn result(result: &str, duration_ms: f64) -> WorkerMessage {
    WorkerMessage::Result(TaskResult {
        task_id: TaskId(1),
        result: Value::new(result),
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
fn a_task_of_another_op_has_that_ops_parameters() {
    let text = r#"{"type":"task","op":"collatz","task_id":8,"n":9007199254740991}"#;
    let input = r#"{"n":9007199254740991}"#.to_owned();
    let message = ServerMessage::Task(Task { op: op("collatz"), task_id: TaskId(8), input });
    assert_eq!(message.write(), text);
    assert_eq!(ServerMessage::read(text), Ok(message.clone()));
    let other = r#"{ "n": 9007199254740991.0, "more": [1], "task_id": 8, "op": "collatz", "type": "task" }"#;
    assert_eq!(ServerMessage::read(other), Ok(message), "its input is read, and not copied");
}

#[test]
fn a_task_that_its_op_does_not_take_is_named() {
    for (text, said) in [
        (
            TASK.replace("1000000", "-1"),
            "integer `-1`, expected times must be a whole number from 0",
        ),
        (TASK.replace("1.0000054", "\"1\""), "initial must be a finite number"),
        (TASK.replace("repeat_multiply", "collatz"), "missing field `n`"),
        (
            TASK.replace("repeat_multiply", "mine"),
            "unknown op mine; there are repeat_multiply, collatz",
        ),
    ] {
        let Err(ReadError::Invalid { kind, task_id, reason, .. }) = ServerMessage::read(&text)
        else {
            panic!("{text} was read");
        };
        assert_eq!((kind, task_id), (MessageKind::Task, Some(TaskId(1))));
        assert!(reason.contains(said), "{reason}");
    }
}

#[test]
fn a_result_is_five_keys_and_its_type() {
    let message = result("1.5372656826974733", 3.0);
    assert_eq!(message.write(), RESULT);
    assert_eq!(WorkerMessage::read(RESULT), Ok(message));
}

#[test]
fn what_json_cannot_hold_is_a_string_and_from_plain_clients_null() {
    for json in ["\"Infinity\"", "\"-Infinity\"", "\"NaN\"", "null"] {
        let text = RESULT.replace("1.5372656826974733", json);
        assert_eq!(result(json, 3.0).write(), text);
        assert_eq!(WorkerMessage::read(&text), Ok(result(json, 3.0)));
    }
    for (factor, expected) in [("1e308", "\"Infinity\""), ("-1e308", "\"-Infinity\"")] {
        let input = format!(r#"{{"initial":1,"factor":{factor},"times":3}}"#);
        let computed = Piece::of_one(op("repeat_multiply"), &input).compute();
        assert_eq!(computed.get(0), Outcome::Result(expected));
    }
}

#[test]
fn a_result_is_any_json_value_without_white_space() {
    for (json, ours) in [
        ("3", "3"),
        ("3.50", "3.50"),
        ("-0.0", "-0.0"),
        ("18446744073709551617", "18446744073709551617"),
        ("true", "true"),
        ("\"a\\n\\u00f1\"", "\"a\\n\\u00f1\""),
        ("{}", "{}"),
        ("{ \"b\" : [ 1, {\"a\": null} ], \"a\" : \" \" }", "{\"b\":[1,{\"a\":null}],\"a\":\" \"}"),
        ("[]", "[]"),
    ] {
        let text = RESULT.replace("1.5372656826974733", json);
        assert_eq!(WorkerMessage::read(&text), Ok(result(ours, 3.0)), "{json}");
        assert_eq!(result(ours, 3.0).write(), RESULT.replace("1.5372656826974733", ours));
    }
}

#[test]
fn durations_keep_microseconds_and_lose_what_is_no_time() {
    assert!(result("1", 0.12345).write().contains(r#""duration_ms":0.123,"#));
    assert!(result("1", -1.0).write().contains(r#""duration_ms":0,"#));
    assert!(result("1", f64::NAN).write().contains(r#""duration_ms":0,"#));
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
        (ErrorCode::CannotLoad, "cannot_load"),
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
        result: Value::new("2"),
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
        (r#"{"type":"result","task_id":4}"#, "missing field `result`"),
        (r#"{"type":"result","task_id":4,"duration_ms":-1,"result":1}"#, "must not be negative"),
        (
            &format!(r#"{{"type":"result","task_id":4,"result":{}}}"#, nested(101)),
            "too many values lie within each other",
        ),
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

/// A value that lies so deep within others.
fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}
