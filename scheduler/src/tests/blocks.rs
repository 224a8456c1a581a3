//! Jobs whose blocks have several tasks: whatever is lent, answered, tried again or audited is whole blocks.

use super::*;
use tequio_protocol::limits::TASK_ATTEMPTS_MAX;

const BLOCK: u64 = 4;

fn blocks_of(total: u64) -> JobSpec {
    JobSpec { block: BLOCK, ..spec(total) }
}

/// One job of blocks, and workers that are known for [`TASK_TIME`].
fn bench(total: u64, workers: u64) -> Bench {
    let mut bench = Bench::new();
    bench.add_job(JOB, blocks_of(total));
    for id in 1..=workers {
        bench.add_worker(id, 1);
        bench.set_speed(id, TASK_TIME.as_secs_f64());
    }
    bench
}

fn is_whole(range: &Range<u64>, total: u64) -> bool {
    range.start.is_multiple_of(BLOCK) && (range.end.is_multiple_of(BLOCK) || range.end == total)
}

#[test]
fn leases_are_whole_blocks_of_which_the_last_may_be_short() {
    for total in [1, 3, 4, 5, 99, 1001] {
        let mut bench = bench(total, 2);
        let mut lent = 0;
        while !bench.scheduler.is_settled(JOB) {
            for grant in bench.grants() {
                assert!(is_whole(&grant.range, total), "{grant:?}");
                if !grant.is_copy {
                    lent += count(&grant.range);
                }
                bench.answer(&grant).unwrap();
            }
        }
        assert_eq!(lent, total);
    }
}

#[test]
fn a_newcomers_first_lease_is_one_block() {
    let mut bench = Bench::new();
    bench.add_job(JOB, blocks_of(100));
    bench.add_worker(1, 1);
    assert_eq!(bench.grant_to(1).range, 0..BLOCK);
}

#[test]
fn an_answer_that_cuts_a_block_is_out_of_shape() {
    let mut bench = bench(10, 1);
    let grant = bench.grant_to(1);
    assert_eq!(grant.range, 0..10);
    for part in [0..3, 0..5, 0..9] {
        let refusal = bench.send(&grant, part.start, &rights(part.clone()), None).unwrap_err();
        assert!(matches!(refusal.reason, RefusalReason::OutOfShape { .. }), "{part:?}");
        bench.scheduler.workers.get_mut(&worker(1)).unwrap().memory.strikes = 0;
    }
    assert_accepted(&bench.answer_part(&grant, 0..4), 4, 0);
    assert_accepted(&bench.answer_part(&grant, 4..10), 6, 0);
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn one_wrong_task_makes_its_block_wrong_and_what_was_right_before_stays() {
    for wrong in 0..10 {
        let mut bench = bench(10, 1);
        let grant = bench.grant_to(1);
        let mut results = rights(0..10);
        results[wrong as usize] = Number(0.5);
        let refusal = bench.send(&grant, 0, &results, None).unwrap_err();
        let RefusalReason::Wrong { index, .. } = refusal.reason else { panic!("{refusal:?}") };
        assert_eq!(index, wrong);
        let saved: u64 = refusal.saved.fresh.iter().map(|(_, outcomes)| outcomes.len()).sum();
        let lost = (wrong / BLOCK * BLOCK)..(wrong / BLOCK * BLOCK + BLOCK).min(10);
        assert_eq!(saved, 10 - count(&lost), "all of it was audited: {wrong}");
        assert_eq!(bench.pending(JOB), [lost]);
    }
}

#[test]
fn a_block_is_tried_again_alone_and_fails_as_a_whole() {
    let mut bench = bench(10, 1);
    let first = bench.grant_to(1);
    for attempt in 1..=TASK_ATTEMPTS_MAX {
        let grant = if attempt == 1 { first.clone() } else { bench.grant_to(1) };
        if attempt == 1 {
            bench.answer_part(&grant, 0..4).unwrap();
        } else {
            assert_eq!(grant.range, 4..8);
        }
        let answer = bench.fail(&grant, 4);
        let settled = if attempt == TASK_ATTEMPTS_MAX { BLOCK } else { 0 };
        assert_accepted(&answer, settled, 0);
        if attempt == 1 {
            assert_eq!(bench.rest(&first), Some(8..10));
            bench.answer_part(&first, 8..10).unwrap();
        }
        if attempt == TASK_ATTEMPTS_MAX {
            assert_eq!(answer.unwrap().fresh[0].1.failed(), BLOCK);
        }
    }
    assert!(bench.scheduler.is_settled(JOB));
}

#[test]
fn a_failure_names_the_first_task_of_its_block() {
    let mut bench = bench(10, 1);
    let grant = bench.grant_to(1);
    let refusal = bench.fail(&grant, 1).unwrap_err();
    assert!(matches!(refusal.reason, RefusalReason::OutOfShape { .. }), "{refusal:?}");
    assert_accepted(&bench.fail(&grant, 0), 0, 0);
}

#[test]
fn copies_are_whole_blocks_from_the_end() {
    let mut bench = bench(101, 1);
    let original = bench.grant_to(1);
    assert_eq!(original.range, 0..100);
    bench.add_worker(2, 1);
    let rest = bench.grants();
    assert!(rest.iter().all(|grant| is_whole(&grant.range, 101)), "{rest:?}");
    bench.add_worker(3, 1);
    bench.set_speed(3, TASK_TIME.as_secs_f64() * 40.0);
    let copies = bench.grants();
    assert!(copies.iter().any(|grant| grant.is_copy), "{copies:?}");
    assert!(copies.iter().all(|grant| is_whole(&grant.range, 101)), "{copies:?}");
}

#[test]
fn a_short_block_of_a_job_that_may_grow_waits_until_it_is_whole_or_the_job_is_closed() {
    for closes in [false, true] {
        let mut bench = Bench::new();
        bench.add_job(JOB, JobSpec { is_open: true, ..blocks_of(6) });
        bench.add_worker(1, 4);
        assert_eq!(bench.grant_to(1).range, 0..4);
        assert_eq!(bench.grant(), None);
        let total = if closes { 6 } else { 9 };
        bench.act(|scheduler, _| scheduler.grow_job(JOB, total, !closes));
        assert_eq!(bench.grant_to(1).range, 4..total.min(8));
        assert_eq!(bench.grant(), None);
    }
}

#[test]
fn plain_clients_are_given_single_tasks_only() {
    let mut bench = Bench::new();
    bench.add_job(JOB, blocks_of(100));
    bench.add_job(OTHER, spec(100));
    bench.add_plain(1);
    let grant = bench.grant_to(1);
    assert_eq!((grant.job, grant.range), (OTHER, 0..1));
}
