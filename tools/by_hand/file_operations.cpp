#include "file_operations.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {
namespace {

using sandbox::FileOperation;
using sandbox::Mount;
using Kind = FileOperation::Kind;
using Operations = std::vector<FileOperation>;

constexpr mode_t usual_mode_of_directories = 0755;
constexpr mode_t usual_mode_of_files = 0666;

std::string absolute(const std::string& path) {
    return path.starts_with('/') || path.empty() ? path : "/" + path;
}

// --perms takes reading and entering away from the directories above, too, where it gives a class nothing at all.
mode_t mode_above(mode_t mode) {
    constexpr mode_t of_group = 0070;
    constexpr mode_t of_others = 0007;
    mode_t above = usual_mode_of_directories;
    above &= (mode & of_group) == 0 ? ~of_group : ~mode_t{0};
    above &= (mode & of_others) == 0 ? ~of_others : ~mode_t{0};
    return above;
}

void add_directories_above(Operations& into, const std::string& path, mode_t mode) {
    for (std::size_t end = path.find('/', 1); end != std::string::npos;
         end = path.find('/', end + 1)) {
        if (path[end - 1] != '/') {
            into.push_back(Mount::directory(path.substr(0, end), mode));
        }
    }
}

// What a shared /proc shows of the kernel and this user may write becomes read-only. The settings of the kernel do in
// any case for the host's root, who may change them without any capability.
void add_protected_kernel_files(Operations& into, const std::string& proc) {
    constexpr std::array files{"sys", "sysrq-trigger", "irq", "bus"};
    for (const std::string name : files) {
        const bool is_writable =
            faccessat(AT_FDCWD, ("/proc/" + name).c_str(), W_OK, AT_EACCESS) == 0;
        if (is_writable || (name == "sys" && geteuid() == 0)) {
            FileOperation operation = Mount::protect(proc + "/" + name);
            operation.missing_source = sandbox::MissingSource::skip;
            into.push_back(std::move(operation));
        }
    }
}

void add_proc(Operations& into, FileOperation operation, Manner manner, Processes processes) {
    if (manner == Manner::safe_defaults) {
        operation.refused_proc = processes == Processes::of_its_own
                                     ? sandbox::RefusedProc::fail
                                     : sandbox::RefusedProc::bind_existing;
        into.push_back(std::move(operation));
        return;
    }
    const std::string place = operation.destination;
    operation.kernel_files = sandbox::KernelFiles::open;
    into.push_back(processes == Processes::of_its_own ? std::move(operation)
                                                      : Mount::bind_writable("/proc", place));
    add_protected_kernel_files(into, place);
}

void add_devices(Operations& into, FileOperation operation, Manner manner) {
    const std::string place = operation.destination;
    into.push_back(std::move(operation));
    if (manner == Manner::as_bubblewrap) {
        into.push_back(Mount::symlink("/proc/kcore", place + "/core"));
        into.push_back(Mount::chmod(usual_mode_of_directories, place + "/shm"));
    }
}

mode_t present_umask() {
    const mode_t mask = umask(0);
    umask(mask);
    return mask;
}

// Without --perms the umask counts, but for bubblewrap.
mode_t mode_of_file(const TypedOperation& typed, Manner manner) {
    return typed.mode.value_or(manner == Manner::as_bubblewrap
                                   ? usual_mode_of_files
                                   : usual_mode_of_files & ~present_umask());
}

Operations operations_of(const TypedOperation& typed, Manner manner, Processes processes) {
    FileOperation operation = typed.operation;
    operation.destination = absolute(operation.destination);
    if (typed.mode) {
        operation.mode = typed.mode;
    }
    if (typed.text_from >= 0) {
        operation.text = Mount::text_from(typed.text_from);
    }
    Operations result;
    if (typed.mode && mode_above(*typed.mode) != usual_mode_of_directories) {
        add_directories_above(result, operation.destination, mode_above(*typed.mode));
    }
    switch (operation.kind) {
        case Kind::proc:
            add_proc(result, std::move(operation), manner, processes);
            break;
        case Kind::devices:
            add_devices(result, std::move(operation), manner);
            break;
        case Kind::file:
            operation.mode = mode_of_file(typed, manner);
            result.push_back(std::move(operation));
            break;
        default:
            result.push_back(std::move(operation));
    }
    return result;
}

int error_of_source(const std::string& path) {
    const UniqueFd opened(open(path.c_str(), O_PATH | O_CLOEXEC));
    return opened ? 0 : errno;
}

bool may_be_left_out(const FileOperation& operation) {
    if (operation.kind != Kind::bind || operation.missing_source != sandbox::MissingSource::skip) {
        return false;
    }
    const int error = error_of_source(operation.source);
    return error == ENOENT || error == ENOTDIR;
}

std::vector<std::string> sources_of(const FileOperation& operation) {
    std::vector<std::string> sources = operation.layers;
    if (operation.kind == Kind::bind && operation.descriptor < 0) {
        sources.push_back(operation.source);
    }
    for (const std::string& path : {operation.upper, operation.work}) {
        if (!path.empty()) {
            sources.push_back(path);
        }
    }
    return sources;
}

[[noreturn]] void refuse_source(const TypedOperation& typed, const std::string& source, int error,
                                Manner manner) {
    const std::string why = std::generic_category().message(error);
    if (manner == Manner::as_bubblewrap) {
        throw UsageError("Can't find source path " + source + ": " + why);
    }
    const bool has_try = typed.operation.kind == Kind::bind && error == ENOENT;
    throw UsageError(typed.typed + ": the source '" + source + "': " + why,
                     std::string("name a file or directory that is there") +
                         (has_try ? ", or say ...-try to do without it" : ""));
}

// Which one the library has found fault with: it is asked about each alone.
void refuse_wrong_one(const TypedOperation& typed, const Operations& operations, Manner manner) {
    for (const std::string& source : sources_of(typed.operation)) {
        if (const int error = error_of_source(source)) {
            refuse_source(typed, source, error, manner);
        }
    }
    try {
        (void)sandbox::mounts(operations);
    } catch (const std::invalid_argument& error) {
        // What comes before the rule names the operation in other words.
        const std::string text = error.what();
        const std::size_t rule = text.rfind(": ");
        throw UsageError(typed.typed +
                         (rule == std::string::npos ? ": " + text : text.substr(rule)));
    } catch (const std::system_error& error) {
        throw UsageError(typed.typed + ": " + error.what());
    }
}

Operations read_operations_of(const TypedOperation& typed, Manner manner, Processes processes) {
    try {
        return operations_of(typed, manner, processes);
    } catch (const std::system_error& error) {
        throw UsageError(typed.typed + ": " + error.what());
    }
}

// The modes of files are what the operations say.
std::vector<Step> without_umask(Step mounts) {
    return {steps::umask(0), std::move(mounts), steps::umask(present_umask())};
}

}  // namespace

std::vector<Step> steps_for(const FileLayout& layout, Manner manner, Processes processes,
                            std::vector<std::string>& left_out) {
    std::vector<std::pair<const TypedOperation*, Operations>> groups;
    Operations all;
    for (const TypedOperation& typed : layout.operations()) {
        if (may_be_left_out(typed.operation)) {
            left_out.push_back(typed.typed + ": there is no '" + typed.operation.source + "'");
            continue;
        }
        groups.emplace_back(&typed, read_operations_of(typed, manner, processes));
        all.insert(all.end(), groups.back().second.begin(), groups.back().second.end());
    }
    const bool has_files = std::any_of(all.begin(), all.end(), [](const FileOperation& operation) {
        return operation.kind == Kind::file;
    });
    constexpr sandbox::MountOptions options{.root = sandbox::NewRoot::empty,
                                            .host_files = sandbox::HostFiles::may_change};
    try {
        Step mounts = sandbox::mounts(all, options);
        return has_files ? without_umask(std::move(mounts)) : std::vector{std::move(mounts)};
    } catch (const std::exception&) {
        for (const auto& [typed, operations] : groups) {
            refuse_wrong_one(*typed, operations, manner);
        }
        throw;
    }
}

}  // namespace syncspawn::tools
