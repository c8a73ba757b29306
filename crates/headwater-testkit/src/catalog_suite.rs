//! The contract of the catalog port as cases that every catalog has to pass, one test each.
//!
//! A catalog's tests say how to make one, and get a test for every case:
//!
//! ```ignore
//! async fn make(clock: Arc<ManualClock>) -> (Arc<dyn Catalog>, impl Drop) { … }
//! headwater_testkit::catalog_suite!(make);
//! ```
//!
//! What `make` returns beside the catalog is kept until the case is over: the folder that the catalog is in.
//!
//! A catalog for which each case would start a server of its own takes [`catalog_cases!`] instead, and runs them in one
//! test.

use std::pin::Pin;

use headwater_ports::catalog::CatalogError;

pub mod archiving;
pub mod claiming;
pub mod healing;
pub mod queueing;
pub mod reading;
pub mod replacing;
pub mod results;
pub mod scene;
pub mod steering;
pub mod submitting;

/// A case that runs on whatever catalog its scene has.
pub type Case = fn(scene::Scene) -> Pin<Box<dyn Future<Output = Result<(), CatalogError>> + Send>>;

/// All cases with their names: `Vec<(&str, Case)>`.
#[macro_export]
macro_rules! catalog_cases {
    () => {
        $crate::catalog_suite! { @all @list }
    };
}

/// Makes a test of every case. The argument is the path of an async function from `Arc<ManualClock>` to
/// `(Arc<dyn Catalog>, guard)`.
#[macro_export]
macro_rules! catalog_suite {
    ($make:path) => {
        $crate::catalog_suite! { @all @tests $make; }
    };
    (@all @$what:ident $($make:path;)?) => {
        $crate::catalog_suite! {
            @$what $($make;)?
            submitting {
                a_new_title_is_queued_as_v1
                a_title_in_the_making_is_left_alone
                a_rejected_master_is_looked_at_again
                a_failed_title_resumes_with_what_is_done
                a_resumed_task_has_all_its_tries
                a_failed_proof_resumes_with_verify
                a_failed_publication_resumes_with_its_proof
                a_master_that_changed_starts_over_as_the_next_version
                again_makes_a_new_version_of_a_failed_title
                a_better_master_gives_up_the_one_in_the_making
                packages_of_a_title_are_published_in_order
                live_stays_while_the_next_version_is_made
                a_known_master_goes_back_to_its_version
                a_title_cannot_go_back_to_what_was_never_published
                tenants_do_not_see_each_other
                a_number_that_is_taken_is_not_given_again
            }
            claiming {
                nothing_is_due_in_an_empty_queue
                two_claimers_of_one_task
                many_claimers_get_disjoint_tasks
                roles_are_respected
                the_oldest_title_and_audio_come_first
                healing_and_new_titles_do_not_wait_for_each_other
                an_expired_lease_is_free_again
                a_heartbeat_keeps_the_lease
                a_heartbeat_after_expiry_is_refused
                a_released_try_does_not_count
                dead_workers_do_not_count_as_failures
                a_task_that_outlives_too_many_workers_fails
                all_leases_end_at_once
                one_task_at_a_time_touches_the_pointers_of_a_title
            }
            healing {
                findings_open_incidents_and_looks_close_them
                an_incident_remembers_what_it_took_to_find_it
                many_findings_are_one_incident
                pointers_of_another_version_are_no_incident
                what_a_proof_misses_is_made_again_before_the_next_proof
                a_proof_that_never_succeeds_ends
                a_lost_playlist_takes_sealing_only
                a_published_title_is_healed_while_viewers_have_it
                what_cannot_be_healed_leaves_the_title_as_it_is
                a_lost_inventory_is_counted_again_and_has_to_be_the_same
                healing_starts_with_all_its_tries
                a_title_is_taken_over_as_it_was_found
                viewers_can_be_given_an_older_version_again
                a_version_that_is_deleted_is_condemned_before
                a_title_that_is_worked_on_is_not_condemned
            }
            queueing {
                an_urgent_title_comes_first
                tenants_share_what_there_is
                a_backlog_of_one_tenant_does_not_starve_another
                work_goes_to_those_who_can_do_it
                a_known_title_keeps_its_priority
                what_is_made_again_keeps_its_pool
            }
            steering {
                a_held_title_begins_nothing
                what_has_to_be_looked_at_is_held
                a_title_that_is_cancelled_ends_and_can_be_ingested_again
                cancelling_healing_leaves_viewers_what_they_have
                orders_that_make_no_sense_are_refused
                a_waiting_task_can_be_tried_at_once
                a_failed_task_takes_its_title_on
                a_cancelled_task_ends_its_package
                tasks_are_listed_by_state
                workers_come_and_go
                two_workers_of_one_name_are_told_apart
                one_process_has_a_duty
                many_want_a_duty_at_once
                a_duty_goes_over_when_its_holder_falls_silent
                a_duty_that_is_left_is_free
            }
            archiving {
                a_master_is_archived_beside_its_title
                an_archive_that_is_away_does_not_touch_the_title
                the_end_of_a_title_leaves_its_archiving_alone
                a_master_is_archived_once_at_a_time
                archiving_that_kills_its_workers_ends_alone
                masters_are_listed_with_their_copies
                a_copy_that_was_found_is_not_proven
                a_path_is_remembered_with_what_was_there
                a_task_knows_the_master_of_its_own_version
                a_title_that_resumes_leaves_its_archiving_alone
            }
            replacing {
                the_heal_task_knows_what_came_out_otherwise
                a_new_version_takes_the_place_of_what_is_lost
                a_version_is_replaced_once
                a_title_that_is_cut_otherwise_is_made_as_a_whole
                healing_an_older_version_leaves_no_incident_of_it
                what_is_wrong_with_a_masters_copy_is_settled_by_no_version
            }
            results {
                a_title_goes_all_the_way
                what_prepare_found_is_kept
                a_result_with_a_stale_token_is_refused
                a_result_after_expiry_is_refused
                completing_twice_is_refused
                a_span_cannot_prove_a_package
                a_failure_waits_before_the_next_try
                a_title_fails_when_the_tries_are_used_up
                an_origin_that_is_away_is_waited_for
                a_bad_master_is_not_tried_again
                an_end_cancels_what_is_under_way
                last_words_are_those_of_the_last_failure
                objects_are_replaced_by_path
                objects_vanish_when_the_package_is_published
                a_publication_knows_which_proof_is_fresh
            }
            reading {
                what_nobody_knows_is_nothing
                progress_counts_unfinished_spans
                titles_are_listed_newest_first
                a_package_knows_how_it_came_about
                a_master_is_recognised
                files_are_known_by_size_and_time
                a_profile_is_that_of_its_settings
                holdings_are_in_key_order
                a_checkpoint_is_kept_until_it_is_forgotten
            }
        }
    };
    (@list $($part:ident { $($case:ident)* })*) => {
        vec![$($(
            (
                concat!(stringify!($part), "::", stringify!($case)),
                (|scene| Box::pin($crate::catalog_suite::$part::$case(scene))) as $crate::catalog_suite::Case,
            ),
        )*)*]
    };
    (@tests $make:path; $($part:ident { $($case:ident)* })*) => {
        $($(
            #[tokio::test]
            async fn $case() {
                let clock = std::sync::Arc::new($crate::clock::ManualClock::default());
                let (catalog, _kept) = $make(clock.clone()).await;
                let scene = $crate::catalog_suite::scene::Scene { catalog, clock };
                $crate::catalog_suite::$part::$case(scene).await.expect("the catalog does as it is asked");
            }
        )*)*
    };
}

#[cfg(test)]
mod tests;
