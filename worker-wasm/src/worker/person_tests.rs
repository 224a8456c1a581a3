//! A person in charge, a browser that puts the tab away, slots that hang, and connections that are
//! lost with results on their way: what the worker does then.

use crate::bench::{Bench, Done, allowance, lease};
use crate::worker::{Action, Event, Start};
use std::time::Duration;
use tequio_protocol::limits::{
    ASLEEP_AFTER, CONNECT_TIMEOUT, DEADLINE_MIN, HOLD_MAX, PIECE, SENT_BYTES_MAX, SLOT_START_MAX,
    STOP_GRACE, UNSENT_BYTES_MAX, UNSENT_POLL,
};
use tequio_protocol::message::{ErrorCode, ServerMessage, TaskFailed, WorkerMessage, close_code};
use tequio_protocol::page::{TabMessage, ToPage};

fn released(done: &Done) -> Vec<u64> {
    let released = done.sent.iter().filter_map(|message| match message {
        WorkerMessage::Release { lease } => Some(lease.0),
        _ => None,
    });
    released.collect()
}

fn slots_said(done: &Done) -> Vec<u32> {
    let said = done.sent.iter().filter_map(|message| match message {
        WorkerMessage::Slots { n } => Some(*n),
        _ => None,
    });
    said.collect()
}

fn failed(done: &Done) -> Vec<&TaskFailed> {
    let failed = done.sent.iter().filter_map(|message| match message {
        WorkerMessage::Failed(failed) => Some(failed),
        _ => None,
    });
    failed.collect()
}

// ---- Pause, finish, cores, share ------------------------------------------------------------

#[test]
fn a_pause_sends_what_ends_in_a_moment_and_gives_back_the_rest() {
    let mut bench = Bench::new(2);
    (0..4).for_each(|id| drop(bench.lend(id, id * 100..id * 100 + 50)));
    let done = bench.handle(Event::Pause);
    assert_eq!((slots_said(&done), released(&done)), (vec![0], vec![2, 3]));
    assert!(done.resets.is_empty() && done.told.is_empty(), "two pieces are at work: {done:?}");
    let done = bench.compute(0, 1.0);
    assert_eq!((done.results(), released(&done)), (vec![(0, 0..1)], vec![0]));
    assert!(done.begun.is_empty() && done.others.is_empty());
    let done = bench.compute(1, 1.0);
    assert_eq!((done.results(), released(&done)), (vec![(1, 100..101)], vec![1]));
    assert_eq!(done.others, [Action::Disconnect], "and only then");
    assert_eq!((done.resets, done.told.last()), (vec![0, 1], Some(&ToPage::Paused)));
    assert_eq!(bench.worker.next_timeout(), None);
}

#[test]
fn a_pause_does_not_wait_for_what_takes_long() {
    let mut bench = Bench::new(1);
    bench.lend(1, 0..5);
    bench.handle(Event::Pause);
    let done = bench.pass();
    assert_eq!(bench.now, STOP_GRACE);
    assert_eq!((&done.resets[..], released(&done)), (&[0, 0][..], vec![1]));
    assert!(failed(&done).is_empty(), "no task is to blame");
    assert_eq!(done.told.last(), Some(&ToPage::Paused));
}

#[test]
fn who_pauses_without_a_connection_stops_at_once() {
    let mut bench = Bench::new(1);
    bench.close(1006);
    let done = bench.handle(Event::Pause);
    assert_eq!(done.told, [ToPage::Paused]);
    bench.now += Duration::from_secs(3600);
    assert!(bench.handle(Event::Timeout).others.is_empty(), "it does not come back by itself");
    assert!(bench.handle(Event::RetryNow).others.is_empty());
    assert!(bench.handle(Event::Resume).others.is_empty());
    assert!(bench.handle(Event::Pause).told.is_empty(), "it is paused already");
    assert_eq!(bench.start(1).others, [Action::Connect]);
}

