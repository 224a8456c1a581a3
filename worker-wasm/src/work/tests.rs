use crate::backoff::SplitMix64;
use crate::bench::{Bench, allowance, input, lease, lease_of, lease_of_total};
use crate::worker::{Action, Event, Start};
use std::time::Duration;
use tequio_protocol::ids::WorkerId;
use tequio_protocol::limits::{
    FRAME_RESULTS_MAX, HEARTBEAT, HEARTBEAT_SILENCE_MAX, INTEGER_MAX, PROGRESS_INTERVAL,
};
use tequio_protocol::message::{
    ErrorCode, Lease, LeaseInputs, PROTOCOL, ServerMessage, Welcome, WorkerMessage, close_code,
};
use tequio_protocol::op;
use tequio_protocol::page::ToPage;

#[test]
fn hello_is_said_only_by_who_has_a_name() {
    let mut bench = Bench::unnamed(3);
    bench.handle(Event::Start(Start { worker: None, tab: None, allowance: allowance(1, 100) }));
    assert!(bench.handle(Event::Opened).sent.is_empty());

    let known = op::ALL.iter().map(|op| op.name()).chain([op::kernel::SKILL]);
    let known: Vec<&str> = known.collect();
    assert!(known.contains(&"repeat_multiply"));
    let mut bench = Bench::unnamed(3);
    bench.start(3);
    for _ in 0..3 {
        let sent = bench.handle(Event::Opened).sent;
        let [WorkerMessage::Hello(hello)] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!((hello.protocol, hello.slots), (PROTOCOL, 3));
        assert_eq!((&*hello.agent, &*hello.worker), ("Test/1.0", "5f0c"));
        assert_eq!(hello.ops, known);
        bench.close(1006);
        bench.pass();
    }
    // One that cannot get their code says so, and is lent none.
    let mut bench = Bench::unnamed(3);
    bench.worker.compute_no_kernels();
    bench.start(3);
    let sent = bench.handle(Event::Opened).sent;
    let [WorkerMessage::Hello(hello)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(hello.ops, known[..known.len() - 1]);
}

#[test]
fn pieces_grow_until_they_take_their_time_and_results_come_in_order() {
    for (id, task_ms, sizes) in [
        (1, 1.0, [1, 16, 250]),
        (2, 10.0, [1, 16, 25]),
        (3, 0.001, [1, 16, 256]),
        (4, 900.0, [1, 1, 1]),
    ] {
        let mut bench = Bench::new(1);
        let begun = bench.lend(id, 100..1100).begun;
        assert_eq!(begun, [(0, 100..101)]);
        let (mut next, mut found) = (100, Vec::new());
        while !bench.is_idle() {
            let done = bench.compute(0, task_ms);
            let [(lease, range)] = &done.results()[..] else { panic!("{done:?}") };
            assert_eq!((*lease, range.start), (id, next));
            found.push(range.end - range.start);
            next = range.end;
        }
        assert_eq!(next, 1100);
        assert_eq!(found[..3], sizes, "{task_ms} ms a task");
    }
}

#[test]
fn a_piece_is_no_more_than_a_frame_of_results() {
    let mut bench = Bench::new(1);
    bench.lend(1, 0..65_536);
    let mut largest = 0;
    while !bench.is_idle() {
        let count = bench.pieces[0].as_ref().unwrap().count;
        largest = largest.max(count);
        bench.compute(0, 0.0);
    }
    assert_eq!(largest, FRAME_RESULTS_MAX as u64);
}

#[test]
fn what_is_known_of_a_job_counts_for_its_next_lease() {
    let mut bench = Bench::new(1);
    bench.lend(1, 0..17);
    bench.compute(0, 1.0);
    bench.compute(0, 1.0);
    assert_eq!(bench.lend(2, 500..1000).begun, [(0, 500..750)]);
    let inputs = LeaseInputs::List((0..9).map(|_| input(0)).collect());
    let other = bench.receive(&ServerMessage::Lease(lease_of(3, 2, 0..9, inputs)));
    assert!(other.begun.is_empty());
    bench.revoke(2);
    assert_eq!(bench.compute(0, 1.0).begun, [(0, 0..1)], "another job begins with one task");
}

#[test]
fn as_many_leases_are_computed_at_once_as_there_are_slots() {
    let mut bench = Bench::new(3);
    for id in 0..6 {
        let begun = bench.lend(id, id * 10..id * 10 + 2).begun;
        let expected: Vec<_> =
            (id < 3).then(|| (id as usize, id * 10..id * 10 + 1)).into_iter().collect();
        assert_eq!(begun, expected);
    }
    assert_eq!(bench.compute(1, 1.0).results(), [(1, 10..11)]);
    let done = bench.compute(1, 1.0);
    assert_eq!(done.results(), [(1, 11..12)]);
    assert_eq!(done.begun, [(1, 30..32)], "the next one that waits");
    assert_eq!(bench.compute(0, 1.0).begun, [(0, 1..2)]);
    assert_eq!(bench.compute(2, 1.0).begun, [(2, 21..22)]);
    assert_eq!(bench.compute(2, 1.0).begun, [(2, 40..42)]);
    assert_eq!(bench.compute(0, 1.0).begun, [(0, 50..52)]);
    for slot in [0, 1] {
        let told = bench.compute(slot, 1.0).told;
        assert!(told.contains(&ToPage::Idle { slot: slot as u32 }));
    }
    assert!(bench.compute(2, 1.0).told.contains(&ToPage::Idle { slot: 2 }));
}

#[test]
fn of_a_failed_piece_only_the_task_at_fault_is_reported() {
    for culprits in [vec![1], vec![9], vec![16], vec![1, 2, 16], (1..17).collect()] {
        let mut bench = Bench::new(1);
        bench.lend(1, 0..40);
        bench.compute(0, 1.0);
        let done = bench.fail(0);
        assert_eq!(done.begun, [(0, 1..2)], "one by one");
        assert!(done.sent.is_empty());
        let (mut settled, mut failed) = (vec![0], Vec::new());
        while let Some(piece) = &bench.pieces[0] {
            let (first, count) = (piece.first, piece.count);
            assert!(count == 1 || first >= 17, "{first} and {count} more");
            let done =
                if culprits.contains(&first) { bench.fail(0) } else { bench.compute(0, 1.0) };
            for message in &done.sent {
                match message {
                    WorkerMessage::Failed(task) => {
                        assert_eq!((task.lease.0, &*task.error), (1, "trap"));
                        failed.push(task.index);
                    }
                    WorkerMessage::Results(_) => {}
                    other => panic!("{other:?}"),
                }
                let next = settled.last().unwrap() + 1;
                settled.extend(next..next + if first < 17 { 1 } else { count });
            }
        }
        assert_eq!(failed, culprits);
        assert_eq!(settled, (0..40).collect::<Vec<_>>());
    }
}

/// Leases of a job of 1000 tasks, the last of which ends with a short block.
const PARTS: [std::ops::Range<u64>; 3] = [0..256, 256..960, 960..1000];

fn lend_blocks(bench: &mut Bench, block: u64) {
    for (id, range) in (1..).zip(PARTS) {
        let lease = Lease { block, ..lease_of_total(id, range, 1000) };
        bench.receive(&ServerMessage::Lease(lease));
    }
}

/// Whatever happens, in any order: what a worker begins and answers is whole blocks, each task has one outcome,
/// in order, and of a piece that fails only the block at fault is named.
#[test]
fn whole_blocks_are_computed_and_answered_whatever_happens() {
    for (block, seed) in
        [1, 4, 64].into_iter().flat_map(|block| (1..100).map(move |seed| (block, seed)))
    {
        let mut random = SplitMix64(seed);
        let mut below = |end: usize| (random.unit() * end as f64) as usize;
        let mut bench = Bench::new(2);
        bench.handle(Event::Allow(allowance(2, [100, 40][below(2)])));
        let culprits: Vec<u64> = (0..1000 / block).filter(|_| below(40) == 0).collect();
        lend_blocks(&mut bench, block);
        let mut next = PARTS.map(|part| part.start);
        let mut failed = Vec::new();
        let is_whole = |at: u64| at.is_multiple_of(block) || at == 1000;
        while next != PARTS.map(|part| part.end) {
            let slot = below(2);
            let done = match bench.pieces[slot].clone() {
                Some(piece) => {
                    let end = piece.first + piece.count;
                    assert!(is_whole(piece.first) && is_whole(end), "{piece:?}");
                    let mut blocks = piece.first / block..end.div_ceil(block);
                    match blocks.any(|block| culprits.contains(&block)) {
                        true => bench.fail(slot),
                        false => bench.compute(slot, [0.01, 1.0, 4.0][below(3)]),
                    }
                }
                None if bench.is_idle() => bench.pass(),
                None => continue,
            };
            assert!(done.errors().is_empty(), "{done:?}");
            let ends =
                done.results().into_iter().chain(done.sent.iter().filter_map(
                    |message| match message {
                        WorkerMessage::Failed(task) => {
                            failed.push(task.index / block);
                            Some((task.lease.0, task.index..(task.index + block).min(1000)))
                        }
                        _ => None,
                    },
                ));
            for (lease, range) in ends {
                let next = &mut next[lease as usize - 1];
                assert_eq!(range.start, *next, "block {block}, seed {seed}");
                assert!(is_whole(range.end), "{range:?} of {block}");
                *next = range.end;
            }
        }
        failed.sort_unstable();
        assert_eq!(failed, culprits, "block {block}, seed {seed}");
    }
}

#[test]
fn pieces_grow_by_whole_blocks() {
    for (task_ms, sizes) in [(1.0, [64, 192, 192]), (10.0, [64, 64, 64]), (0.1, [64, 1024, 2496])] {
        let mut bench = Bench::new(1);
        let begun = bench.receive(&ServerMessage::Lease(Lease {
            block: 64,
            ..lease_of_total(1, 64..6464, 10_000)
        }));
        assert_eq!(begun.begun, [(0, 64..128)]);
        let found = sizes.map(|_| bench.compute(0, task_ms).results()[0].1.clone());
        assert_eq!(found.map(|range| range.end - range.start), sizes, "{task_ms} ms a task");
    }
}

#[test]
fn an_input_that_cannot_be_read_is_that_tasks_error_and_stops_nothing() {
    let mut bench = Bench::new(1);
    let inputs = [r#"{"n":27}"#, r#"{"n":0}"#, "[1]", r#"{"n":12327829503}"#, r#"{"n":1}"#];
    let inputs = LeaseInputs::List(inputs.into_iter().collect());
    let op = op::named("collatz").unwrap();
    let lease = Lease { op, block: 8, ..lease_of(1, 1, 8..13, inputs) };
    assert_eq!(bench.receive(&ServerMessage::Lease(lease)).begun, [(0, 8..13)]);
    let done = bench.compute(0, 1.0);
    let [WorkerMessage::Results(results)] = &done.sent[..] else { panic!("{done:?}") };
    assert_eq!(results.outcomes.results().json(), "[111,null,null,null,0]");
    let errors: Vec<_> =
        results.outcomes.errors().iter().map(|(place, said)| (*place, &**said)).collect();
    let [(1, bad), (2, foreign), (3, large)] = errors[..] else { panic!("{errors:?}") };
    assert!(bad.contains("n must be a whole number from 1 to"), "{bad}");
    assert!(foreign.contains("expected an object"), "{foreign}");
    assert_eq!(large, "a value on its way does not fit into 64 bits");
    let Some(ToPage::Results { text, result, last: 12, .. }) = done.told.first() else {
        panic!("{done:?}")
    };
    assert_eq!((&**text, &**result), ("n = 1", "0"));
}

#[test]
fn a_revoked_lease_is_dropped_whether_it_waits_or_runs() {
    let mut bench = Bench::new(1);
    bench.lend(1, 0..40);
    bench.lend(2, 40..80);
    assert!(bench.revoke(2).sent.is_empty());
    assert!(bench.revoke(99).sent.is_empty());
    bench.lend(3, 80..120);
    bench.revoke(1);
    assert!(!bench.is_idle(), "what is computed cannot be interrupted");
    let done = bench.compute(0, 1.0);
    assert!(done.sent.is_empty(), "{done:?}");
    assert_eq!(done.begun, [(0, 80..81)]);
    bench.revoke(3);
    let done = bench.fail(0);
    assert!(done.sent.is_empty() && bench.is_idle());
    assert!(done.told.contains(&ToPage::Idle { slot: 0 }));
}

#[test]
fn more_leases_than_two_a_slot_are_refused_by_their_number() {
    let mut bench = Bench::new(2);
    for id in 0..4 {
        assert!(bench.lend(id, id * 10..id * 10 + 10).errors().is_empty());
    }
    let refused = [(ErrorCode::TooManyLeases, Some(4))];
    assert_eq!(bench.lend(4, 40..50).errors(), refused);
    bench.revoke(0);
    assert!(bench.lend(5, 50..60).errors().is_empty(), "what is revoked does not count");
    assert_eq!(bench.lend(4, 40..50).errors(), refused);
}

#[test]
fn a_bad_lease_is_answered_and_the_others_go_on() {
    let mut bench = Bench::new(1);
    bench.lend(1, 0..10);
    let whole = lease(3, 0..10).write();
    for (from, to, lease) in [
        ("0,\"count\":10,", "0,\"count\":0,", Some(3)),
        ("0,\"count\":10,", "0,\"count\":-1,", Some(3)),
        ("\"first\":0", "\"first\":9007199254740991", Some(3)),
        ("repeat_multiply", "mine_bitcoin", Some(3)),
        ("\"grid\"", "\"mesh\"", Some(3)),
        ("\"lease\":3", "\"lease\":\"3\"", None),
    ] {
        assert!(whole.contains(from), "{whole}");
        let done = bench.handle(Event::Text(whole.replace(from, to)));
        assert_eq!(done.errors(), [(ErrorCode::BadLease, lease)], "{to}");
        assert!(done.begun.is_empty());
    }
    assert_eq!(bench.compute(0, 1.0).results(), [(1, 0..1)]);
}

#[test]
fn progress_is_said_of_leases_of_which_nothing_was_sent_for_a_while() {
    let mut bench = Bench::new(1);
    bench.lend(1, 0..10);
    bench.now += Duration::from_secs(1);
    bench.lend(2, 10..20);
    assert_eq!(bench.worker.next_timeout(), Some(PROGRESS_INTERVAL));
    bench.now = PROGRESS_INTERVAL - Duration::from_millis(1);
    assert!(bench.handle(Event::Timeout).sent.is_empty());
    assert_eq!(bench.pass().progress(), [1]);
    assert_eq!(bench.pass().progress(), [2], "what waits is held too");
    assert_eq!(bench.now, PROGRESS_INTERVAL + Duration::from_secs(1));
    bench.now += Duration::from_secs(2);
    bench.compute(0, 1.0);
    let answered_at = bench.now;
    assert_eq!(bench.pass().progress(), [2]);
    assert_eq!(bench.pass().progress(), [1]);
    assert_eq!(bench.now, answered_at + PROGRESS_INTERVAL);
    bench.revoke(1);
    bench.revoke(2);
    bench.pass();
    assert!(bench.is_idle(), "what is revoked is ended soon");
    assert_eq!(bench.worker.next_timeout(), Some(HEARTBEAT), "nothing to report");
}

#[test]
fn a_worker_says_that_it_is_there_and_gives_up_after_silence() {
    let mut bench = Bench::new(1);
    for _ in 0..10 {
        let before = bench.now;
        let done = bench.pass();
        assert_eq!(done.sent, [WorkerMessage::Heartbeat]);
        assert_eq!(bench.now, before + HEARTBEAT);
        assert!(bench.receive(&ServerMessage::Heartbeat).sent.is_empty());
    }
    let heard_at = bench.now;
    assert_eq!(bench.pass().sent, [WorkerMessage::Heartbeat]);
    assert_eq!(bench.pass().sent, [WorkerMessage::Heartbeat]);
    let done = bench.pass();
    assert_eq!(bench.now, heard_at + HEARTBEAT_SILENCE_MAX);
    assert_eq!(done.others, [Action::Disconnect]);
    let [ToPage::Disconnected { reason, .. }] = &done.told[..] else { panic!("{done:?}") };
    assert_eq!(reason, "nothing heard for 35 s");
    assert_eq!(bench.pass().others, [Action::Connect]);
}

#[test]
fn anything_that_arrives_is_a_sign_of_life() {
    let mut bench = Bench::new(1);
    for at in 1..20 {
        bench.now = at * (HEARTBEAT_SILENCE_MAX - Duration::from_millis(1));
        let event = match at % 3 {
            0 => Event::Text("rubbish".to_owned()),
            1 => Event::Binary { bytes: 1 },
            _ => Event::Text(r#"{"type":"heartbeat"}"#.to_owned()),
        };
        bench.handle(event);
        assert!(bench.handle(Event::Timeout).others.is_empty(), "given up");
    }
}

#[test]
fn without_a_welcome_there_are_no_heartbeats_and_no_silence() {
    let mut bench = Bench::unnamed(1);
    bench.handle(Event::Start(Start { worker: None, tab: None, allowance: allowance(1, 100) }));
    bench.handle(Event::Opened);
    assert_eq!(bench.worker.next_timeout(), None);
    bench.now += Duration::from_secs(3600);
    let done = bench.handle(Event::Timeout);
    assert!(done.sent.is_empty() && done.others.is_empty(), "{done:?}");
}

#[test]
fn whatever_interval_a_server_asks_for_it_is_not_given_up() {
    for heartbeat_s in [0, 1, 14, 15, 16, 35, 3600, INTEGER_MAX, u64::MAX] {
        let mut bench = Bench::new(1);
        bench.now += Duration::from_secs(5);
        let welcome = Welcome {
            protocol: PROTOCOL,
            worker_id: WorkerId(7),
            heartbeat_s,
            session: None,
            resumed: false,
        };
        bench.receive(&ServerMessage::Welcome(welcome));
        for _ in 0..100 {
            let before = bench.now;
            assert_eq!(bench.pass().sent, [WorkerMessage::Heartbeat], "{heartbeat_s}");
            let every = Duration::from_secs(heartbeat_s.clamp(1, HEARTBEAT.as_secs()));
            assert_eq!(bench.now, before + every);
            bench.receive(&ServerMessage::Heartbeat);
        }
    }
}

#[test]
fn results_of_a_lost_connection_are_never_sent() {
    let mut bench = Bench::new(2);
    for id in 0..4 {
        bench.lend(id, id * 10..id * 10 + 5);
    }
    bench.close(1006);
    assert!(bench.compute(0, 1.0).sent.is_empty(), "while there is no connection");
    bench.pass();
    bench.open();
    assert_eq!(bench.lend(7, 70..75).begun, [(0, 70..71)]);
    assert!(bench.lend(8, 80..85).begun.is_empty(), "slot 1 is busy still");
    let done = bench.compute(1, 1.0);
    assert!(done.sent.is_empty(), "it was for the lost connection");
    assert_eq!(done.begun, [(1, 80..81)]);
    assert_eq!(bench.compute(0, 1.0).results(), [(7, 70..71)]);
    bench.close(1006);
    bench.pass();
    bench.open();
    assert!(bench.fail(0).sent.is_empty(), "nor failures");
    assert!(bench.compute(1, 1.0).sent.is_empty());
    assert!(bench.is_idle());
}

#[test]
fn a_worker_that_is_turned_away_ends_until_a_person_asks_again() {
    let mut bench = Bench::new(1);
    bench.lend(1, 0..5);
    let done = bench.close(close_code::TURNED_AWAY);
    assert_eq!(done.others, [Action::Disconnect]);
    let [ToPage::Failed { text, .. }] = &done.told[..] else { panic!("{done:?}") };
    assert_eq!(text, "The server has turned this worker away: no");
    assert_eq!(bench.worker.next_timeout(), None);
    bench.now += Duration::from_secs(3600);
    for event in [
        Event::Timeout,
        Event::Opened,
        Event::Text(lease(2, 0..5).write()),
        Event::Closed { code: 1006, reason: String::new() },
    ] {
        let done = bench.handle(event.clone());
        assert!(done.sent.is_empty() && done.begun.is_empty(), "{event:?}: {done:?}");
        assert!(done.others.is_empty() && done.told.is_empty(), "{event:?}: {done:?}");
    }
    assert!(bench.is_idle(), "its slots are ended");
    assert_eq!(bench.handle(Event::RetryNow).others, [Action::Connect]);
    bench.open();
    assert_eq!(bench.lend(3, 0..5).begun, [(0, 0..1)]);
}

#[test]
fn other_close_codes_are_followed_by_another_attempt() {
    for code in [1000, 1001, 1006, 1011, close_code::SLOW, close_code::NOISE, 4999] {
        let mut bench = Bench::new(1);
        assert_eq!(bench.close(code).others, [Action::Disconnect]);
        assert_eq!(bench.pass().others, [Action::Connect], "{code}");
    }
}
