# Tests of the launcher layer, one program for each subject.

add_library(syncspawn_launched_support STATIC support/launched.cpp)
syncspawn_target(syncspawn_launched_support)
target_include_directories(syncspawn_launched_support PRIVATE
    "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}")
target_link_libraries(syncspawn_launched_support PUBLIC syncspawn::launcher syncspawn_test_support)

syncspawn_add_helper(await_signal)
syncspawn_add_helper(launch_descriptors)
syncspawn_add_helper(launch_readiness LIBRARIES syncspawn::barrier)
syncspawn_add_helper(launch_meets LIBRARIES syncspawn::barrier)
add_executable(helper_launch_meets_in_c helpers/launch_meets_in_c.c)
syncspawn_target(helper_launch_meets_in_c)
target_link_libraries(helper_launch_meets_in_c PRIVATE syncspawn::barrier)
set_target_properties(helper_launch_meets_in_c PROPERTIES
    OUTPUT_NAME launch_meets_in_c
    LINKER_LANGUAGE CXX
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/helpers")

# syncspawn_add_launcher_test(<subject> [<helper>...]): the file <subject>_test.cpp.
function(syncspawn_add_launcher_test subject)
    syncspawn_add_test(${subject}
        SOURCES ${subject}_test.cpp
        LIBRARIES syncspawn_launched_support
        LABELS unit
        HELPERS ${ARGN})
endfunction()

syncspawn_add_launcher_test(schedule)
syncspawn_add_launcher_test(spawn_options launch_descriptors)
syncspawn_add_launcher_test(step)
syncspawn_add_launcher_test(step_failure)
syncspawn_add_launcher_test(spawn_error)
syncspawn_add_launcher_test(spawn_error_execve)
syncspawn_add_launcher_test(hints)
syncspawn_add_launcher_test(waiting)
syncspawn_add_launcher_test(unkillable)
syncspawn_add_launcher_test(spawn_error_readiness launch_readiness)
syncspawn_add_launcher_test(environment)
syncspawn_add_launcher_test(exit_status)
syncspawn_add_launcher_test(process)
syncspawn_add_launcher_test(process_copy)
syncspawn_add_launcher_test(process_ending await_signal)
syncspawn_add_launcher_test(hand_over_launch
    launch_meets launch_meets_in_c launch_readiness)
syncspawn_add_launcher_test(launch_allocation)
syncspawn_add_launcher_test(child_c_library)
syncspawn_add_launcher_test(timeline_clock)
syncspawn_add_launcher_test(exec_search)
syncspawn_add_launcher_test(child_refusals)
syncspawn_add_launcher_test(launch_death launch_meets)
syncspawn_add_launcher_test(launch_safety launch_descriptors launch_meets)
syncspawn_add_launcher_test(launch_hostile)
syncspawn_add_launcher_test(placement)
syncspawn_add_launcher_test(cgroup_limits)
syncspawn_add_launcher_test(start_limits)
syncspawn_add_launcher_test(die_with_parent)
syncspawn_add_launcher_test(launch launch_meets launch_readiness)
# A plug-in that swallows the library and shows nothing of it: the unique symbols of the C++ library,
# where it shows them, would keep it loaded by themselves.
add_library(plugin_launches MODULE helpers/plugin_launches.cpp)
syncspawn_target(plugin_launches)
set_target_properties(plugin_launches PROPERTIES
    PREFIX ""
    LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/helpers")
target_link_libraries(plugin_launches PRIVATE syncspawn::launcher)
target_link_options(plugin_launches PRIVATE
    "LINKER:--version-script=${CMAKE_CURRENT_SOURCE_DIR}/helpers/plugin_launches.map")
syncspawn_add_launcher_test(plugin)
add_dependencies(test_plugin plugin_launches)
syncspawn_add_launcher_test(open_descriptors launch_descriptors launch_readiness)

# A program under the thread sanitizer, with a library that is not.
if(NOT SYNCSPAWN_SANITIZE)
    include(CheckCXXSourceCompiles)
    set(CMAKE_REQUIRED_FLAGS -fsanitize=thread)
    check_cxx_source_compiles("int main() {}" SYNCSPAWN_HAS_THREAD_SANITIZER)
    unset(CMAKE_REQUIRED_FLAGS)
endif()
if(SYNCSPAWN_HAS_THREAD_SANITIZER AND NOT SYNCSPAWN_SANITIZE)
    syncspawn_add_helper(launches_under_thread_sanitizer LIBRARIES syncspawn::launcher)
    target_compile_options(helper_launches_under_thread_sanitizer PRIVATE -fsanitize=thread)
    target_link_options(helper_launches_under_thread_sanitizer PRIVATE -fsanitize=thread)
    syncspawn_register_test(thread_sanitizer_in_the_program
        COMMAND ${syncspawn_thread_sanitizer_launcher}
            $<TARGET_FILE:helper_launches_under_thread_sanitizer>
        LABELS unit)
endif()

# Under the thread sanitizer there is no start with shared memory; one test is about that.
if(SYNCSPAWN_SANITIZE MATCHES "thread")
    syncspawn_add_launcher_test(thread_sanitizer)
    return()
endif()
syncspawn_add_helper(large_thread_locals LIBRARIES syncspawn::launcher)
syncspawn_add_launcher_test(shared_memory launch_meets launch_readiness large_thread_locals)
syncspawn_add_launcher_test(single_thread)
syncspawn_add_launcher_test(shared_memory_obstacles)
syncspawn_add_launcher_test(shared_memory_crash)
syncspawn_add_launcher_test(shared_memory_threads)
syncspawn_add_test(shared_memory_stress
    SOURCES shared_memory_stress_test.cpp
    LIBRARIES syncspawn_launched_support
    LABELS stress
    HELPERS launch_descriptors)
