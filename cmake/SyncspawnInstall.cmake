# What `cmake --install` puts where: for each layer library, headers, CMake package, pkg-config file.
function(syncspawn_install_layer name description needs pc_libs pc_libs_private c_alone)
    set(target syncspawn_${name})
    install(TARGETS ${target} EXPORT syncspawn-${name}-targets
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT ${name}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${name}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT ${name}
        FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT ${name})
    # One export set per layer, so that a component installed alone is complete.
    install(EXPORT syncspawn-${name}-targets NAMESPACE syncspawn::
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/syncspawn COMPONENT ${name})

    # Relative to the .pc file where possible: the prefix is often chosen or moved at install time.
    set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
    set(pc_libdir "${CMAKE_INSTALL_FULL_LIBDIR}")
    set(pc_includedir "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
    if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" AND NOT IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
        file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
        string(REGEX REPLACE "/$" "" up "${up}")
        set(pc_prefix "\${pcfiledir}/${up}")
        set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
        set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
    endif()
    list(TRANSFORM needs PREPEND syncspawn- OUTPUT_VARIABLE pc_requires)
    list(JOIN pc_requires ", " pc_requires)

    # A shared library brings along what it needs, and a static one does not. Where only the static one is
    # installed, plain --libs has to name that too, for who knows of --static? The C++ run time is a part
    # of it, unless the C interface does without. A C++ compiler names that by itself, a C compiler does not.
    get_target_property(type ${target} TYPE)
    if(NOT type STREQUAL "INTERFACE_LIBRARY")
        set(pc_libs "-L\${libdir} -lsyncspawn-${name} ${pc_libs}")
        if(NOT c_alone)
            string(APPEND pc_libs_private " -lstdc++ -lm")
        endif()
    endif()
    if(type STREQUAL "STATIC_LIBRARY")
        set(pc_libs "${pc_libs}${pc_libs_private}")
        set(pc_libs_private "")
    endif()
    string(STRIP "${pc_libs}" pc_libs)
    string(STRIP "${pc_libs_private}" pc_libs_private)
    configure_file("${PROJECT_SOURCE_DIR}/cmake/syncspawn-layer.pc.in"
        "${PROJECT_BINARY_DIR}/syncspawn-${name}.pc" @ONLY)
    install(FILES "${PROJECT_BINARY_DIR}/syncspawn-${name}.pc"
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT ${name})
endfunction()

# The layers below that a layer needs, each before those that it needs in turn.
function(syncspawn_needs_of name result)
    set(needs "")
    get_target_property(libraries syncspawn_${name} INTERFACE_LINK_LIBRARIES)
    foreach(library IN LISTS libraries)
        string(REGEX REPLACE "^syncspawn::" "" needed "${library}")
        if(needed IN_LIST syncspawn_layers)
            syncspawn_needs_of(${needed} further)
            list(APPEND needs ${needed} ${further})
        endif()
    endforeach()
    set(${result} ${needs} PARENT_SCOPE)
endfunction()

# The package file that find_package(syncspawn) reads; call it once, with all layers, the lowest first.
function(syncspawn_install_package)
    if(NOT SYNCSPAWN_INSTALL)
        return()
    endif()
    include(CMakePackageConfigHelpers)
    set(layers ${ARGV})
    set(layer_needs "")
    foreach(layer IN LISTS layers)
        syncspawn_needs_of(${layer} needs)
        string(APPEND layer_needs "set(_syncspawn_needs_${layer} ${needs})\n")
    endforeach()
    string(REPLACE ";" " " layers "${layers}")

    set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/syncspawn)
    configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/syncspawnConfig.cmake.in"
        "${PROJECT_BINARY_DIR}/syncspawnConfig.cmake"
        INSTALL_DESTINATION ${package_dir}
        NO_SET_AND_CHECK_MACRO)
    write_basic_package_version_file("${PROJECT_BINARY_DIR}/syncspawnConfigVersion.cmake"
        COMPATIBILITY SameMinorVersion)
    # With the lowest layer, which every other one needs.
    install(
        FILES "${PROJECT_BINARY_DIR}/syncspawnConfig.cmake"
              "${PROJECT_BINARY_DIR}/syncspawnConfigVersion.cmake"
        DESTINATION ${package_dir} COMPONENT barrier)
    if(boost IN_LIST ARGV)
        install(FILES "${PROJECT_SOURCE_DIR}/cmake/SyncspawnBoost.cmake"
            DESTINATION ${package_dir} COMPONENT boost)
    endif()
    # Not as a part of a larger project: the directory may be that project's.
    if(PROJECT_IS_TOP_LEVEL)
        install(
            FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/README.md"
                  "${PROJECT_SOURCE_DIR}/CHANGELOG.md"
            DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT barrier)
    endif()
endfunction()
