#pragma once

// What launcher and guardian say to each other. Also included by the guardian itself, which has no C library.

namespace syncspawn::detail {

// The descriptors that it begins with; those of directories follow, wherever they are.
constexpr int guardians_socket = 0;
constexpr int guardians_locks = 1;
constexpr int guardians_registry = 2;
constexpr int guardians_launcher = 3;  // a pidfd

// Its arguments: this word, by which the program knows what it is; what each link says; then four for each link:
// directory, name, byte of the lock, name of the record.
constexpr const char* word_for_guardian = "guard";

// A message is one byte, with the pidfd of the sandbox's first process. Nothing is removed before its end.
constexpr char told_to_watch = 'w';

}  // namespace syncspawn::detail