#[test]
fn start_takes_a_pause_back() {
    let mut bench = Bench::new(1);
    bench.lend(1, 0..5);
    bench.handle(Event::Pause);
    let done = bench.start(2);
    assert_eq!(slots_said(&done), [2]);
    assert!(done.others.is_empty(), "the connection is there still");
    bench.live_until(STOP_GRACE + Duration::from_secs(1));
    let done = bench.compute(0, 1.0);
    assert_eq!((done.results(), released(&done)), (vec![(1, 0..1)], vec![]));
    assert!(done.others.is_empty() && done.resets.is_empty(), "it goes on");
    assert_eq!(done.begun, [(0, 1..5)]);
}

#[test]
fn who_finishes_computes_what_is_here_and_takes_nothing_new() {
    let mut bench = Bench::new(1);
    bench.lend(1, 0..3);
    bench.lend(2, 10..13);
    let done = bench.handle(Event::Finish);
    assert_eq!((slots_said(&done), released(&done)), (vec![0], vec![]));
    assert_eq!(released(&bench.lend(3, 20..23)), [3], "it was on its way");
    assert_eq!(bench.compute(0, 1.0).results(), [(1, 0..1)]);
    assert_eq!(bench.compute(0, 1.0).results(), [(1, 1..3)]);
    let done = bench.compute(0, 1.0);
    assert_eq!(done.results(), [(2, 10..13)]);
    assert_eq!(done.others, [Action::Disconnect]);
    assert_eq!(done.told.last(), Some(&ToPage::Paused));
}

#[test]
fn who_has_nothing_finishes_at_once_and_a_lost_connection_finishes_too() {
    let mut bench = Bench::new(1);
    assert_eq!(bench.handle(Event::Finish).told, [ToPage::Paused]);
    let mut bench = Bench::new(1);
    bench.lend(1, 0..3);
    assert!(bench.handle(Event::Finish).told.is_empty());
    assert_eq!(bench.close(1006).told, [ToPage::Paused]);
    assert_eq!(bench.worker.next_timeout(), None);
}

#[test]
fn slots_follow_the_cores_at_once() {
    let mut bench = Bench::new(8);
    bench.handle(Event::Allow(allowance(3, 100)));
    (0..6).for_each(|id| drop(bench.lend(id, id * 100..id * 100 + 50)));
    let done = bench.handle(Event::Allow(allowance(1, 100)));
    assert_eq!(slots_said(&done), [1]);
    assert!(done.told.contains(&ToPage::Lent { slots: 1, tabs: 1 }));
    assert_eq!(released(&done), [5, 4, 3], "the last ones that wait");
    // What two slots have begun goes over to the one that is left, before anything else.
    assert_eq!(bench.compute(2, 1.0).resets, [2]);
    let done = bench.compute(1, 1.0);
    assert_eq!((done.results(), &done.resets[..]), (vec![(1, 100..101)], &[1][..]));
    let done = bench.handle(Event::Allow(allowance(4, 100)));
    assert_eq!(slots_said(&done), [4]);
    assert_eq!(done.begun, [(1, 101..117), (2, 201..217)]);
    assert_eq!(bench.lend(9, 900..910).begun, [(3, 900..910)]);
}

#[test]
fn a_lease_on_its_way_while_slots_go_is_given_back_and_not_refused() {
    let mut bench = Bench::new(2);
    bench.handle(Event::Allow(allowance(1, 100)));
    (0..2).for_each(|id| drop(bench.lend(id, id * 100..id * 100 + 50)));
    let done = bench.lend(3, 300..310);
    assert_eq!((released(&done), done.errors()), (vec![3], vec![]));
}

#[test]
fn numbers_out_of_range_are_brought_into_it() {
    let mut bench = Bench::new(1);
    let done = bench.handle(Event::Allow(allowance(0, 0)));
    assert!(done.sent.is_empty(), "one core at least: {done:?}");
    assert_eq!(slots_said(&bench.handle(Event::Allow(allowance(u32::MAX, 1000)))), [1024]);
}

