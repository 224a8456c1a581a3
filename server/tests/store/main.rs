//! One suite for every store, and what a store in a file promises beyond it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]
#![allow(clippy::single_range_in_vec_init, reason = "one interval is meant, not its indices")]

mod file;
mod flips;
mod format_1;
mod helpers;
mod inputs;
mod jobs;
mod kernels;
mod model;
mod outcomes;

use inputs::*;
use jobs::*;
use kernels::*;
use outcomes::*;
use tequio::store::{MemoryStore, SqliteStore};

/// Runs every function of the suite on a new store of each kind.
macro_rules! conformance {
    ($($name:ident)*) => {
        mod memory {
            $(#[test]
            fn $name() {
                super::$name(&super::MemoryStore::new());
            })*
        }

        mod sqlite {
            $(#[test]
            fn $name() {
                let dir = tempfile::tempdir().unwrap();
                super::$name(&super::SqliteStore::open(dir.path()).unwrap());
            })*
        }
    };
}

conformance! {
    kernels_are_kept_as_they_were_added
    a_kernel_that_jobs_use_is_not_removed
    data_is_kept_while_a_job_names_it
    a_new_store_has_no_jobs_and_every_load_raises_the_epoch
    jobs_are_kept_as_entered_oldest_first
    a_job_that_is_submitted_at_once_is_as_one_in_two_steps
    a_load_discards_drafts_and_ids_are_never_given_again
    a_discarded_draft_is_gone_and_only_drafts_are_discarded
    a_removed_job_is_gone_at_once_and_only_jobs_that_are_over_are_removed
    what_is_being_removed_takes_no_inputs_and_a_draft_is_not_removed
    states_are_kept_and_set_by_publishing_only_once
    what_is_not_there_is_missing
    drafts_are_missing_to_all_that_is_for_jobs
    inputs_come_back_across_blocks
    inputs_are_appended_right_behind_the_last
    inputs_keep_the_numbers_of_their_lines
    many_jumps_of_lines_are_found_wherever_one_looks
    open_jobs_grow_until_they_are_closed_or_over
    a_job_that_is_set_aside_takes_no_inputs_and_may_be_removed
    when_a_job_was_appended_to_is_kept
    every_kind_of_outcome_comes_back_to_the_bit
    the_first_outcome_stands_and_the_rest_is_recorded
    what_the_server_has_audited_is_counted_with_what_is_recorded
    a_batch_is_all_or_none
    outcomes_and_states_are_written_together_or_not_at_all
    of_a_batch_that_overlaps_itself_the_first_stands
    outcomes_touching_at_their_edges_do_not_overlap
    outcomes_are_clipped_to_the_range
    outcomes_stop_before_too_many_but_give_the_first_run_whole
    jobs_do_not_share_indices
    single_outcomes_are_found_and_gaps_are_known
    a_sample_stops_before_too_much_and_goes_on_where_it_was
    recorded_intervals_are_joined_and_counted
    indices_reach_to_the_largest_and_not_beyond
    readers_see_whole_batches
}
