include(GNUInstallDirs)

# What is built never depends on what happens to be installed. By default that is the libraries that a
# compiler and CMake suffice for, and, unless this is part of a larger build, the program with what it needs.
option(SYNCSPAWN_BUILD_TOOLS "Build the program syncspawn; needs SYNCSPAWN_BUILD_SANDBOX" ${PROJECT_IS_TOP_LEVEL})
option(SYNCSPAWN_BUILD_MANUAL "Build the manual pages of the program; needs scdoc" OFF)
option(SYNCSPAWN_BUILD_SANDBOX "Build the sandbox library; needs libseccomp, libcap and toml++"
    ${SYNCSPAWN_BUILD_TOOLS})
option(SYNCSPAWN_BUILD_BOOST "Build the layer for Boost; needs Boost 1.81 or newer" OFF)
option(SYNCSPAWN_BUILD_EXAMPLES "Build the examples" OFF)
option(SYNCSPAWN_BUILD_TESTS "Build the tests; needs doctest and Python" OFF)
option(SYNCSPAWN_MODELS "With the tests: check the models of the protocol; needs spin" OFF)
option(SYNCSPAWN_BUILD_BENCHMARKS "Build the benchmarks; needs Google Benchmark" OFF)
option(SYNCSPAWN_INSTALL "Add the install rules" ${PROJECT_IS_TOP_LEVEL})
option(SYNCSPAWN_WARNINGS_AS_ERRORS "Let a compiler warning fail the build" OFF)
set(SYNCSPAWN_SANITIZE "" CACHE STRING "Sanitizers: empty, \"address,undefined\" or \"thread\"")
set_property(CACHE SYNCSPAWN_SANITIZE PROPERTY STRINGS "" "address,undefined" "thread")

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

# Ends the configuration: what an option needs is missing.
# syncspawn_is_missing(<what> <packages of Debian> <option> [<further option to turn off>...])
function(syncspawn_is_missing what debian_packages option)
    list(TRANSFORM ARGN REPLACE "(.+)" " -D\\1=OFF" OUTPUT_VARIABLE further)
    list(JOIN further "" further)
    message(FATAL_ERROR "${what} was not found, and ${option} needs it. Install it (on Debian 12: "
        "${debian_packages}), or configure with -D${option}=OFF${further}.")
endfunction()

if(SYNCSPAWN_BUILD_TOOLS AND NOT SYNCSPAWN_BUILD_SANDBOX)
    message(FATAL_ERROR "The program syncspawn needs the sandbox library, and SYNCSPAWN_BUILD_SANDBOX is OFF. "
        "Configure with -DSYNCSPAWN_BUILD_SANDBOX=ON (on Debian 12 it takes the packages libseccomp-dev libcap-dev "
        "libtomlplusplus-dev), or without the program: -DSYNCSPAWN_BUILD_TOOLS=OFF.")
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
