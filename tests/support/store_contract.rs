//! What every store must do, whatever database is behind it: each function is one promise.

#[path = "store_seed.rs"]
pub(crate) mod seed;

#[path = "store_night.rs"]
pub(crate) mod night;

#[path = "store_claims.rs"]
pub(crate) mod claims;

#[path = "store_files.rs"]
pub(crate) mod files;

#[path = "store_people.rs"]
pub(crate) mod people;

#[path = "store_audit.rs"]
pub(crate) mod audit;

#[path = "store_stories.rs"]
pub(crate) mod stories;

#[path = "store_settlements.rs"]
pub(crate) mod settlements;

#[path = "store_renewals.rs"]
pub(crate) mod renewals;

#[path = "store_sealed.rs"]
pub(crate) mod sealed;

#[path = "store_orders.rs"]
pub(crate) mod intake;

/// Every promise as a test of its own. `$opened` is a function of the test file: it makes a new store, and something
/// that the store lasts no longer than.
macro_rules! contract {
    ($opened:ident) => {
        $crate::store_contract::contract! { $opened
            intake {
                what_intake_writes_it_reads_back,
                a_dropped_unit_of_work_leaves_nothing,
                versions_follow_each_other,
                next_id_skips_ids_in_use,
                a_card_number_exists_once_over_all_institutions,
                r130_one_normal_request_per_plastic_and_event,
                a_status_moves_only_from_where_it_was_read,
                r116_a_lost_card_and_the_one_in_its_place_name_each_other,
                r118_a_number_is_used_once_cancelled_plastics_included,
                a_dossier_holds_the_whole_card,
                r6_due_is_marked_until_the_cut_off_inclusive,
                r8_every_card_has_one_route,
                dossiers_come_in_pages_by_card,
                r36_a_pin_that_no_request_asked_for_is_on_record,
            }
            claims {
                a_claim_freezes_what_was_decided,
                r12_nothing_due_makes_no_file_and_takes_no_number,
                r131_numbers_have_no_gaps,
                a_stopped_claim_leaves_only_its_reason,
                an_agreement_is_claimed_once_a_night,
                an_agreement_stops_before_claiming,
                a_claim_closes_what_needs_no_record,
                a_decision_on_a_request_that_is_not_due_is_refused,
                more_records_than_fit_go_into_several_files_by_sort_key,
                a_file_holds_exactly_as_many_records_as_agreed,
                a_claim_of_many_pages_misses_nothing,
                r120_an_update_after_the_claim_is_not_in_the_file,
                a_later_cut_off_claims_the_same_file_again,
                a_file_taken_back_goes_out_even_empty,
                a_run_that_was_superseded_claims_nothing,
                a_released_item_is_due_again,
                r40_the_first_pin_of_a_request_wins,
                r35_a_stored_pin_is_pinned_as_it_was_decided_on,
                two_pins_for_one_card_get_two_versions,
                r40_a_void_pin_is_on_record_for_nobody_and_its_request_gets_another,
                r32_held_requests_are_claimed_afterwards,
                an_on_demand_run_narrows_to_cards,
            }
            files {
                epochs_grow_and_runs_are_kept,
                a_marker_is_written_once,
                a_probe_is_kept_until_the_next_one,
                an_event_can_be_noted_on_its_own,
                a_file_goes_its_way_and_tells_every_step,
                a_transition_out_of_the_table_is_illegal,
                fault_22_a_stale_epoch_or_state_moves_nothing,
                fault_22_a_run_that_was_overtaken_cannot_write_its_end,
                sealing_counts_the_items,
                a_change_of_another_transition_is_refused,
                a_new_attempt_has_a_new_number_and_renames_from_one,
                a_lost_spool_is_sealed_again_before_any_rename,
                after_a_rename_nothing_is_sealed_again,
                an_abandoned_file_goes_out_empty,
                a_doubtful_file_waits_for_a_person,
            }
            people {
                an_order_is_audited_with_its_transition,
                what_no_transition_brings_along_is_audited_too,
                an_abandoned_file_is_never_filled_again,
                a_resend_leaves_the_file_settled,
                a_resend_waits_for_a_person_too,
                a_resend_is_withdrawn_and_ordered_again,
                fault_22_a_stale_epoch_moves_no_resend,
                r67_r130_a_duplicate_repeats_the_items_and_moves_nothing,
                a_duplicate_lets_items_go_and_their_requests_stay_sent,
                only_a_settled_file_is_duplicated,
            }
            audit {
                a_night_is_entered_step_by_step,
                what_persons_order_stands_in_the_same_chain,
                items_that_leave_a_file_are_entered,
                a_file_that_is_filled_again_or_repeated_has_its_own_digest,
                more_files_than_one_of_a_claim_are_entered_each,
                what_is_entered_alone_tells_no_event,
            }
            stories {
                r54_a_claim_writes_down_what_stays,
                what_stays_is_written_with_its_claim_or_not_at_all,
                every_request_that_stays_is_written,
                a_story_has_the_orders_of_its_card,
                a_story_tells_what_became_of_a_card,
                a_story_follows_a_file_that_is_sent_again,
                a_story_has_every_request_of_its_card,
                ids_are_found_in_every_institution_that_has_them,
                a_story_waits_for_no_writer,
            }
            renewals {
                r110_a_month_is_read_by_the_newest_plastic_in_use,
                r112_a_renewal_makes_marks_closes_and_tells,
                r112_a_card_is_renewed_once,
                r112_two_renewals_at_once_make_one_plastic_each,
                r111_a_card_that_changed_since_it_was_read_is_left_out,
                fault_22_a_run_that_was_superseded_renews_nothing,
                renewals_take_no_plastic_id_that_is_used,
            }
            sealed {
                key_uses_are_counted_by_key_and_by_what_for,
                sealed_values_come_in_pages_by_primary_key,
                a_value_is_replaced_where_it_is_the_one_that_was_read,
                a_rotation_leaves_values_that_open_under_the_new_key_alone,
                a_value_of_another_row_or_under_an_unknown_key_is_told_and_left,
                two_rotations_at_once_do_no_harm,
                a_rotation_that_is_told_to_stop_goes_on_the_next_time,
                a_card_that_is_changed_during_a_rotation_keeps_both_changes,
            }
            settlements {
                r60_nothing_moves_before_the_settlement_and_all_with_it,
                r63_an_active_plastic_closes_the_older_ones_of_its_card,
                r64_r65_a_locked_plastic_leaves_the_older_ones_alone,
                r67_pin_orders_and_reproductions_move_nothing,
                r69_a_plastic_that_is_not_inactive_is_told_and_the_others_move,
                r70_one_event_per_plastic_with_its_record,
                r37_a_night_never_changes_the_pin_status,
                r28_a_letter_with_the_card_supersedes_the_waiting_pin_order,
                r28_without_a_letter_the_pin_order_goes_on_waiting,
                r125_cards_closed_after_the_claim_are_counted,
                fault_8_a_settlement_asked_for_again_tells_the_same,
                a_night_is_done_with_its_last_file,
                r7_institutions_are_apart,
            }
        }
    };
    ($opened:ident $($module:ident { $($promise:ident),+ $(,)? })+) => {
        $(mod $module {
            $(#[tokio::test]
            async fn $promise() {
                let (store, _held) = super::$opened().await;
                $crate::store_contract::$module::$promise(&store).await;
            })+
        })+
    };
}
pub(crate) use contract;
