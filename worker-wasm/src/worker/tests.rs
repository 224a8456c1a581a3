use super::*;
use tequio_protocol::limits::{
    BACKOFF_BASE, BACKOFF_MAX, BACKOFF_RESET_AFTER, CONNECT_INTERVAL_MIN, FRAME_BYTES_MAX,
    PLAIN_TASKS_WAITING_MAX,
};
use tequio_protocol::op;
use tequio_protocol::outcome::{Outcome, OutcomeRef};

const TASK: &str =
    r#"{"type":"task","op":"repeat_multiply","task_id":1,"initial":3,"factor":2,"times":10}"#;

/// A worker on virtual time.
struct Bench {
    worker: Worker,
    now: Duration,
}

impl Bench {
    fn new(seed: u64) -> Bench {
        Bench { worker: Worker::new("Test/1.0", seed), now: Duration::ZERO }
    }

    fn connected(seed: u64) -> Bench {
        let mut bench = Bench::new(seed);
        bench.handle(plain());
        bench.handle(Event::Opened);
        bench
    }

    fn handle(&mut self, event: Event) -> Vec<Action> {
        self.worker.handle(event, self.now)
    }

    fn text(&mut self, text: &str) -> Vec<Action> {
        self.handle(Event::Text(text.to_owned()))
    }

    fn computed(&mut self, result: &str) -> Vec<Action> {
        self.ended(Outcome::Result(result))
    }

    fn ended(&mut self, outcome: OutcomeRef<'_>) -> Vec<Action> {
        self.handle(Event::Computed {
            slot: 0,
            results: PieceResults::new([outcome].into_iter().collect()).unwrap(),
            duration_ms: 0.25,
        })
    }

    fn close(&mut self) -> Vec<Action> {
        self.handle(Event::Closed { code: 1006, reason: String::new() })
    }

    /// Lets time pass to the next timeout and returns how long that was.
    fn pass(&mut self) -> (Duration, Vec<Action>) {
        let at =
            self.worker.next_timeout().expect("a worker without a connection waits for a time");
        let passed = at.saturating_sub(self.now);
        self.now = at;
        (passed, self.handle(Event::Timeout))
    }
}

/// Begins a worker that does not say hello.
fn plain() -> Event {
    let allowance = Allowance { cores: 4, share_percent: 100 };
    Event::Start(Start { worker: None, tab: None, allowance })
}

fn sent(actions: &[Action]) -> Vec<&str> {
    fn text(action: &Action) -> Option<&str> {
        if let Action::Send(text) = action { Some(text) } else { None }
    }
    actions.iter().filter_map(text).collect()
}

fn notices(actions: &[Action]) -> Vec<&str> {
    fn text(action: &Action) -> Option<&str> {
        if let Action::Tell(ToPage::Notice { text }) = action { Some(text) } else { None }
    }
    actions.iter().filter_map(text).collect()
}