#[test]
fn a_share_is_kept_by_pauses_between_small_pieces() {
    for share in [25, 50, 100] {
        let mut bench = Bench::new(1);
        bench.handle(Event::Allow(allowance(1, share)));
        bench.lend(1, 0..65_536);
        let (mut computed, mut longest) = (0.0, 0.0_f64);
        while bench.now < Duration::from_secs(9) {
            match &bench.pieces[0] {
                Some(piece) => {
                    let piece_ms = piece.count as f64;
                    computed += piece_ms;
                    longest = longest.max(piece_ms);
                    bench.compute(0, 1.0);
                }
                None => drop(bench.pass()),
            }
        }
        let measured = computed / 1000.0 / bench.now.as_secs_f64();
        let asked = f64::from(share) / 100.0;
        assert!((measured - asked).abs() < 0.03, "{share} %: {measured}");
        assert!(longest <= asked * PIECE.as_secs_f64() * 1000.0, "{share} %: {longest} ms");
    }
}

#[test]
fn who_rests_holds_its_lease_and_says_so_and_can_pause_and_lose_it() {
    let mut bench = Bench::new(1);
    bench.handle(Event::Allow(allowance(1, 1)));
    bench.lend(1, 0..50);
    bench.compute(0, 1000.0);
    assert!(bench.is_idle(), "it rests for 99 s");
    bench.now += Duration::from_secs(4);
    assert_eq!(bench.handle(Event::Timeout).progress(), [1]);
    bench.revoke(1);
    bench.now += Duration::from_secs(4);
    assert!(bench.handle(Event::Timeout).progress().is_empty());
    bench.lend(2, 100..110);
    assert!(bench.is_idle(), "its turn has not come");
    let done = bench.handle(Event::Pause);
    assert_eq!((released(&done), done.told.last()), (vec![2], Some(&ToPage::Paused)));
}

// ---- Several tabs ---------------------------------------------------------------------------

fn said(done: &Done) -> Vec<TabMessage> {
    let said = done.others.iter().filter_map(|action| match action {
        Action::Broadcast(text) => Some(TabMessage::read(text).unwrap()),
        _ => None,
    });
    said.collect()
}

fn tab(id: &str) -> String {
    id.to_owned()
}

fn here(id: &str) -> Event {
    Event::Neighbour(TabMessage::Here { tab: tab(id) }.write())
}

fn in_tab(cores: u32) -> (Bench, Done) {
    let mut bench = Bench::unnamed(8);
    let (worker, tab) = (Some("5f0c".to_owned()), Some(tab("m")));
    let allowance = allowance(cores, 100);
    let done = bench.handle(Event::Start(Start { worker, tab, allowance }));
    bench.open();
    (bench, done)
}

#[test]
fn tabs_share_the_cores_and_share_again() {
    let (mut bench, done) = in_tab(8);
    assert_eq!(said(&done), [TabMessage::Here { tab: tab("m") }]);
    assert!(done.told.contains(&ToPage::Lent { slots: 8, tabs: 1 }));
    let done = bench.handle(here("a"));
    assert_eq!((slots_said(&done), said(&done).len()), (vec![4], 1));
    assert!(done.told.contains(&ToPage::Lent { slots: 4, tabs: 2 }));
    assert_eq!(slots_said(&bench.handle(here("z"))), [3]);
    let bye = Event::Neighbour(TabMessage::Bye { tab: tab("a") }.write());
    assert_eq!(slots_said(&bench.handle(bye)), [4]);
    bench.live_until(bench.now + Duration::from_secs(10));
    let done = bench.handle(Event::Timeout);
    assert!(slots_said(&done).is_empty(), "told before: {done:?}");
    assert_eq!(slots_said(&bench.handle(Event::Allow(allowance(7, 100)))), [7], "z is forgotten");
}

#[test]
fn who_pauses_or_is_put_away_leaves_its_cores_to_the_others() {
    for event in [Event::Pause, Event::Finish, Event::Suspend] {
        let (mut bench, _) = in_tab(8);
        assert_eq!(said(&bench.handle(event.clone())), [TabMessage::Bye { tab: tab("m") }]);
        assert!(said(&bench.handle(here("a"))).is_empty(), "{event:?}");
    }
    let (mut bench, _) = in_tab(8);
    bench.handle(Event::Suspend);
    assert_eq!(said(&bench.handle(Event::Resume)), [TabMessage::Here { tab: tab("m") }]);
}

// ---- Frozen, asleep -------------------------------------------------------------------------

