find_package(doctest QUIET)
if(NOT doctest_FOUND)
    syncspawn_is_missing(doctest doctest-dev SYNCSPAWN_BUILD_TESTS)
endif()
find_package(Python3 QUIET COMPONENTS Interpreter)
if(NOT Python3_FOUND)
    syncspawn_is_missing("Python 3" python3 SYNCSPAWN_BUILD_TESTS)
endif()

# A sanitizer's finding must not pass unseen: it ends the process, and its text in the output fails
# the test even if the process was a child whose status nobody looked at. The sanitizers' signal
# handlers are off, because tests let children die of SIGSEGV and SIGABRT and want to see just that.
# die_after_fork: a forked child may start threads, also when its parent had some.
set(syncspawn_test_environment "")
set(syncspawn_test_findings "")
if(SYNCSPAWN_SANITIZE)
    set(common handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigill=0:handle_sigfpe=0)
    set(syncspawn_test_environment
        ASAN_OPTIONS=${common}:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
        UBSAN_OPTIONS=${common}:halt_on_error=1:print_stacktrace=1
        TSAN_OPTIONS=${common}:halt_on_error=1:die_after_fork=0:second_deadlock_stack=1)
    set(syncspawn_test_findings
        "ERROR: AddressSanitizer" "ERROR: LeakSanitizer" "WARNING: ThreadSanitizer"
        ":[0-9]+: runtime error: ")
endif()

# With vm.mmap_rnd_bits above 28 the kernel places memory where the thread sanitizer of Clang 14 does
# not expect it, and the program ends before main. Containers may forbid setarch: no launcher then.
set(syncspawn_thread_sanitizer_launcher "")
find_program(SYNCSPAWN_SETARCH setarch)
if(SYNCSPAWN_SETARCH)
    execute_process(COMMAND "${SYNCSPAWN_SETARCH}" -R true RESULT_VARIABLE refused ERROR_QUIET)
    if(NOT refused)
        set(syncspawn_thread_sanitizer_launcher "${SYNCSPAWN_SETARCH}" -R)
    endif()
endif()
set(syncspawn_test_launcher "")
if(SYNCSPAWN_SANITIZE MATCHES "thread")
    set(syncspawn_test_launcher ${syncspawn_thread_sanitizer_launcher})
endif()

# syncspawn_register_test(<name> COMMAND <command>...
#     [LABELS <label>...] [SERIAL])
# Adds any command as a test; its first word may be a target. Exit status 77 means skipped, and the
# output must then say "SKIP-REASON: ...".
# SERIAL: nothing else runs meanwhile.
# A test that hangs is ended after ten minutes; no machine is so slow that another one takes as long.
function(syncspawn_register_test name)
    cmake_parse_arguments(PARSE_ARGV 1 test "SERIAL" "" "COMMAND;LABELS")
    list(POP_FRONT test_COMMAND program)
    if(TARGET ${program})
        set(program ${syncspawn_test_launcher} $<TARGET_FILE:${program}>)
    endif()
    add_test(NAME ${name} COMMAND ${program} ${test_COMMAND})
    set_tests_properties(${name} PROPERTIES
        LABELS "${test_LABELS}"
        TIMEOUT 600
        RUN_SERIAL ${test_SERIAL}
        SKIP_RETURN_CODE 77
        ENVIRONMENT "${syncspawn_test_environment}"
        FAIL_REGULAR_EXPRESSION "${syncspawn_test_findings}")
endfunction()

# syncspawn_add_test(<name> SOURCES <file>... LIBRARIES <target>... LABELS <label>...
#     [SERIAL] [HELPERS <helper>...])
# Builds one doctest program from the sources, test_<name>, and adds it as the test <name>.
# Every test may include "support/..." and, for white-box tests, a layer's private headers.
function(syncspawn_add_test name)
    cmake_parse_arguments(PARSE_ARGV 1 test "SERIAL" "" "SOURCES;LIBRARIES;LABELS;HELPERS")
    add_executable(test_${name} ${test_SOURCES})
    syncspawn_target(test_${name})
    set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
    target_include_directories(test_${name} PRIVATE
        "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}")
    target_compile_definitions(test_${name} PRIVATE
        SYNCSPAWN_TEST_HELPERS="${PROJECT_BINARY_DIR}/tests/helpers")
    target_link_libraries(test_${name} PRIVATE ${test_LIBRARIES} syncspawn_doctest_main)
    if(test_HELPERS)
        list(TRANSFORM test_HELPERS PREPEND helper_)
        add_dependencies(test_${name} ${test_HELPERS})
    endif()

    set(serial "")
    if(test_SERIAL)
        set(serial SERIAL)
    endif()
    syncspawn_register_test(${name}
        COMMAND test_${name}
        LABELS ${test_LABELS}
        ${serial})
endfunction()

# syncspawn_add_helper(<name> [LIBRARIES <target>...])
# Builds tests/helpers/<name>.cpp, a program of one scenario that tests launch. A test names it in
# HELPERS and finds it as SYNCSPAWN_TEST_HELPERS "/<name>".
function(syncspawn_add_helper name)
    cmake_parse_arguments(PARSE_ARGV 1 helper "" "" "LIBRARIES")
    add_executable(helper_${name} "${PROJECT_SOURCE_DIR}/tests/helpers/${name}.cpp")
    syncspawn_target(helper_${name})
    target_link_libraries(helper_${name} PRIVATE ${helper_LIBRARIES})
    set_target_properties(helper_${name} PROPERTIES
        OUTPUT_NAME ${name}
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/helpers")
endfunction()
