#include "plan.hpp"

#include <linux/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "checks.hpp"
#include "kept_root.hpp"

namespace syncspawn::sandbox {
namespace {

using Kind = FileOperation::Kind;

// The kernel's own files in /proc. kallsyms shows zeroes to those without capabilities, kmsg refuses them.
constexpr std::array<KernelFile, 5> read_only_files{
    {{"bus", true}, {"fs", true}, {"irq", true}, {"sys", true}, {"sysrq-trigger", false}}};
constexpr std::array<KernelFile, 9> covered_files{{{"acpi", true},
                                                   {"asound", true},
                                                   {"kcore", false},
                                                   {"keys", false},
                                                   {"latency_stats", false},
                                                   {"sched_debug", false},
                                                   {"scsi", true},
                                                   {"timer_list", false},
                                                   {"timer_stats", false}}};
constexpr std::array<const char*, 6> device_names{"null",   "zero",    "full",
                                                  "random", "urandom", "tty"};

constexpr std::uint64_t quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

std::uint64_t attributes_of(BindAccess access) {
    switch (access) {
        case BindAccess::read_only:
            return quiet | MOUNT_ATTR_RDONLY;
        case BindAccess::writable:
            return quiet;
        case BindAccess::devices:
            return MOUNT_ATTR_NOSUID;
    }
    throw std::invalid_argument("mounts: an access of unknown kind");
}

std::uint64_t attributes_of(const FileOperation& operation) {
    switch (operation.kind) {
        case Kind::bind:
        case Kind::data:
            return attributes_of(operation.access);
        case Kind::proc:
        case Kind::mqueue:
            return quiet | MOUNT_ATTR_NOEXEC;
        case Kind::overlay:
            return operation.upper.empty() && !operation.keeps_writes_in_memory
                       ? quiet | MOUNT_ATTR_RDONLY
                       : quiet;
        case Kind::protect:
            return MOUNT_ATTR_RDONLY;
        case Kind::pin:
            return 0;
        default:
            return quiet;
    }
}

mode_t mode_of(const FileOperation& operation) {
    constexpr mode_t of_directories = 0755;
    constexpr mode_t of_files = 0666;
    constexpr mode_t of_data = 0600;
    return operation.mode.value_or(operation.kind == Kind::file   ? of_files
                                   : operation.kind == Kind::data ? of_data
                                                                  : of_directories);
}

std::string octal(mode_t mode) {
    char text[16];
    (void)std::snprintf(text, sizeof text, "%o", mode);
    return text;
}

bool covers_all(const FileOperation& operation) {
    return (operation.kind == Kind::bind || operation.kind == Kind::tmpfs ||
            operation.kind == Kind::overlay) &&
           normalized(operation.destination) == "/";
}

bool is_skipped(const FileOperation& operation) {
    return operation.kind == Kind::bind && operation.descriptor < 0 &&
           operation.missing_source == MissingSource::skip && is_missing(operation.source);
}

bool makes_own_file_system(const FileOperation& operation) {
    return operation.kind == Kind::tmpfs || operation.kind == Kind::devices ||
           (operation.kind == Kind::overlay && operation.keeps_writes_in_memory);
}

}  // namespace

MountStorage::MountStorage(const std::vector<FileOperation>& operations,
                           const MountOptions& options) {
    if (options.root == NewRoot::host_tree) {
        add(Mount::bind("/", "/"));
    }
    for (const FileOperation& operation : operations) {
        check(operation);
        if (!is_skipped(operation)) {
            add(operation);
        }
    }
    if (own_file_systems_ >= most_own_file_systems) {
        throw std::invalid_argument("mounts: 1000 file systems or more");
    }
    plan_.actions = actions_;
    plan_.begins_empty =
        options.root == NewRoot::empty &&
        (operations.empty() || is_skipped(operations.front()) || !covers_all(operations.front()));
    plan_.may_change_host = options.host_files == HostFiles::may_change;
    plan_.parents_root = root_mount_id();
    plan_.parents_namespace = mount_namespace();
    plan_.may_be_filtered = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0;
    plan_kept_root(actions_, plan_);
}

void MountStorage::add(const FileOperation& operation) {
    const std::string what = label_of(operation);
    MountAction action{.kind = operation.kind,
                       .label = keep(what),
                       .destination = keep(normalized(operation.destination)),
                       .attributes = attributes_of(operation),
                       .mode = mode_of(operation),
                       .refused_proc = operation.refused_proc,
                       .last_link = operation.last_link,
                       .path_links = operation.path_links,
                       .missing = operation.missing_source};
    action.mode_text = keep(octal(action.mode));
    if (operation.size) {
        action.size_text = keep(std::to_string(*operation.size));
    }
    action.text_size = operation.text.size();
    action.text = keep(operation.kind == Kind::symlink ? operation.source : operation.text);
    if (operation.kind == Kind::bind) {
        add_bind(action, operation, what);
    } else if (operation.kind == Kind::overlay) {
        add_overlay(action, operation, what);
    } else if (operation.kind == Kind::proc) {
        add_proc(action, operation);
    } else if (operation.kind == Kind::devices) {
        add_devices(action, operation, what);
    } else if (operation.kind == Kind::data) {
        action.number = data_count_++;
    }
    plan_.needs_store = plan_.needs_store || operation.kind == Kind::hide ||
                        operation.kind == Kind::data || !action.covered.empty() ||
                        operation.keeps_writes_in_memory;
    own_file_systems_ += makes_own_file_system(operation) ? 1 : 0;
    actions_.push_back(action);
}

void MountStorage::add_bind(MountAction& action, const FileOperation& operation,
                            const std::string& what) {
    action.source =
        keep(operation.descriptor >= 0 ? look_up(operation.descriptor, what)
                                       : look_up(operation.source, what, operation.path_links));
    if (action.source.path == std::string("/")) {
        action.number = plan_.clones_of_root++;
        if (plan_.clones_of_root > most_clones_of_root) {
            throw std::invalid_argument(what + ": '/' can be bound eight times");
        }
    }
}

void MountStorage::add_overlay(MountAction& action, const FileOperation& operation,
                               const std::string& what) {
    std::vector<MountSource>& layers = sources_.emplace_back();
    for (const std::string& layer : operation.layers) {
        layers.insert(layers.begin(), keep(look_up(layer, what)));
    }
    action.layers = layers;
    if (layers.size() > most_layers) {
        throw std::invalid_argument(what + ": more than 500 layers");
    }
    action.keeps_writes_in_memory = operation.keeps_writes_in_memory;
    if (operation.keeps_writes_in_memory) {
        plan_.needs_room = true;
        action.number = own_file_systems_;
    }
    if (!operation.upper.empty()) {
        std::vector<MountSource>& writes = sources_.emplace_back();
        writes = {keep(look_up(operation.upper, what)), keep(look_up(operation.work, what))};
        action.upper = writes.data();
        action.work = &writes[1];
    }
}

void MountStorage::add_proc(MountAction& action, const FileOperation& operation) {
    if (operation.kernel_files == KernelFiles::masked) {
        action.read_only = keep_existing(read_only_files);
        action.covered = keep_existing(covered_files);
    }
}

std::span<const KernelFile> MountStorage::keep_existing(std::span<const KernelFile> files) {
    // A /proc of processes alone (subset=pid) would tell nothing.
    if (is_missing("/proc/sys/kernel")) {
        throw std::system_error(ENOENT, std::generic_category(),
                                "proc: which of the kernel's files are to be masked? '/proc/sys'");
    }
    std::vector<KernelFile>& existing = kernel_files_.emplace_back();
    std::copy_if(
        files.begin(), files.end(), std::back_inserter(existing),
        [](const KernelFile& file) { return !is_missing(std::string("/proc/") + file.name); });
    return existing;
}

void MountStorage::add_devices(MountAction& action, const FileOperation& operation,
                               const std::string& what) {
    std::vector<DeviceNode>& nodes = nodes_.emplace_back();
    for (const char* const name : device_names) {
        nodes.push_back({keep(look_up(std::string("/dev/") + name, what)), name});
    }
    char terminal[PATH_MAX];
    const bool is_chosen = operation.descriptor >= 0;
    const int error =
        ttyname_r(is_chosen ? operation.descriptor : STDOUT_FILENO, terminal, sizeof terminal);
    if (error != 0 && is_chosen) {
        throw std::system_error(error, std::generic_category(), what + ": console: ttyname");
    }
    if (error == 0) {
        nodes.push_back({keep(look_up(terminal, what)), "console"});
    }
    action.devices = nodes;
}

const char* MountStorage::keep(std::string text) {
    return texts_.emplace_back(std::move(text)).c_str();
}

MountSource MountStorage::keep(LookedUp found) {
    return {.path = keep(std::move(found.path)), .identity = found.identity};
}

}  // namespace syncspawn::sandbox
