# The barrier's tests. Included by CMakeLists.txt.

include("${CMAKE_CURRENT_LIST_DIR}/support/support.cmake")

# syncspawn_add_barrier_test(<name> <argument of syncspawn_add_test>...)
function(syncspawn_add_barrier_test name)
    syncspawn_add_test(barrier_${name}
        SOURCES barrier_${name}_test.cpp
        LIBRARIES syncspawn::barrier syncspawn_test_support
        ${ARGN})
endfunction()

foreach(helper attach_and_meet attach_and_pass_on attach_and_tell system_calls)
    syncspawn_add_helper(${helper} LIBRARIES syncspawn::barrier)
endforeach()
target_include_directories(helper_system_calls PRIVATE "${PROJECT_SOURCE_DIR}")
add_executable(helper_speak_without_library helpers/speak_without_library.c)
syncspawn_target(helper_speak_without_library)
set_target_properties(helper_speak_without_library PROPERTIES
    OUTPUT_NAME speak_without_library
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/helpers")

syncspawn_add_barrier_test(rules LABELS unit)
syncspawn_add_barrier_test(abort LABELS unit)
syncspawn_add_barrier_test(states LABELS unit)
target_compile_definitions(test_barrier_states PRIVATE
    SYNCSPAWN_BARRIER_README="${PROJECT_SOURCE_DIR}/barrier/README.md")
syncspawn_add_barrier_test(waiting LABELS unit)
syncspawn_add_barrier_test(trying LABELS unit)
syncspawn_add_barrier_test(put_back LABELS unit)
syncspawn_add_barrier_test(death LABELS unit)
syncspawn_add_barrier_test(full_counter LABELS unit)
syncspawn_add_barrier_test(descriptors LABELS unit)
target_link_libraries(test_barrier_descriptors PRIVATE syncspawn_allocation_trap)
syncspawn_add_barrier_test(c LABELS unit)
target_sources(test_barrier_c PRIVATE support/c_sides.c)
syncspawn_add_barrier_test(hand_over LABELS unit
    HELPERS attach_and_meet attach_and_pass_on attach_and_tell speak_without_library)
syncspawn_add_barrier_test(attach LABELS unit)
syncspawn_add_barrier_test(attach_descriptors LABELS unit)
syncspawn_add_barrier_test(proc LABELS unit HELPERS attach_and_meet)
syncspawn_add_barrier_test(system_calls LABELS unit HELPERS system_calls)
syncspawn_add_barrier_test(stress LABELS stress)

# A sanitizer brings its own needs, and a shared library the C++ run time.
get_target_property(barrier_type syncspawn_barrier TYPE)
if(barrier_type STREQUAL "STATIC_LIBRARY" AND NOT SYNCSPAWN_SANITIZE)
    foreach(what symbols cc musl)
        syncspawn_register_test(barrier_c_archive.${what}
            COMMAND ${CMAKE_COMMAND} -E env CC=${CMAKE_C_COMPILER} CFLAGS=${CMAKE_C_FLAGS} NM=${CMAKE_NM}
                bash "${CMAKE_CURRENT_LIST_DIR}/barrier_c_archive.sh" ${what}
                $<TARGET_FILE:syncspawn_barrier> "${PROJECT_SOURCE_DIR}"
            LABELS unit)
    endforeach()
endif()
