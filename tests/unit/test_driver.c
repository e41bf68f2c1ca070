// SPDX-License-Identifier: Apache-2.0
#include "driver_host.h"
#include "unit.h"
#include <sys/utsname.h>

/* In this order, since later ones use what earlier ones define. */
/* clang-format off */
#include "driver_kernel.inc"
#include "driver_families.inc"
#include "driver_userland.inc"
#include "driver_files.inc"
#include "driver_known.inc"
/* clang-format on */

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(module_version_is_read_in_all_its_spellings),
	cmocka_unit_test(module_without_version_is_an_error),
	cmocka_unit_test(absent_module_is_told_from_other_platforms),
	cmocka_unit_test(texts_for_the_mask_are_read),
	cmocka_unit_test(majors_come_from_proc_devices),
	cmocka_unit_test(gpus_are_in_bus_order),
	cmocka_unit_test(gpu_facts_are_read),
	cmocka_unit_test(gpus_are_read_as_far_as_asked_for),
	cmocka_unit_test(gpu_that_cannot_be_read_stops_those_who_ask_for_it),
	cmocka_unit_test(lost_gpus_alone_are_not_all),
	cmocka_unit_test(hidden_gpus_are_an_error),
	cmocka_unit_test(gpus_that_cannot_be_opened_do_not_count),
	cmocka_unit_test(host_without_gpus_is_fine),
	cmocka_unit_test(mig_instances_are_in_their_order),
	cmocka_unit_test(drm_nodes_are_read_for_graphics_only),
	cmocka_unit_test(captured_host_is_read),
	cmocka_unit_test(nodes_follow_the_capabilities),
	cmocka_unit_test(nodes_are_compared_with_the_drivers_numbers),
	cmocka_unit_test(stale_control_node_is_an_error),
	cmocka_unit_test(families_are_found_by_their_names),
	cmocka_unit_test(absent_families_are_no_error),
	cmocka_unit_test(nodes_of_another_drivers_number_are_refused),
	cmocka_unit_test(channels_are_looked_up_by_number),
	cmocka_unit_test(mig_control_nodes_are_told_apart),
	cmocka_unit_test(missing_nodes_are_made_as_the_driver_would),
	cmocka_unit_test(capabilities_get_the_mode_of_their_own),
	cmocka_unit_test(nodes_are_left_alone_when_the_driver_says_so),
	cmocka_unit_test(pretending_changes_nothing),
	cmocka_unit_test(channels_are_made_up_to_the_drivers_count),
	cmocka_unit_test(what_is_in_a_nodes_way_stays),
	cmocka_unit_test(prepare_makes_and_replaces_nodes),
	cmocka_unit_test(files_are_known_by_their_names),
	cmocka_unit_test(places_of_a_known_file_are_told),
	cmocka_unit_test(prepare_may_only_say_what_it_would_do),
	cmocka_unit_test(control_nodes_alone_are_made),
	cmocka_unit_test(prefix_layout_is_found),
	cmocka_unit_test(usual_directories_are_found),
	cmocka_unit_test(loader_cache_leads_to_any_directory),
	cmocka_unit_test(alternatives_are_followed),
	cmocka_unit_test(large_directories_are_not_read),
	cmocka_unit_test(large_directories_of_links_are_followed),
	cmocka_unit_test(stray_library_hides_no_directory),
	cmocka_unit_test(libraries_of_another_version_are_named),
	cmocka_unit_test(texts_come_with_the_library_that_they_name),
	cmocka_unit_test(libraries_without_a_row_are_found_by_their_version),
	cmocka_unit_test(firmware_is_looked_for_where_the_kernel_was_told),
	cmocka_unit_test(firmware_is_the_file_that_the_kernel_loads),
	cmocka_unit_test(cuda_version_follows_from_the_branch),
	cmocka_unit_test(broken_loader_cache_is_passed_over),
	cmocka_unit_test(configured_directories_come_first),
	cmocka_unit_test(what_one_prefix_lacks_the_drivers_root_may_have),
#if defined(__x86_64__)
	cmocka_unit_test(debians_two_directories_are_one_driver),
#endif
	cmocka_unit_test(absolute_links_stay_in_the_drivers_root),
	cmocka_unit_test(userland_of_another_version_is_named_with_both),
	cmocka_unit_test(version_is_found_behind_alternatives),
	cmocka_unit_test(absent_userland_is_told_with_the_places_searched),
	cmocka_unit_test(absent_driver_root_is_told),
	cmocka_unit_test(capability_needs_its_essential_library),
	cmocka_unit_test(files_follow_the_capabilities),
	cmocka_unit_test(libraries_bring_their_further_links),
	cmocka_unit_test(gl_of_old_drivers_has_its_names),
	cmocka_unit_test(whole_paths_in_texts_become_links),
	cmocka_unit_test(libraries_are_found_by_their_soname),
	cmocka_unit_test(vdpau_may_have_its_own_folder),
	cmocka_unit_test(libraries_of_both_word_sizes_are_told_apart),
	cmocka_unit_test(directory_of_the_other_word_size_is_passed_over),
	cmocka_unit_test(data_files_go_to_their_places),
	cmocka_unit_test(sockets_of_daemons_are_found),
	cmocka_unit_test(cuda_version_is_read_without_compute_too),
	cmocka_unit_test(random_changes_in_proc_are_survived),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
