//! The list of all checks, and the macro that makes a test of each. A new check is written in its room and named here.

/// Makes one test of each check. The argument is an expression that makes a new
/// [`Backend`](crate::ledger::conformance::Backend); with `durable` before it there are also the checks that reopen the
/// ledger.
///
/// The crate that uses it needs tokio with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! ledger_conformance {
    (durable $backend:expr) => {
        $crate::ledger_conformance!($backend);
        $crate::ledger_conformance! { @tests $backend;
            durability {
                reopening_keeps_everything
                incarnation_continues_after_reopening
                orphans_stay_orphaned_after_reopening
                durable_tasks_continue_after_reopening
            }
        }
    };
    ($backend:expr) => {
        $crate::ledger_conformance! { @tests $backend;
            numbers {
                turns_and_task_changes_share_numbers_without_gaps
                readers_see_no_gap_while_many_nodes_write
                users_are_numbered_separately
                refused_writes_take_no_number
                answered_writes_are_readable_on_every_node
                hints_follow_commits
                users_of_different_tenants_share_nothing
            }
            calls {
                call_and_reply_are_two_turns
                second_reply_is_refused
                racing_replies_have_one_winner
                reply_needs_the_holder_of_the_call
                call_is_found_with_its_reply
                reclaimed_call_is_found_with_its_reply
                racing_calls_with_one_id_have_one_winner
                answered_call_is_two_turns
                answered_call_with_an_existing_id_is_refused
                racing_answered_calls_have_one_winner
                existing_ids_are_refused
                stop_of_a_call_is_told_to_its_holder
                stop_of_another_users_call_is_refused
                stop_after_the_reply_is_audited_only
            }
            starts {
                call_its_task_and_its_reply_are_one_write
                queued_task_of_an_answered_call_is_announced
                call_and_its_task_are_one_write
                start_that_is_refused_leaves_no_call
                call_that_exists_is_refused_with_its_task
                racing_calls_with_tasks_have_one_winner
                reply_and_an_end_are_one_write
                reply_with_an_end_that_is_refused_writes_nothing
            }
            tasks {
                task_start_is_an_event
                task_end_writes_result_turn_audit_row_and_two_events
                second_end_is_refused
                racing_ends_have_one_winner
                task_cannot_end_before_its_calls_reply
                start_needs_a_call_of_this_owner_and_holder
                running_task_starts_another
                limit_of_running_tasks_holds_in_races
                progress_is_stored_and_published_without_an_event
                progress_of_other_tasks_is_skipped
                cancel_request_is_stored_once_and_audited_each_time
                cancel_request_of_an_ended_task_is_audited_only
                cancel_request_of_an_unknown_task_writes_nothing
            }
            keys {
                second_start_under_a_key_is_refused
                keys_are_separate_by_owner_and_extension
                every_end_frees_the_key
                racing_starts_under_one_key_have_one_winner
            }
            incarnations {
                earlier_incarnation_is_fenced
                expired_incarnation_is_fenced
                incarnation_that_left_is_fenced
                leaving_ends_no_other_incarnation
                lapsed_lease_can_be_renewed_until_it_is_expired
                renewal_extends_the_lease
                expiring_leases_spares_the_asking_incarnation
                renewal_lists_cancel_requests
                lease_from_before_a_clock_change_lapses_in_time
                live_node_keeps_its_work_when_the_clock_is_set_back
            }
            reclaim {
                orphans_are_calls_before_tasks_oldest_first
                orphans_are_listed_without_expiring_leases
                work_of_a_live_node_is_not_orphaned
                orphaned_work_is_reclaimed_once
                task_is_reclaimed_after_its_call
                racing_reclaimers_have_one_winner
                end_and_reclaim_of_one_task_have_one_winner
                tasks_are_reclaimed_together
                refused_end_stops_no_other
                racing_reclaims_of_many_have_one_winner_each
            }
            reclaim_calls {
                calls_are_reclaimed_together
                refused_reply_stops_no_other
                racing_replies_to_many_have_one_winner_each
                reclaimed_call_announces_its_durable_task
            }
            claims {
                durable_task_starts_in_attempt_1
                claim_takes_ready_tasks_in_order_with_an_event_each
                racing_claims_take_each_task_once
                claim_takes_tasks_of_its_names_only
                refused_task_goes_to_other_programs_only
                task_of_an_unreplied_call_is_not_claimed
                durable_task_without_a_slot_waits_for_one
                claims_hold_the_limit_of_running_tasks
                open_tasks_are_limited
                task_with_a_cancel_request_is_claimed
                unheld_task_keeps_its_key
            }
            attempts {
                earlier_attempt_writes_nothing
                attempt_of_another_incarnation_writes_nothing
                ended_incarnation_writes_no_durable_task
                background_task_is_not_durable
                hand_over_leaves_the_task_for_any_process
                repeated_release_writes_nothing
                resumed_task_starts_another
                absent_parts_of_progress_stay
                each_end_of_an_attempt_is_remembered
                notes_are_kept_with_their_attempt
                cut_off_attempt_ended_with_the_last_sign_of_life
                task_that_ended_without_a_process_has_no_last_attempt
                first_and_latest_attempts_are_kept
            }
            crashes {
                end_of_an_incarnation_queues_its_durable_tasks
                end_of_a_draining_incarnation_is_no_crash
                each_crash_lengthens_the_wait
                stored_step_makes_the_next_crash_the_first
                messages_are_no_progress
                interruption_has_the_time_of_the_last_sign_of_life
                one_suspect_is_claimed_at_a_time
                running_time_is_summed_over_attempts
                running_time_leaves_out_the_waits_of_a_release
                running_time_of_a_lost_attempt_ends_with_its_latest_row
            }
            steps {
                steps_are_kept_in_order
                claim_says_whether_there_are_steps
                steps_come_in_pages
                large_values_are_read_one_by_one
                step_is_stored_once
                message_and_its_step_are_stored_together
                values_of_ended_tasks_are_removed
            }
            effects {
                effects_are_counted
                row_of_an_effect_counts_once
                backlog_counts_unknown_effects_of_unheld_tasks
                end_speaks_of_open_effects
                done_effects_are_progress
                racing_effects_are_counted
            }
            follows {
                task_that_goes_on_inherits_rows
                inherited_rows_are_no_progress
                inherited_open_effects_are_counted
                effects_behind_the_ordinal_are_inherited
                messages_are_inherited_with_their_steps
                answered_questions_are_inherited
                start_that_cannot_follow_writes_nothing
                start_that_follows_needs_the_values
                removed_task_is_not_missed
                racing_starts_that_follow_have_one_winner
                task_that_follows_keeps_the_limits
            }
            documents {
                document_comes_back_as_it_was_written
                another_document_than_expected_is_refused
                versions_never_come_back
                owners_and_extensions_share_no_documents
                document_write_needs_open_work_of_its_owner
                documents_and_their_step_are_stored_together
                repeated_request_writes_once
                racing_writers_lose_no_change
                limits_of_documents_hold_in_races
                operator_writes_are_audited
                expired_documents_are_gone
            }
            document_queries {
                query_returns_its_range_in_order
                pages_of_documents_end_at_rows_and_bytes
                documents_are_read_by_their_ids
                documents_of_other_indexes_are_returned_beside
                keys_are_added_to_those_of_other_programs
                a_document_has_a_limited_number_of_keys
                work_replaces_no_document_of_a_newer_type
                collections_are_listed
            }
            questions {
                question_is_asked
                questions_are_read_by_their_ordinals
                question_needs_the_attempt_and_the_reply
                first_answer_is_the_answer
                racing_answers_have_one_winner
                parked_task_wakes_at_its_time_or_answer
                park_after_the_answer_is_ready_at_once
                park_after_a_cancel_is_ready_at_once
                park_and_answer_lose_no_wake_up
                late_answer_is_refused
                task_closes_its_own_question
                end_withdraws_open_questions
                park_clears_the_counts_of_bad_attempts
                waits_are_no_running_time
                questions_end_with_their_task
            }
            suspects {
                waiting_suspects_hold_up_no_task_of_their_queue
                suspect_takes_its_owners_turn
                owner_of_suspects_only_keeps_its_turn
                crowd_of_suspects_holds_up_no_other_task
                suspects_of_queues_and_others_starve_neither
            }
            queues {
                task_of_a_queue_waits_for_its_slot
                queue_runs_at_most_its_limit_on_all_nodes
                everything_that_stops_a_task_frees_its_slot
                racing_claims_hold_the_limit_of_a_queue
                undeclared_queue_runs_one_task_at_a_time
                queues_have_limits_of_their_own
                task_that_cannot_be_taken_holds_up_no_other
                full_queue_holds_up_no_other_task
                single_claims_starve_no_kind_of_task
                reply_announces_the_tasks_that_wait_for_it
                claim_of_own_tasks_leaves_all_others
                claim_of_own_tasks_holds_the_limits_of_queues
                loads_count_slots_and_ready_tasks
            }
            queue_turns {
                owner_has_at_most_its_share_of_the_slots
                longest_unserved_owner_is_next
                stream_of_new_owners_lets_none_starve
                greedy_owner_delays_another_by_one_task
                woken_tasks_take_their_owners_turn
                places_follow_the_turns
            }
            operators {
                open_work_is_listed_in_pages
                stuck_task_and_suspect_can_be_tried_again
                progress_clears_crashes_for_operators
                stuck_and_paused_tasks_have_no_place
                cancelled_task_is_listed_until_it_is_ended
                paused_and_known_stuck_tasks_are_not_long_stuck
                other_tasks_are_not_tried_again
                paused_tasks_are_not_claimed
                start_under_a_paused_name_waits
            }
            unheld {
                cancel_ends_a_task_that_no_process_holds
                cancel_of_an_unreplied_unheld_task_is_stored
                refused_end_of_a_cancel_leaves_nothing
                cancel_and_claim_have_one_winner
                unheld_task_is_reclaimed
                only_held_tasks_keep_history
            }
            untaken {
                untaken_tasks_become_stuck
                tasks_of_known_names_do_not_become_stuck
                task_is_stuck_when_only_the_program_that_refused_it_runs
                registered_names_go_with_their_incarnation
                mark_begins_the_time_of_a_stuck_task_anew
                tasks_without_a_process_are_announced_once
                tasks_are_announced_a_few_at_once
                tasks_become_stuck_a_few_at_once
                long_stuck_tasks_are_listed
                backlog_counts_stuck_tasks_and_times_ready_ones
            }
            audit {
                injection_writes_a_turn_and_an_audit_row
                injection_needs_work_that_has_not_ended
                injection_needs_the_owner_and_holder_of_the_work
                audit_rows_are_numbered_and_filtered
                audit_rows_are_chained_for_each_owner
                racing_writers_leave_one_chain
            }
            retention {
                old_rows_are_removed_and_young_rows_stay
                default_policy_removes_nothing
                each_kind_of_row_has_its_own_age
                call_is_found_while_its_turn_is_kept
                call_of_a_late_task_is_kept
                unfinished_work_keeps_everything_from_its_call_on
                small_steps_remove_the_same_rows
                audit_chain_holds_after_pruning
                concurrent_pruning_breaks_no_rule
            }
            schedules {
                stored_schedule_comes_back_as_it_was
                version_decides_between_writers_of_a_schedule
                due_schedule_moves_on_with_its_call
                racing_nodes_begin_one_call
                due_schedules_are_the_earliest_of_each_user
                limit_of_schedules_holds_in_races
                schedules_of_others_are_not_written_or_removed
                ended_node_runs_no_schedule
                work_writes_only_its_users_schedules_until_it_ends
                user_is_stored_as_last_seen
                users_who_are_long_gone_are_forgotten
                clock_set_back_makes_no_time_due_again
                schedules_of_jobs_are_apart_from_those_of_users
                work_of_a_job_is_a_call_without_turns
                tasks_of_a_job_outlive_it
                lost_job_is_reclaimed_with_its_schedule
                owners_of_an_app_called_it_or_have_documents
            }
            files {
                file_is_pending_until_it_is_completed
                completing_again_changes_nothing
                files_of_others_do_not_exist
                work_writes_files_until_it_ends
                zombies_complete_no_files
                accepted_call_stores_its_files
                refused_call_stores_no_file
                files_and_their_step_are_stored_together
                limits_of_files_hold_in_races
                deleted_files_count_no_more_and_are_due_later
                pending_files_are_swept_after_a_day
                expired_files_are_gone
                files_are_listed_in_pages
            }
            file_totals {
                totals_of_files_follow_each_change
                totals_of_files_follow_steps
                totals_of_files_are_exact_after_races
            }
            drafts {
                pieces_become_the_text_of_a_draft
                repeated_pieces_are_stored_once_and_gaps_are_skipped
                drafts_of_others_are_not_found
                draft_goes_with_its_work
                zombies_and_ended_work_write_no_drafts
                drafts_of_orphans_stay_until_they_are_reclaimed
                later_attempt_replaces_the_drafts_of_earlier_ones
                drafts_are_published_without_an_event
            }
            secrets {
                stored_secret_comes_back_as_it_was
                version_decides_between_writers
                racing_writers_have_one_winner
                value_that_is_sealed_again_keeps_who_set_it
                secrets_of_others_are_not_found
                removed_secret_is_gone
                work_writes_only_its_users_secrets_until_it_ends
                secrets_under_other_keys_are_listed_in_pages
                fact_keeps_its_first_value
            }
            reads {
                pages_follow_each_other
                turn_is_found_by_its_id
                latest_turns_are_in_order
                running_tasks_are_oldest_first_and_recent_tasks_newest_first
                reads_of_an_unknown_user_are_empty
                writable_ledger_passes_its_check
            }
            bounds {
                page_ends_at_its_byte_limit
                lists_and_events_of_tasks_have_no_results
                stored_bytes_per_day_are_limited
                first_call_over_the_limit_is_refused
                reclaimed_texts_count_as_stored
            }
            texts {
                unusual_texts_round_trip
                json_round_trips
                json_nested_too_deep_is_refused
                names_are_compared_exactly
            }
        }
    };
    (@tests $backend:expr; $($room:ident { $($check:ident)* })*) => {
        $(mod $room {
            #[allow(unused_imports)]
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $check() {
                    $crate::ledger::conformance::$room::$check(&$backend).await;
                }
            )*
        })*
    };
}
