#pragma once

#include <sys/types.h>

// What the attacks are aimed at: a host that world.cpp makes, in namespaces of its own. Both sides know these names; the
// rest is told to the program in its arguments.

namespace syncspawn::attacks {

// Stands in every secret, and whoever listens answers with it. Who has it has been outside.
inline constexpr char token[] = "the-secret-of-the-host";
inline constexpr int token_size = sizeof token - 1;

// Files. All of them belong to the program's user, so that only the sandbox is in the way.
inline constexpr const char* attack_program = "/mnt/outside/attack";
inline constexpr const char* work = "/mnt/work";        // writable, without exceptions
inline constexpr const char* tree = "/mnt/tree";        // writable, with exceptions in it:
inline constexpr const char* git = "/mnt/tree/a/.git";  // protected
inline constexpr const char* gits[]{"/mnt/tree/a/.git", "/mnt/tree/b/deep/.git", "/mnt/tree/c/.git",
                                    "/mnt/tree/d/.git"};
inline constexpr const char* absent = "/mnt/tree/a/.absent";  // protected, and not there
inline constexpr const char* absent_too = "/mnt/tree/a/.absent-too";
inline constexpr const char* absent_as_well = "/mnt/tree/a/.absent-as-well";
inline constexpr const char* protected_link = "/mnt/tree/a/link";
inline constexpr const char* vendor = "/mnt/tree/vendor";  // read-only
inline constexpr const char* keys = "/mnt/tree/keys";      // hidden
inline constexpr const char* other_keys = "/mnt/tree/other-keys";
inline constexpr const char* outside_file = "/mnt/outside/file";
inline constexpr const char* read_only_mount = "/mnt/mounted";  // of the host
inline constexpr const char* cover = "/mnt/covered";  // of the host: an empty directory on it

// A writable directory, and beside it a link to /mnt/outside that somebody puts into its place.
inline constexpr const char* swapped = "/mnt/swapped/place";
inline constexpr const char* swapped_link = "/mnt/swapped/link";
inline constexpr const char* mark = "/mark";

inline constexpr const char* service = "/mnt/outside/service";
inline constexpr const char* late_service =
    "/mnt/outside/late";                                    // listens since after the planning
inline constexpr const char* run_service = "/run/service";  // so does this one
inline constexpr const char* abstract_service = "syncspawn-attacks";
inline constexpr const char* squatted_name = "syncspawn-attacks-free";
inline constexpr unsigned short port = 4242;  // of TCP and UDP
inline constexpr const char* host_address = "10.99.99.1";

inline constexpr int shared_memory_key = 0x5ec7e7;
inline constexpr const char* queue = "/syncspawn-attacks";
inline constexpr const char* key_of_session = "syncspawn-attacks";

// A process outside, of the program's user. No process inside has such a number.
inline constexpr pid_t victim = 30'000;
inline constexpr const char* survivor_name = "survivor";  // the comm of one that tries to stay

inline constexpr int delayed_priority =
    (2 << 13) | 7;  // the last of the best-effort class: ioprio_set(2)

struct Scene {
    const char* terminal = "";     // another terminal of the host
    const void* memory = nullptr;  // the token in the victim
    int memory_file = -1;          // a descriptor of the victim that is a file with the token
    const char* file_in_tmp = "";  // in the host's /tmp, with the token
    const char* network = "";      // the host's network namespace, as /proc names it
};
const Scene& scene();

}  // namespace syncspawn::attacks
