set(syncspawn_warnings
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-align -Wundef
    -Wformat=2 -Wimplicit-fallthrough)
set(syncspawn_c_warnings -Wstrict-prototypes -Wmissing-prototypes)
set(syncspawn_cxx_warnings
    -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wextra-semi -Wredundant-move)
# At -O3, GCC 12 sees overlaps in "text" + std::string that are not there (GCC bug 105329).
set(syncspawn_gnu_warnings -Wduplicated-cond -Wlogical-op -Wno-restrict)

# How every target of this project is compiled: warnings, and C++20 or C11 without extensions.
function(syncspawn_target target)
    target_compile_options(${target} PRIVATE
        ${syncspawn_warnings}
        $<$<COMPILE_LANGUAGE:C>:${syncspawn_c_warnings}>
        $<$<COMPILE_LANGUAGE:CXX>:${syncspawn_cxx_warnings}>
        $<$<CXX_COMPILER_ID:GNU>:${syncspawn_gnu_warnings}>
        $<$<BOOL:${SYNCSPAWN_WARNINGS_AS_ERRORS}>:-Werror>)
    # No extensions is also what makes GCC's coverage work here: with -std=gnu++20 it replaces fork by
    # __gcov_fork and execve by __gcov_execve, which lock and write files in the child (GCC bug 118553).
    set_target_properties(${target} PROPERTIES
        C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
        CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
endfunction()
