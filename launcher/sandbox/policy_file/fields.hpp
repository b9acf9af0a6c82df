#pragma once

#include <syncspawn/sandbox/policy.hpp>

namespace syncspawn::sandbox {

// The keys of a policy file and the members that they stand for, in the order of a file. A visitor has
//
//     visit("tree", &Files::tree);             // a value whose type says how it is written
//     visit.size("memory", &Limits::memory);   // bytes
//     visit.required("name", &Door::name);     // one without which the table makes no sense
//     visit.table("files", &Policy::files);    // a table of its own, whose fields it visits in turn
//
// The last argument only tells which struct it is about.

template <class Visitor>
void visit_fields(Visitor& visit, const Files*) {
    visit("tree", &Files::tree);
    visit("writable", &Files::writable);
    visit("read_only", &Files::read_only);
    visit("protected_paths", &Files::protected_paths);
    visit("hidden", &Files::hidden);
    visit("private_tmp", &Files::private_tmp);
    visit("device_tree", &Files::device_tree);
}

template <class Visitor>
void visit_fields(Visitor& visit, const Processes*) {
    visit("isolated", &Processes::isolated);
    visit("reaper", &Processes::reaper);
    visit("die_with_parent", &Processes::die_with_parent);
    visit("outlive", &Processes::outlive);
}

template <class Visitor>
void visit_fields(Visitor& visit, const Limits*) {
    visit.size("memory", &Limits::memory);
    visit.size("memory_high", &Limits::memory_high);
    visit.size("swap", &Limits::swap);
    visit("processes", &Limits::processes);
    visit("cpus", &Limits::cpus);
    visit("cpu_weight", &Limits::cpu_weight);
    visit("io_weight", &Limits::io_weight);
    visit("allowed_cpus", &Limits::allowed_cpus);
    visit("nice", &Limits::nice);
    visit("scheduling", &Limits::scheduling);
    visit("open_files", &Limits::open_files);
    visit.size("file_size", &Limits::file_size);
    visit.size("core_size", &Limits::core_size);
    visit("cpu_time", &Limits::cpu_time);
    visit("wall_clock", &Limits::wall_clock);
}

template <class Visitor>
void visit_fields(Visitor& visit, const Privileges*) {
    visit("capabilities", &Privileges::capabilities);
    visit("user", &Privileges::user);
    visit("group", &Privileges::group);
    visit("host_user", &Privileges::host_user);
    visit("host_group", &Privileges::host_group);
    visit("no_new_privileges", &Privileges::no_new_privileges);
    visit("nested_user_namespaces", &Privileges::nested_user_namespaces);
    visit("new_session_keyring", &Privileges::new_session_keyring);
}

template <class Visitor>
void visit_fields(Visitor& visit, const SystemCalls*) {
    visit("default_deny_set", &SystemCalls::default_deny_set);
    visit("denied", &SystemCalls::denied);
    visit("allowed", &SystemCalls::allowed);
}

template <class Visitor>
void visit_fields(Visitor& visit, const Door*) {
    visit.required("name", &Door::name);
    visit.required("address", &Door::address);
    visit("backlog", &Door::backlog);
}

template <class Visitor>
void visit_fields(Visitor& visit, const NamedDescriptor*) {
    visit.required("name", &NamedDescriptor::name);
    visit.required("number", &NamedDescriptor::number);
}

template <class Visitor>
void visit_fields(Visitor& visit, const NamedTree*) {
    visit.required("name", &NamedTree::name);
    visit.required("path", &NamedTree::path);
    visit("access", &NamedTree::access);
}

template <class Visitor>
void visit_fields(Visitor& visit, const Policy*) {
    visit("network", &Policy::network);
    visit("services", &Policy::services);
    visit("host_name", &Policy::host_name);
    visit("accept_weaker", &Policy::accept_weaker);
    visit.table("files", &Policy::files);
    visit.table("processes", &Policy::processes);
    visit.table("limits", &Policy::limits);
    visit.table("privileges", &Policy::privileges);
    visit.table("system_calls", &Policy::system_calls);
    visit.tables("doors", &Policy::doors);
    visit.tables("descriptors", &Policy::descriptors);
    visit.tables("trees", &Policy::trees);
}

}  // namespace syncspawn::sandbox
