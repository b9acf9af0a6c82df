# What tests of every layer share: syncspawn_test_support (processes, observation, traps), and
# syncspawn_allocation_trap, which replaces malloc and is therefore only in programs that ask for it.
include_guard(GLOBAL)

add_library(syncspawn_test_support STATIC
    "${CMAKE_CURRENT_LIST_DIR}/observe.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/peer.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/system_call_trap.cpp"
    "${CMAKE_CURRENT_LIST_DIR}/tracer.cpp")
add_library(syncspawn_allocation_trap OBJECT "${CMAKE_CURRENT_LIST_DIR}/allocation_trap.cpp")
foreach(target syncspawn_test_support syncspawn_allocation_trap)
    syncspawn_target(${target})
    target_include_directories(${target} PRIVATE
        "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}")
endforeach()