#[test]
fn who_is_put_away_gives_back_and_comes_back_at_once() {
    let mut bench = Bench::new(1);
    bench.welcome(Some("s1"), false);
    bench.lend(1, 0..50);
    bench.lend(2, 100..150);
    bench.compute(0, 1.0);
    let done = bench.handle(Event::Suspend);
    assert_eq!((slots_said(&done), released(&done)), (vec![0], vec![2]));
    // It is not frozen yet, and ends its piece.
    let done = bench.compute(0, 1.0);
    assert_eq!((done.results(), released(&done)), (vec![(1, 1..17)], vec![1]));
    assert!(done.begun.is_empty());
    bench.now += Duration::from_secs(600);
    let done = bench.handle(Event::Resume);
    assert_eq!(done.others, [Action::Disconnect, Action::Connect]);
    let done = bench.handle(Event::Opened);
    let [WorkerMessage::Hello(hello)] = &done.sent[..] else { panic!("{done:?}") };
    assert_eq!((hello.slots, hello.resume.as_deref()), (1, Some("s1")));
    assert!(bench.welcome(Some("s2"), false).sent.is_empty(), "nothing of what is lost");
    assert_eq!(bench.lend(3, 200..210).begun, [(0, 200..210)]);
}

#[test]
fn who_was_asleep_connects_anew_and_blames_no_task() {
    let mut bench = Bench::new(1);
    bench.welcome(Some("s1"), false);
    bench.lend(1, 0..50);
    bench.compute(0, 1.0);
    bench.now += DEADLINE_MIN + ASLEEP_AFTER + Duration::from_secs(3600);
    let done = bench.handle(Event::Timeout);
    assert_eq!(done.others, [Action::Disconnect, Action::Connect]);
    assert!(done.resets.is_empty() && done.sent.is_empty(), "{done:?}");
    assert!(bench.compute(0, 1.0).sent.is_empty(), "nobody is there to be sent it");
    bench.handle(Event::Opened);
    let done = bench.welcome(Some("s2"), true);
    assert_eq!(done.results(), [(1, 0..1), (1, 1..17)], "what may have been lost on its way");
}

// ---- Hung and broken slots ------------------------------------------------------------------

#[test]
fn a_slot_that_hangs_is_ended_and_the_others_never_notice() {
    let mut bench = Bench::new(2);
    bench.lend(1, 0..40);
    bench.compute(0, 1.0);
    let hung_at = bench.now;
    assert!(bench.pieces[0].is_some(), "16 tasks, of which the first never ends");
    let until_reset = |bench: &mut Bench| {
        loop {
            // Slot 1 goes on with leases of its own.
            let id = bench.now.as_millis() as u64 + 1000;
            assert_eq!(bench.lend(id, 100..110).begun.len(), 1);
            assert_eq!(bench.compute(1, 1.0).results(), [(id, 100..110)]);
            let done = bench.pass();
            if !done.resets.is_empty() {
                assert_eq!(done.resets, [0]);
                return done;
            }
        }
    };
    let done = until_reset(&mut bench);
    assert_eq!(bench.now - hung_at, DEADLINE_MIN, "at the lease's deadline");
    assert_eq!((failed(&done).len(), &done.begun[..]), (0, &[(0, 1..2)][..]), "one by one");
    let done = until_reset(&mut bench);
    let [task] = &failed(&done)[..] else { panic!("{done:?}") };
    assert_eq!((task.index, &*task.error), (1, "it had not ended after 10 s"));
    assert_eq!(done.begun, [(0, 2..3)]);
    assert_eq!(bench.compute(0, 1.0).results(), [(1, 2..3)]);
}

#[test]
fn a_revoked_piece_that_goes_on_is_ended_so_that_its_slot_is_free() {
    let mut bench = Bench::new(1);
    bench.lend(1, 0..40);
    bench.lend(2, 100..140);
    bench.revoke(1);
    assert!(!bench.is_idle(), "it may end by itself");
    let done = bench.pass();
    assert_eq!((bench.now, &done.resets[..]), (STOP_GRACE, &[0][..]));
    assert_eq!(done.begun, [(0, 100..101)]);
    assert!(failed(&done).is_empty());
}

