# syncspawn_add_layer(<name>
#     DESCRIPTION <one line, for pkg-config>
#     HEADERS <file>...       the public ones, as they are included: syncspawn/...
#     [SOURCES <file>...]     none: the layer is made of headers alone
#     [C_ALONE]               its C interface links without the C++ run time
#     [PUBLIC <layer>...]     the layers whose headers this one's headers include
#     [PC_LIBS <flags>]       what its headers need linked, for pkg-config
#     [PC_LIBS_PRIVATE <flags>])  what it needs linked itself, if it is static
#
# Makes the library syncspawn_<name>, known to others as syncspawn::<name>, and its install rules in
# the component <name>. Its headers are its file set HEADERS.
function(syncspawn_add_layer name)
    cmake_parse_arguments(PARSE_ARGV 1 layer "C_ALONE" "DESCRIPTION;PC_LIBS;PC_LIBS_PRIVATE" "HEADERS;SOURCES;PUBLIC")
    set(target syncspawn_${name})
    set(scope PUBLIC)
    if(NOT layer_SOURCES)
        set(scope INTERFACE)
    endif()

    if(layer_SOURCES)
        add_library(${target} ${layer_SOURCES})
        syncspawn_target(${target})
        # What a child calls is bound before it exists: the dynamic linker, binding a function at its
        # first call, may allocate and take a lock.
        target_compile_options(${target} PRIVATE -fno-plt)
        # Private headers are included by the path that names their layer: "barrier/core.hpp".
        target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}")
    else()
        add_library(${target} INTERFACE)
    endif()
    add_library(syncspawn::${name} ALIAS ${target})

    list(TRANSFORM layer_PUBLIC PREPEND syncspawn:: OUTPUT_VARIABLE dependencies)
    target_link_libraries(${target} ${scope} ${dependencies})
    get_target_property(type ${target} TYPE)
    if(type STREQUAL "STATIC_LIBRARY" AND NOT layer_C_ALONE)
        # For a project of C alone, which CMake would link without the C++ run time.
        target_link_libraries(${target} INTERFACE $<$<LINK_LANGUAGE:C>:stdc++>)
    endif()
    target_compile_features(${target} ${scope} cxx_std_20)
    list(TRANSFORM layer_HEADERS PREPEND "${PROJECT_SOURCE_DIR}/include/")
    target_sources(${target} ${scope} FILE_SET HEADERS
        BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${layer_HEADERS})
    target_include_directories(${target} ${scope}
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

    # A 0.x minor release may change the ABI, so the minor number is part of the soname.
    # Position independent also when static: a plug-in may want to swallow the library.
    # The run path finds the lower layers beside this one, wherever the prefix was moved to.
    set_target_properties(${target} PROPERTIES
        EXPORT_NAME ${name}
        OUTPUT_NAME syncspawn-${name}
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
        CXX_VISIBILITY_PRESET hidden
        VISIBILITY_INLINES_HIDDEN ON
        POSITION_INDEPENDENT_CODE ON
        INSTALL_RPATH "$ORIGIN")

    if(SYNCSPAWN_INSTALL)
        syncspawn_install_layer(${name} "${layer_DESCRIPTION}" "${layer_PUBLIC}" "${layer_PC_LIBS}"
            "${layer_PC_LIBS_PRIVATE}" ${layer_C_ALONE})
    endif()
endfunction()
