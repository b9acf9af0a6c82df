# How the programs are linked.
#
# Their start is a large part of what a launch by a command costs: 0.4 ms of it is the dynamic loader's, with the C++ run
# time 1.1 ms. So they are linked statically where the static libraries are there, at no fixed address, and else with
# the C++ run time alone inside. A sanitizer brings a run time that has to be shared.
#
# A static program must load no modules of the C library, for they may be of another version of it. So the functions
# that look users up in its name service are replaced: tools/static asks getent(1). And dlopen(3), with which a plug-in
# stays loaded that the launcher is linked into, is not there; the launcher does without.
include(CheckCXXSourceCompiles)

function(syncspawn_check_static_link)
    set(CMAKE_REQUIRED_FLAGS "-fPIE")
    set(CMAKE_REQUIRED_LINK_OPTIONS -static-pie)
    set(CMAKE_REQUIRED_LIBRARIES seccomp cap)
    check_cxx_source_compiles("
        #include <seccomp.h>
        #include <sys/capability.h>
        int main() { return seccomp_api_get() != 0 && cap_get_proc() != nullptr ? 0 : 1; }"
        SYNCSPAWN_HAS_STATIC_LIBRARIES)
endfunction()
syncspawn_check_static_link()

set(default ON)
if(NOT SYNCSPAWN_HAS_STATIC_LIBRARIES OR BUILD_SHARED_LIBS OR SYNCSPAWN_SANITIZE)
    set(default OFF)
endif()
option(SYNCSPAWN_STATIC_TOOLS "Link the programs statically; needs the static C library, libseccomp and libcap" ${default})

# syncspawn_link_program(<target>), of a target with sources of its own
function(syncspawn_link_program target)
    if(SYNCSPAWN_STATIC_TOOLS)
        target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tools/static/user_database.cpp")
        set(replaced dlopen getpwnam_r getpwuid_r getgrnam_r getgrouplist)
        list(TRANSFORM replaced PREPEND "-Wl,--wrap=")
        target_link_options(${target} PRIVATE -static-pie ${replaced})
    elseif(NOT SYNCSPAWN_SANITIZE AND NOT BUILD_SHARED_LIBS)
        target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc)
    endif()
endfunction()