#[test]
fn a_task_of_plain_mode_has_no_deadline_but_does_not_hang_for_ever() {
    let mut bench = Bench::unnamed(1);
    let (worker, tab) = (None, None);
    bench.handle(Event::Start(Start { worker, tab, allowance: allowance(4, 100) }));
    bench.handle(Event::Opened);
    let task =
        r#"{"type":"task","op":"repeat_multiply","task_id":1,"initial":3,"factor":2,"times":10}"#;
    bench.handle(Event::Text(task.to_owned()));
    let done = bench.pass();
    assert_eq!((bench.now, &done.resets[..]), (HOLD_MAX, &[0][..]));
    let [WorkerMessage::Error(error)] = &done.sent[..] else { panic!("{done:?}") };
    assert_eq!((error.code, error.task_id.unwrap().0), (ErrorCode::ComputeFailed, 1));
}

// ---- Lost connections -----------------------------------------------------------------------

/// A worker in session `s1` that has sent results of its lease 1, and computes more of it.
fn in_session() -> Bench {
    let mut bench = Bench::new(1);
    bench.welcome(Some("s1"), false);
    bench.lend(1, 0..40);
    bench.lend(2, 100..140);
    assert_eq!(bench.compute(0, 1.0).results(), [(1, 0..1)]);
    bench
}

#[test]
fn what_may_be_lost_is_sent_again_in_a_session_that_goes_on() {
    let mut bench = in_session();
    bench.close(1006);
    assert!(bench.compute(0, 1.0).sent.is_empty(), "there is nobody");
    assert!(bench.is_idle(), "what was not begun is the server's again");
    bench.pass();
    let done = bench.handle(Event::Opened);
    let [WorkerMessage::Hello(hello)] = &done.sent[..] else { panic!("{done:?}") };
    assert_eq!(hello.resume.as_deref(), Some("s1"));
    assert_eq!(bench.welcome(Some("s2"), true).results(), [(1, 0..1), (1, 1..17)]);
    // And not once more.
    bench.close(1006);
    bench.pass();
    let done = bench.handle(Event::Opened);
    let [WorkerMessage::Hello(hello)] = &done.sent[..] else { panic!("{done:?}") };
    assert_eq!(hello.resume.as_deref(), Some("s2"));
}

#[test]
fn a_piece_that_outlasts_the_reconnection_is_sent_when_it_is_done() {
    let mut bench = in_session();
    bench.close(1006);
    bench.pass();
    bench.handle(Event::Opened);
    assert_eq!(bench.welcome(Some("s2"), true).results(), [(1, 0..1)]);
    assert!(bench.lend(3, 200..240).begun.is_empty(), "the slot is busy");
    let done = bench.compute(0, 1.0);
    assert_eq!(done.results(), [(1, 1..17)]);
    assert!(released(&done).is_empty(), "it is not held any more");
    assert_eq!(done.begun, [(0, 200..240)]);
}

#[test]
fn a_server_that_has_forgotten_the_session_is_sent_nothing_of_it() {
    let mut bench = in_session();
    bench.close(1006);
    bench.pass();
    bench.handle(Event::Opened);
    assert!(bench.welcome(Some("s2"), false).sent.is_empty());
    bench.lend(3, 200..240);
    let done = bench.compute(0, 1.0);
    assert!(done.sent.is_empty(), "{done:?}");
    assert_eq!(done.begun, [(0, 200..216)]);
}

#[test]
fn what_the_server_has_shown_to_have_is_not_sent_again() {
    let mut bench = in_session();
    bench.live_until(Duration::from_secs(8));
    bench.compute(0, 1.0);
    // A heartbeat is sent and answered.
    bench.live_until(Duration::from_secs(16));
    bench.compute(0, 1.0);
    bench.close(1006);
    bench.pass();
    bench.handle(Event::Opened);
    let resent = bench.welcome(Some("s2"), true).results();
    assert_eq!(resent, [(1, 17..40)], "what came after the heartbeat");
}

#[test]
fn a_failed_task_of_a_lost_connection_is_nobodys_business() {
    let mut bench = in_session();
    bench.close(1006);
    assert!(bench.fail(0).sent.is_empty());
    assert!(bench.is_idle());
}

