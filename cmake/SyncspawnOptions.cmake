include(GNUInstallDirs)

option(SYNCSPAWN_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(SYNCSPAWN_BUILD_TOOLS "Build the syncspawn program and the examples" ${PROJECT_IS_TOP_LEVEL})
option(SYNCSPAWN_BUILD_BENCHMARKS "Build the benchmarks" OFF)
set(SYNCSPAWN_BUILD_BOOST AUTO CACHE STRING "The layer for Boost: ON, OFF, or AUTO: if Boost is there")
set_property(CACHE SYNCSPAWN_BUILD_BOOST PROPERTY STRINGS AUTO ON OFF)
option(SYNCSPAWN_INSTALL "Add the install rules" ${PROJECT_IS_TOP_LEVEL})
option(SYNCSPAWN_WARNINGS_AS_ERRORS "Let a compiler warning fail the build" OFF)
set(SYNCSPAWN_SANITIZE "" CACHE STRING "Sanitizers: empty, \"address,undefined\" or \"thread\"")
set_property(CACHE SYNCSPAWN_SANITIZE PROPERTY STRINGS "" "address,undefined" "thread")

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

# For the whole tree, not per target: nothing is found in a part that is not instrumented.
if(SYNCSPAWN_SANITIZE)
    add_compile_options(
        -fsanitize=${SYNCSPAWN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${SYNCSPAWN_SANITIZE})
    # With the sanitizer `function`, Clang 14 writes coroutines that cannot be assembled.
    if(SYNCSPAWN_SANITIZE MATCHES "undefined" AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND
            CMAKE_CXX_COMPILER_VERSION VERSION_LESS 15)
        add_compile_options(-fno-sanitize=function)
    endif()
endif()
