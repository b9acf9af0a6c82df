#pragma once

#include <cerrno>

namespace syncspawn::sandbox {

// What the kernel said to each call of a probe: 0, or the errno.
struct Findings {
    static constexpr int not_tried = -1;

    int unshare_nothing = not_tried;          // refused by a filter alone
    int filtered_user_namespace = not_tried;  // the same of the flag
    int filtered_mount = not_tried;           // and of the calls that mount
    const char* filtered_call = "";           // which of them
    int user_namespace = not_tried;
    int id_map = not_tried;
    int mount_namespace = not_tried;
    int mount = not_tried;
    int layout = not_tried;        // of mounts: what the child does with them
    const char* layout_call = "";  // where that has failed
    int pid_namespace = not_tried;
    int fresh_proc = not_tried;
    int network_namespace = not_tried;
    int loopback = not_tried;
    int host_name = not_tried;
    int ipc = not_tried;
    int cgroup = not_tried;
    int time = not_tried;
    int is_in_apparmor_profile = 0;  // of unprivileged user namespaces (Ubuntu 23.10)
};

enum class ProbeWay { alone, in_user_namespace };

// Tries it all. In a process that has no further use: it is in new namespaces then.
void try_all(ProbeWay way, Findings& findings) noexcept;

}  // namespace syncspawn::sandbox