#[test]
fn what_is_kept_to_be_sent_again_is_bounded() {
    let mut bench = Bench::new(1);
    bench.welcome(Some("s1"), false);
    for id in 0..10 {
        bench.lend(2 * id + 1, 0..65_536);
        while !bench.is_idle() {
            bench.compute(0, 0.0);
        }
    }
    bench.close(1006);
    bench.pass();
    bench.handle(Event::Opened);
    let done = bench.welcome(Some("s2"), true);
    let bytes: usize = done.sent.iter().map(|message| message.write().len()).sum();
    assert!((SENT_BYTES_MAX / 4..=SENT_BYTES_MAX).contains(&bytes), "{bytes}");
}

#[test]
fn a_socket_that_does_not_drain_stops_the_computing_and_not_for_ever() {
    let mut bench = Bench::new(1);
    bench.lend(1, 0..40);
    bench.worker.set_unsent(UNSENT_BYTES_MAX + 1);
    assert_eq!(bench.compute(0, 1.0).results(), [(1, 0..1)]);
    for _ in 0..20 {
        let before = bench.now;
        assert!(bench.pass().begun.is_empty());
        assert_eq!(bench.now - before, UNSENT_POLL);
    }
    bench.worker.set_unsent(0);
    assert_eq!(bench.pass().begun, [(0, 1..17)]);
}

// ---- Servers of another kind ----------------------------------------------------------------

#[test]
fn a_server_of_another_version_is_told_so_and_can_be_tried_again() {
    for welcome in [
        r#"{"type":"welcome","protocol":2,"worker_id":7,"heartbeat_s":15}"#,
        r#"{"type":"welcome","protocol":2}"#,
        r#"{"type":"welcome"}"#,
    ] {
        let mut bench = Bench::unnamed(1);
        bench.start(1);
        bench.handle(Event::Opened);
        let done = bench.handle(Event::Text(welcome.to_owned()));
        assert_eq!(done.errors(), [(ErrorCode::UnsupportedProtocol, None)]);
        assert_eq!(done.others, [Action::Disconnect]);
        let [ToPage::Failed { text, can_retry: true }] = &done.told[..] else { panic!("{done:?}") };
        assert!(text.starts_with("The server is of another version: "), "{text}");
        assert_eq!(bench.worker.next_timeout(), None);
        bench.now += Duration::from_secs(1);
        assert_eq!(bench.handle(Event::RetryNow).others, [Action::Connect]);
        bench.open();
        assert_eq!(bench.lend(1, 0..5).begun, [(0, 0..1)], "the tab is usable");
    }
}

#[test]
fn a_welcome_from_a_classroom_server_is_ignored() {
    let mut bench = Bench::unnamed(1);
    let (worker, tab) = (None, None);
    bench.handle(Event::Start(Start { worker, tab, allowance: allowance(1, 100) }));
    bench.handle(Event::Opened);
    for text in [r#"{"type":"welcome","text":"hi"}"#.to_owned(), lease(1, 0..5).write()] {
        let done = bench.handle(Event::Text(text));
        assert!(done.others.is_empty(), "{done:?}");
    }
    assert!(bench.receive(&ServerMessage::Heartbeat).sent.is_empty());
}

// ---- What else may happen -------------------------------------------------------------------

#[test]
fn a_slot_whose_program_is_slow_to_start_blames_no_task() {
    let mut bench = Bench::new(1);
    bench.lend(1, 0..5);
    bench.handle(Event::Waits { slot: 0 });
    bench.live_until(DEADLINE_MIN + Duration::from_secs(20));
    // Tried again in vain, it does not wait for longer.
    bench.handle(Event::Waits { slot: 0 });
    assert!(!bench.is_idle(), "it still waits");
    bench.handle(Event::Began { slot: 0 });
    let began = bench.now;
    bench.live_until(began + DEADLINE_MIN - Duration::from_millis(1));
    assert!(!bench.is_idle(), "its time counts from now");
    assert_eq!(bench.compute(0, 0.0).results(), [(1, 0..1)]);

    let mut bench = Bench::new(1);
    bench.lend(1, 0..5);
    bench.handle(Event::Waits { slot: 0 });
    bench.live_until(SLOT_START_MAX - Duration::from_millis(1));
    let done = bench.pass();
    assert_eq!((bench.now, &done.resets[..]), (SLOT_START_MAX, &[0][..]));
    assert_eq!((released(&done), failed(&done).len()), (vec![1], 0));
}

