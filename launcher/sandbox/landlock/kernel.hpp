#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

// What <linux/landlock.h> of a new kernel says. That of this machine may be older than its kernel.

namespace syncspawn::sandbox::kernel {

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444  // Linux 5.13, the same on every processor
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

// struct landlock_ruleset_attr. Older kernels know its first members alone, and take the rest if it is 0.
struct Ruleset {
    std::uint64_t files = 0;
    std::uint64_t network = 0;  // version 4
    std::uint64_t scoped = 0;   // version 6
};
struct __attribute__((packed)) PathRule {
    std::uint64_t allowed = 0;
    std::int32_t parent = -1;
};
struct PortRule {
    std::uint64_t allowed = 0;
    std::uint64_t port = 0;
};

constexpr std::uint64_t execute = 1U << 0;
constexpr std::uint64_t write_file = 1U << 1;
constexpr std::uint64_t read_file = 1U << 2;
constexpr std::uint64_t read_directory = 1U << 3;
constexpr std::uint64_t remove_directory = 1U << 4;
constexpr std::uint64_t remove_file = 1U << 5;
constexpr std::uint64_t make_character_device = 1U << 6;
constexpr std::uint64_t make_directory = 1U << 7;
constexpr std::uint64_t make_file = 1U << 8;
constexpr std::uint64_t make_socket = 1U << 9;
constexpr std::uint64_t make_fifo = 1U << 10;
constexpr std::uint64_t make_block_device = 1U << 11;
constexpr std::uint64_t make_symbolic_link = 1U << 12;
constexpr std::uint64_t refer = 1U << 13;         // version 2, Linux 5.19
constexpr std::uint64_t truncate = 1U << 14;      // version 3, Linux 6.2
constexpr std::uint64_t ioctl_device = 1U << 15;  // version 5, Linux 6.10
constexpr std::uint64_t of_a_file = execute | write_file | read_file | truncate | ioctl_device;

constexpr std::uint64_t bind_tcp = 1U << 0;     // version 4, Linux 6.7
constexpr std::uint64_t connect_tcp = 1U << 1;  // version 4, Linux 6.7

constexpr std::uint64_t scope_abstract_sockets = 1U << 0;  // version 6, Linux 6.12
constexpr std::uint64_t scope_signals = 1U << 1;           // version 6, Linux 6.12

constexpr unsigned ask_for_version = 1U << 0;   // of create_ruleset
constexpr unsigned log_new_programs = 1U << 1;  // of restrict_self, version 7, Linux 6.15
constexpr int rule_of_path = 1;
constexpr int rule_of_port = 2;

}  // namespace syncspawn::sandbox::kernel
