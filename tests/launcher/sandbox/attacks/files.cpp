// Attacks on files, by their names and by descriptors.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "attack.hpp"

namespace syncspawn::attacks {
namespace {

std::string in(const char* directory, const char* name) {
    return std::string(directory) + "/" + name;
}

Outcome write_outside() { return by(writes(outside_file)); }
Outcome truncate_outside() { return by(truncate(outside_file, 0) == 0); }
Outcome make_outside() { return by(writes("/mnt/outside/new", O_CREAT | O_EXCL)); }
Outcome remove_outside() { return by(unlink("/mnt/outside/removable") == 0); }
Outcome make_node_outside() { return by(mkfifo("/mnt/outside/pipe", 0666) == 0); }
Outcome write_by_dots() { return by(writes("/mnt/work/../outside/file")); }
Outcome write_by_root_of_self() { return by(writes("/proc/self/root/mnt/outside/file")); }

Outcome write_by_working_directory() { return by(writes("by-directory")); }

Outcome write_by_link() {
    const std::string link = in(work, "link");
    return by(symlink(outside_file, link.c_str()) == 0 && writes(link.c_str()));
}

Outcome reopen_for_writing() {
    const int fd = open(outside_file, O_RDONLY | O_CLOEXEC);
    const std::string again = "/proc/self/fd/" + std::to_string(fd);
    return by(fd >= 0 && writes(again.c_str()));
}

Outcome move_out() {
    const std::string own = in(work, "own");
    return by(writes(own.c_str(), O_CREAT) && rename(own.c_str(), "/mnt/outside/moved") == 0);
}

Outcome move_in() { return by(rename("/mnt/outside/movable", in(work, "moved").c_str()) == 0); }

Outcome link_in() {
    const std::string name = in(work, "hard-link");
    return by(link(outside_file, name.c_str()) == 0 && writes(name.c_str()));
}

Outcome link_protected() {
    const std::string name = in(tree, "hard-link");
    return by(link(in(git, "config").c_str(), name.c_str()) == 0 && writes(name.c_str()));
}

Outcome link_hidden() {
    const std::string name = in(tree, "hard-link-of-key");
    return by(link(in(keys, "secret").c_str(), name.c_str()) == 0 && reads_token(name.c_str()));
}

Outcome change_mode() { return by(chmod(outside_file, 0640) == 0); }
Outcome change_times() { return by(utimensat(AT_FDCWD, outside_file, nullptr, 0) == 0); }
Outcome change_attributes() { return by(setxattr(outside_file, "user.x", "x", 1, 0) == 0); }

Outcome lock() {
    const int fd = open(outside_file, O_RDONLY | O_CLOEXEC);
    return by(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
}

Outcome watch() {
    return by(inotify_add_watch(inotify_init1(IN_CLOEXEC), outside_file, IN_OPEN) >= 0);
}

Outcome read_in_sight() { return by(reads_token("/mnt/outside/readable")); }

Outcome run_own_program() {
    const std::string own = in(work, "program");
    const int from = open(attack_program, O_RDONLY | O_CLOEXEC);
    const int to = open(own.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0777);
    char bytes[65536];
    for (ssize_t size = 0; (size = read(from, bytes, sizeof bytes)) > 0;) {
        if (write(to, bytes, static_cast<std::size_t>(size)) != size) {
            return denied();
        }
    }
    close(to);
    return by(program_says_yes(own.c_str(), "here"));
}

Outcome write_protected() { return by(writes(in(git, "config").c_str())); }
Outcome write_read_only() { return by(writes(in(vendor, "file").c_str())); }
Outcome move_protected() { return by(rename("/mnt/tree/d/.git", in(tree, "moved").c_str()) == 0); }
Outcome move_above_protected() {
    return by(rename("/mnt/tree/b", in(tree, "moved-b").c_str()) == 0);
}
Outcome make_absent() { return by(mkdir(absent, 0777) == 0); }
Outcome link_absent() { return by(symlink("/mnt/outside", absent_too) == 0); }
Outcome move_to_absent() {
    const std::string own = in(tree, "own-directory");
    return by(mkdir(own.c_str(), 0777) == 0 && rename(own.c_str(), absent_as_well) == 0);
}
Outcome replace_link() {
    return by(unlink(protected_link) == 0 && symlink("/mnt/outside", protected_link) == 0);
}

Outcome exchange_protected() {
    const std::string own = in(tree, "exchanged");
    return by(mkdir(own.c_str(), 0777) == 0 &&
              renameat2(AT_FDCWD, own.c_str(), AT_FDCWD, "/mnt/tree/c/.git", RENAME_EXCHANGE) == 0);
}

Outcome read_hidden() { return by(reads_token(in(keys, "secret").c_str())); }
Outcome list_hidden() { return by(faccessat(AT_FDCWD, in(keys, "secret").c_str(), F_OK, 0) == 0); }
Outcome move_hidden() {
    const std::string to = in(tree, "moved-keys");
    return by(rename(other_keys, to.c_str()) == 0 && reads_token(in(to.c_str(), "secret").c_str()));
}

Outcome read_tmp() { return by(reads_token(scene().file_in_tmp)); }
Outcome read_shared_memory() { return by(reads_token("/dev/shm/syncspawn-attacks")); }

// A directory that the launcher has forgotten to close. The sandbox may have others open.
Outcome use_descriptor() {
    for (int fd = 3; fd < 1024; ++fd) {
        const int file = openat(fd, "mnt/outside/inherited", O_WRONLY | O_CLOEXEC);
        if (file >= 0 && write(file, "x", 1) == 1) {
            return worked();
        }
    }
    return denied();
}

Outcome make_device() {
    const std::string node = in(work, "device");
    return by(mknod(node.c_str(), S_IFCHR | 0666, makedev(1, 5)) == 0 &&
              open(node.c_str(), O_RDONLY | O_CLOEXEC) >= 0);
}

Outcome open_device() {
    bool is_there = false;
    for (const char* const name : {"/dev/kmsg", "/dev/mem", "/dev/port", "/dev/fuse", "/dev/sda",
                                   "/dev/vda", "/dev/nvme0n1", "/dev/loop-control"}) {
        if (open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK) >= 0) {
            return worked();
        }
        is_there = is_there || errno != ENOENT;
    }
    return is_there ? by(false) : denied();
}

Outcome open_by_handle() {
    alignas(file_handle) unsigned char memory[sizeof(file_handle) + MAX_HANDLE_SZ]{};
    auto* const handle = reinterpret_cast<file_handle*>(memory);
    handle->handle_bytes = MAX_HANDLE_SZ;
    int mount_id = 0;
    if (name_to_handle_at(AT_FDCWD, outside_file, handle, &mount_id, 0) < 0) {
        return denied();
    }
    const int directory = open("/mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return by(open_by_handle_at(directory, handle, O_WRONLY | O_CLOEXEC) >= 0);
}

}  // namespace

std::span<const Attack> attacks_on_files() {
    static constexpr Attack all[]{
        {"read a file in sight", read_in_sight},
        {"run a program of its own making", run_own_program},
        {"write to a file outside", write_outside},
        {"truncate a file outside", truncate_outside},
        {"make a file outside", make_outside},
        {"remove a file outside", remove_outside},
        {"make a named pipe outside", make_node_outside},
        {"write outside by `..`", write_by_dots},
        {"write outside by `/proc/self/root`", write_by_root_of_self},
        {"write outside by the working directory", write_by_working_directory},
        {"write outside by a symbolic link", write_by_link},
        {"open a descriptor again, for writing", reopen_for_writing},
        {"move a file to a place outside", move_out},
        {"move a file from outside to a writable place", move_in},
        {"link a file from outside into a writable place", link_in},
        {"use a directory that the launcher has open", use_descriptor},
        {"open a file by its handle", open_by_handle, Without::root_can},
        {"change the mode of a file outside", change_mode},
        {"change the times of a file outside", change_times},
        {"change the attributes of a file outside", change_attributes, Without::everybody_can,
         EOPNOTSUPP},
        {"lock a file in sight", lock},
        {"watch a file in sight", watch},
        {"write to a read-only path in a writable one", write_read_only},
        {"write to a protected path", write_protected},
        {"move a protected path away", move_protected},
        {"exchange a protected path", exchange_protected},
        {"move the directory above a protected path", move_above_protected},
        {"link a protected file to a writable place", link_protected},
        {"replace a protected link", replace_link},
        {"link a protected path that is absent", link_absent},
        {"move a directory to a protected path that is absent", move_to_absent},
        {"make a protected path that is absent", make_absent},
        {"read a hidden file", read_hidden},
        {"link a hidden file to a writable place", link_hidden},
        {"move a hidden directory away", move_hidden},
        {"see the name of a hidden file", list_hidden},
        {"read a file in the host's `/tmp`", read_tmp},
        {"read a file in the host's `/dev/shm`", read_shared_memory, Without::everybody_can,
         ENOENT},
        {"open a device of the host", open_device, Without::root_can, ENOENT},
        {"make a device", make_device, Without::root_can},
    };
    return all;
}

}  // namespace syncspawn::attacks
