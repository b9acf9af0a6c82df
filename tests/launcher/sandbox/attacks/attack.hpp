#pragma once

#include <sys/types.h>

#include <span>

#include "scene.hpp"

// The attacks, one function each, by the room of the kernel that they go through. Each is tried in a process of its own,
// so it may leave behind what a process leaves behind.

namespace syncspawn::attacks {

struct Outcome {
    enum class Kind : int {
        worked,
        denied,        // with this errno
        untried,       // this machine lacks what it takes
        seen_outside,  // the world knows whether it has worked
    };
    Kind kind = Kind::denied;
    int error = 0;
    char why[100] = "";  // untried
};

Outcome worked();
Outcome denied();  // with errno
Outcome untried(const char* why);
Outcome seen_outside();
// Worked, or denied with errno.
Outcome by(bool has_worked);
// Whether the kernel has looked at the arguments, which are wrong: then it would have done it with others.
Outcome reached(long result);

// Who must be able to do it without a sandbox.
enum class Without {
    everybody_can,
    root_can,  // and others on some machines
};

struct Attack {
    const char* name;  // as in the table
    Outcome (*attempt)();
    Without without = Without::everybody_can;
    int lacking = 0;  // the errno of a kernel, or machine, that does not have what is attacked
};

std::span<const Attack> attacks_on_files();
std::span<const Attack> attacks_on_mounts();
std::span<const Attack> attacks_on_processes();
std::span<const Attack> attacks_on_network();
std::span<const Attack> attacks_on_privileges();
std::span<const Attack> attacks_on_kernel();

// For the attacks.
bool has_token(const char* text, ssize_t size);
bool reads_token(int fd);
bool reads_token(const char* path);
bool writes(const char* path, int further_flags = 0);
// Runs body() in a child, and says whether that returned true; errno is the child's.
bool in_child(bool (*body)());
// Runs the attack program again, as this file, and says whether its answer to the question is yes.
bool program_says_yes(const char* path, const char* question);

}  // namespace syncspawn::attacks