#[test]
fn a_task_is_computed_and_answered_with_five_keys() {
    let mut bench = Bench::connected(1);
    let actions = bench.text(TASK);
    let op = op::named("repeat_multiply").unwrap();
    let piece = Piece::of_one(op, r#"{"initial":3.0,"factor":2.0,"times":10}"#);
    assert!(actions.contains(&Action::Compute { slot: 0, piece }));
    let [Action::Tell(ToPage::Task { text, .. }), ..] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(text, "3 × 2^10");
    let actions = bench.computed("3072.0");
    assert_eq!(
        sent(&actions),
        [r#"{"type":"result","task_id":1,"result":3072.0,"duration_ms":0.25,"agent":"Test/1.0"}"#]
    );
    assert!(matches!(&actions[1], Action::Tell(ToPage::Result { result, .. }) if result == "3072"));
}

#[test]
fn tasks_are_computed_one_by_one_in_order() {
    let mut bench = Bench::connected(1);
    bench.text(TASK);
    let second = TASK.replace("\"task_id\":1", "\"task_id\":2");
    assert!(!bench.text(&second).iter().any(|a| matches!(a, Action::Compute { .. })));
    let actions = bench.computed("1.0");
    assert!(sent(&actions)[0].contains("\"task_id\":1"));
    assert!(actions.iter().any(|a| matches!(a, Action::Compute { .. })));
    assert!(sent(&bench.computed("1.0"))[0].contains("\"task_id\":2"));
}

#[test]
fn more_tasks_than_are_kept_are_refused_one_by_one() {
    let mut bench = Bench::connected(1);
    for _ in 0..=PLAIN_TASKS_WAITING_MAX {
        assert!(sent(&bench.text(TASK)).is_empty());
    }
    let actions = bench.text(TASK);
    assert!(sent(&actions)[0].contains(r#""code":"too_many_tasks""#));
    assert!(sent(&actions)[0].contains(r#""task_id":1"#));
}

#[test]
fn bad_tasks_are_answered_and_rubbish_is_ignored() {
    let mut bench = Bench::connected(1);
    for times in ["-1", "1.5", "\"x\"", "null", "1e300"] {
        let actions = bench.text(&TASK.replace("10}", &format!("{times}}}")));
        assert!(sent(&actions)[0].contains(r#""code":"bad_task""#), "{actions:?}");
        assert!(sent(&actions)[0].contains(r#""task_id":1"#), "{actions:?}");
        assert_eq!(notices(&actions).len(), 1);
    }
    let actions = bench.text(&TASK.replace("repeat_multiply", "mine_bitcoin"));
    assert!(sent(&actions)[0].contains("mine_bitcoin"));
    for rubbish in ["", "hello", "[1]", "{}", r#"{"type":"chat"}"#, &TASK.replace("10}", "NaN}")] {
        let actions = bench.text(rubbish);
        assert!(sent(&actions).is_empty() && notices(&actions).len() == 1, "{rubbish}");
    }
    assert_eq!(notices(&bench.text(&" ".repeat(FRAME_BYTES_MAX + 1))).len(), 1);
    assert_eq!(notices(&bench.handle(Event::Binary { bytes: 3 })).len(), 1);
    assert!(bench.text(TASK).iter().any(|a| matches!(a, Action::Compute { .. })), "still usable");
}

#[test]
fn a_failed_computation_is_reported_and_the_next_begins() {
    let mut bench = Bench::connected(1);
    bench.text(TASK);
    bench.text(TASK);
    let actions = bench.handle(Event::ComputeFailed { slot: 0, reason: "trap".to_owned() });
    assert!(sent(&actions)[0].contains(r#""code":"compute_failed""#));
    assert!(actions.iter().any(|a| matches!(a, Action::Compute { .. })));
}

#[test]
fn an_ops_error_is_answered_as_what_cannot_be_computed() {
    let mut bench = Bench::connected(1);
    let task = r#"{"type":"task","op":"collatz","task_id":7,"n":12327829503}"#;
    bench.text(task);
    bench.text(TASK);
    let actions = bench.ended(Outcome::Error("too \"large\""));
    assert_eq!(
        sent(&actions),
        [r#"{"type":"error","code":"compute_failed","message":"too \"large\"","task_id":7}"#]
    );
    assert_eq!(notices(&actions), ["Task 7 failed: too \"large\""]);
    assert!(actions.iter().any(|a| matches!(a, Action::Compute { .. })), "the next begins");
}

#[test]
fn a_result_is_any_value() {
    for (result, shown) in
        [("111", "111"), (r#"{"x":[1,"a"]}"#, r#"{"x":[1,"a"]}"#), ("null", "null")]
    {
        let mut bench = Bench::connected(1);
        bench.text(TASK);
        let actions = bench.computed(result);
        let said = format!(
            r#"{{"type":"result","task_id":1,"result":{result},"duration_ms":0.25,"agent":"Test/1.0"}}"#
        );
        assert_eq!(sent(&actions), [said]);
        assert!(
            matches!(&actions[1], Action::Tell(ToPage::Result { result, .. }) if result == shown)
        );
    }
}

#[test]
fn a_result_of_a_lost_connection_is_never_sent() {
    let mut bench = Bench::connected(1);
    bench.text(TASK);
    bench.close();
    bench.pass();
    bench.handle(Event::Opened);
    assert!(!bench.text(TASK).iter().any(|a| matches!(a, Action::Compute { .. })), "still busy");
    let actions = bench.computed("1.0");
    assert!(sent(&actions).is_empty());
    assert!(actions.iter().any(|a| matches!(a, Action::Compute { .. })));
    assert_eq!(sent(&bench.computed("1.0")).len(), 1);
}

#[test]
fn a_socket_that_opens_and_shuts_is_no_storm_and_never_given_up() {
    for seed in 0..20 {
        let mut bench = Bench::connected(seed);
        let mut last_attempt = Duration::ZERO;
        for _ in 0..100 {
            bench.close();
            let (_, actions) = bench.pass();
            assert!(actions.contains(&Action::Connect));
            assert!(bench.now - last_attempt >= CONNECT_INTERVAL_MIN);
            assert!(bench.now - last_attempt <= BACKOFF_MAX);
            last_attempt = bench.now;
            bench.handle(Event::Opened);
        }
        assert!(bench.now > 94 * BACKOFF_MAX / 4, "the delays have grown: {:?}", bench.now);
    }
}

#[test]
fn a_connection_that_lasted_starts_the_backoff_again() {
    let mut bench = Bench::connected(3);
    for _ in 0..10 {
        bench.close();
        bench.pass();
        bench.handle(Event::Opened);
    }
    bench.now += BACKOFF_RESET_AFTER;
    let actions = bench.close();
    let Some(Action::Tell(ToPage::Disconnected { retry_in_ms, .. })) = actions.last() else {
        panic!("{actions:?}");
    };
    assert!(*retry_in_ms <= BACKOFF_BASE.as_secs_f64() * 1000.0);
    let (_, actions) = bench.pass();
    assert_eq!(actions[0], Action::Tell(ToPage::Connecting { attempt: 1 }));
}

#[test]
fn now_means_now_but_not_twice_in_a_moment() {
    let mut bench = Bench::connected(1);
    for _ in 0..8 {
        bench.close();
        bench.pass();
    }
    bench.close();
    assert!(bench.handle(Event::RetryNow).is_empty(), "the last attempt was this very moment");
    let (passed, actions) = bench.pass();
    assert_eq!(passed, CONNECT_INTERVAL_MIN);
    assert!(actions.contains(&Action::Connect));
    bench.now += Duration::from_secs(1);
    bench.close();
    assert!(bench.handle(Event::RetryNow).contains(&Action::Connect));
    assert!(bench.handle(Event::RetryNow).is_empty(), "it is connecting already");
}

#[test]
fn a_socket_that_never_opens_is_let_go() {
    let mut bench = Bench::new(1);
    bench.handle(plain());
    bench.now = CONNECT_TIMEOUT / 2;
    assert!(bench.handle(Event::Timeout).is_empty(), "a timer may fire early");
    let (_, actions) = bench.pass();
    assert_eq!(actions[0], Action::Disconnect);
    assert!(bench.handle(Event::Opened).is_empty(), "too late");
    assert!(bench.pass().1.contains(&Action::Connect));
}

#[test]
fn a_worker_that_cannot_compute_asks_for_nothing() {
    let unable = || Event::Unable { reason: "no program".to_owned() };
    let mut connected = Bench::connected(1);
    let actions = connected.handle(unable());
    assert!(actions.contains(&Action::Disconnect));
    let (text, can_retry) = ("no program".to_owned(), false);
    assert!(actions.contains(&Action::Tell(ToPage::Failed { text, can_retry })));
    assert_eq!(connected.worker.next_timeout(), None);
    let mut idle = Bench::new(1);
    idle.handle(unable());
    assert!(idle.handle(plain()).is_empty(), "it does not even connect");
}

#[test]
fn the_reason_of_a_loss_is_told_in_words() {
    let mut bench = Bench::connected(1);
    let actions = bench.handle(Event::Closed { code: 1001, reason: "server stops".to_owned() });
    let Some(Action::Tell(ToPage::Disconnected { reason, .. })) = actions.last() else {
        panic!("{actions:?}");
    };
    assert_eq!(reason, "the server is going away (1001 server stops)");
}
