# Tests of the layer boost, one program for each subject.

# syncspawn_add_boost_test(<subject> [LABELS <label>] [HELPERS <helper>...])
function(syncspawn_add_boost_test subject)
    cmake_parse_arguments(PARSE_ARGV 1 test "" "LABELS" "HELPERS")
    if(NOT test_LABELS)
        set(test_LABELS unit)
    endif()
    syncspawn_add_test(${subject}
        SOURCES ${subject}_test.cpp
        LIBRARIES syncspawn::boost syncspawn_launched_support
        LABELS ${test_LABELS}
        HELPERS ${test_HELPERS})
    # Line numbers alone: a quarter of the time and memory that these templates take goes into the rest. A
    # precompiled header was tried and saves nothing.
    target_compile_options(test_${subject} PRIVATE -g1)
endfunction()

syncspawn_add_boost_test(synced_launcher HELPERS launch_descriptors)
syncspawn_add_boost_test(boost_manual HELPERS launch_meets launch_readiness)
syncspawn_add_boost_test(async_stress LABELS stress)
syncspawn_add_boost_test(synced_launcher_hooks)
syncspawn_add_boost_test(async_spawn HELPERS launch_readiness)
syncspawn_add_boost_test(synced_launcher_reuse HELPERS launch_meets launch_readiness)
syncspawn_add_boost_test(synced_launcher_descriptors HELPERS launch_descriptors)
syncspawn_add_boost_test(async_wait_exit)
syncspawn_add_boost_test(boost_defects HELPERS launch_descriptors)
syncspawn_add_boost_test(async_barrier)
syncspawn_add_boost_test(barrier_initializer HELPERS launch_meets launch_readiness launch_descriptors)

# How CMake finds each Boost. Packages that only look like one stand in for those that are not here.
syncspawn_register_test(boost-package
    COMMAND ${CMAKE_COMMAND} -E env CMAKE=${CMAKE_COMMAND} CMAKE_GENERATOR=${CMAKE_GENERATOR}
        "${CMAKE_CURRENT_SOURCE_DIR}/boost_package/run" "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}"
    LABELS unit)
