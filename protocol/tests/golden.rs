//! Every message, to the letter: what is written here is what clients in the wild send and expect.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use tequio_protocol::ids::TaskId;
use tequio_protocol::message::{
    DurationMs, ErrorCode, ErrorMessage, MessageKind, ReadError, ServerMessage, Task, TaskResult,
    WorkerMessage,
};
use tequio_protocol::number::Number;
use tequio_protocol::op::{Op, RepeatMultiply};

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
    ] {
        assert_eq!(serde_json::to_value(code).unwrap(), word);
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