#[test]
fn a_lease_that_came_late_has_its_time_all_the_same() {
    let mut bench = Bench::new(1);
    let text = lease(1, 0..3).write().replace("\"deadline_ms\":10000", "\"deadline_ms\":0");
    assert_eq!(bench.handle(Event::Text(text)).begun, [(0, 0..1)]);
    assert!(bench.handle(Event::Timeout).resets.is_empty());
    assert_eq!(bench.compute(0, 9_000.0).results(), [(1, 0..1)]);
}

#[test]
fn a_pause_does_not_call_a_plain_task_impossible() {
    let mut bench = Bench::unnamed(1);
    let (worker, tab) = (None, None);
    bench.handle(Event::Start(Start { worker, tab, allowance: allowance(1, 100) }));
    bench.handle(Event::Opened);
    let task =
        r#"{"type":"task","op":"repeat_multiply","task_id":1,"initial":3,"factor":2,"times":10}"#;
    bench.handle(Event::Text(task.to_owned()));
    bench.handle(Event::Pause);
    let done = bench.pass();
    assert!(done.sent.is_empty(), "{done:?}");
    assert_eq!(done.told.last(), Some(&ToPage::Paused));
}

#[test]
fn who_is_turned_away_while_it_finishes_can_begin_again() {
    let mut bench = Bench::new(1);
    bench.lend(1, 0..3);
    bench.handle(Event::Finish);
    let done = bench.close(close_code::TURNED_AWAY);
    assert!(matches!(done.told[..], [ToPage::Failed { can_retry: true, .. }, ToPage::Paused]));
    bench.now += Duration::from_secs(1);
    assert_eq!(bench.start(1).others, [Action::Connect]);
}

#[test]
fn who_cannot_compute_stays_so_whatever_the_person_does() {
    let mut bench = Bench::new(1);
    bench.lend(1, 0..3);
    bench.handle(Event::Finish);
    let done = bench.handle(Event::Unable { reason: "no program".to_owned() });
    assert!(matches!(done.told[..], [ToPage::Failed { can_retry: false, .. }]), "{done:?}");
    bench.start(1);
    for event in [Event::Pause, Event::RetryNow, Event::Resume] {
        assert!(bench.handle(event).others.is_empty());
    }
}

#[test]
fn who_was_turned_away_takes_no_cores_when_its_tab_is_back() {
    let (mut bench, _) = in_tab(8);
    bench.close(close_code::TURNED_AWAY);
    bench.handle(Event::Suspend);
    assert!(said(&bench.handle(Event::Resume)).is_empty());
    assert_eq!(said(&bench.handle(Event::RetryNow)), [TabMessage::Here { tab: tab("m") }]);
}

#[test]
fn a_tab_that_vanished_during_a_pause_is_forgotten_and_wakes_nobody() {
    let (mut bench, _) = in_tab(8);
    bench.handle(Event::Pause);
    bench.handle(here("a"));
    bench.now += Duration::from_secs(100);
    let (worker, tab) = (Some("5f0c".to_owned()), Some(tab("m")));
    let start = Start { worker, tab, allowance: allowance(8, 100) };
    let done = bench.handle(Event::Start(start));
    assert!(done.told.contains(&ToPage::Lent { slots: 8, tabs: 1 }), "{done:?}");
    assert!(bench.handle(Event::Opened).others.is_empty(), "the connection is kept");
}

#[test]
fn what_the_old_socket_says_after_sleep_does_not_end_the_new_one() {
    let mut bench = Bench::new(1);
    bench.now += Duration::from_secs(3600);
    let done = bench.close(1006);
    assert_eq!(done.others, [Action::Disconnect, Action::Connect]);
    assert!(bench.handle(Event::Opened).others.is_empty());
}

#[test]
fn a_server_that_says_no_welcome_to_a_session_is_given_up() {
    let mut bench = in_session();
    bench.close(1006);
    bench.pass();
    bench.handle(Event::Opened);
    let opened_at = bench.now;
    loop {
        let done = bench.pass();
        if done.others == [Action::Disconnect] {
            break;
        }
    }
    assert_eq!(bench.now, opened_at + CONNECT_TIMEOUT);
}
