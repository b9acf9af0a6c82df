# What the layer boost needs of Boost, as the target syncspawn::boost_packages: made here for this build,
# and by the installed package for its user, whose Boost may be another one.
# Leaves syncspawn_boost_problem empty, or says what is missing.
include_guard(GLOBAL)
find_package(Threads QUIET)
find_package(Boost 1.81 CONFIG QUIET)
set(syncspawn_boost_problem "")
if(NOT Boost_FOUND)
    set(syncspawn_boost_problem "Boost 1.81 or newer was not found")
else()
    # Boost.Process was made of headers before 1.86.
    set(syncspawn_boost_library filesystem)
    if(Boost_VERSION VERSION_GREATER_EQUAL 1.86)
        set(syncspawn_boost_library process)
    endif()
    find_package(Boost 1.81 CONFIG QUIET COMPONENTS ${syncspawn_boost_library})
    if(TARGET Boost::${syncspawn_boost_library})
        add_library(syncspawn::boost_packages INTERFACE IMPORTED GLOBAL)
        target_link_libraries(syncspawn::boost_packages INTERFACE
            Boost::headers Boost::${syncspawn_boost_library} Threads::Threads)
    else()
        set(syncspawn_boost_problem
            "the library ${syncspawn_boost_library} of Boost ${Boost_VERSION} was not found")
    endif()
endif()
