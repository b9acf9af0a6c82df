#include "checks.hpp"

#include <climits>
#include <stdexcept>

namespace syncspawn::sandbox {
namespace {

using Kind = FileOperation::Kind;

const char* name_of(const FileOperation& operation) {
    switch (operation.kind) {
        case Kind::bind:
            return operation.access == BindAccess::read_only  ? "bind"
                   : operation.access == BindAccess::writable ? "bind writable"
                                                              : "bind devices";
        case Kind::tmpfs:
            return "tmpfs";
        case Kind::proc:
            return "proc";
        case Kind::devices:
            return "devices";
        case Kind::mqueue:
            return "mqueue";
        case Kind::overlay:
            return "overlay";
        case Kind::directory:
            return "directory";
        case Kind::symlink:
            return "symlink";
        case Kind::file:
            return "file";
        case Kind::data:
            return "data";
        case Kind::chmod:
            return "chmod";
        case Kind::remount_read_only:
            return "remount read-only";
        case Kind::hide:
            return "hide";
        case Kind::protect:
            return "protect";
        case Kind::pin:
            return "pin";
    }
    throw std::invalid_argument("mounts: an operation of unknown kind");
}

std::string quoted(const std::string& path) {
    constexpr std::size_t most = 32;
    return "'" + (path.size() <= most ? path : "..." + path.substr(path.size() - most + 3)) + "'";
}

void require(bool is_met, const FileOperation& operation, const char* rule) {
    if (!is_met) {
        throw std::invalid_argument(label_of(operation) + ": " + rule);
    }
}

// The path's names, one after the other.
template <class Function>
void for_each_name(const std::string& path, Function function) {
    for (std::size_t begin = 0; begin < path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        if (const std::string name = path.substr(begin, end - begin); !name.empty()) {
            function(name);
        }
        begin = end + 1;
    }
}

void check_path(const FileOperation& operation, const std::string& path) {
    require(!path.empty() && path.find('\0') == std::string::npos, operation, "an empty path");
    require(path.size() < PATH_MAX, operation, "a path that is too long");
}

void check_destination(const FileOperation& operation) {
    const std::string& path = operation.destination;
    check_path(operation, path);
    require(path.front() == '/', operation, "the destination must be absolute");
    for_each_name(path, [&operation](const std::string& name) {
        require(name != "..", operation, "the destination must not have '..'");
    });
    const bool may_be_root = operation.kind == Kind::bind || operation.kind == Kind::tmpfs ||
                             operation.kind == Kind::overlay || operation.kind == Kind::directory ||
                             operation.kind == Kind::chmod ||
                             operation.kind == Kind::remount_read_only;
    require(may_be_root || normalized(path) != "/", operation, "the destination must not be '/'");
}

void check_overlay(const FileOperation& operation) {
    const bool is_writable = !operation.upper.empty() || operation.keeps_writes_in_memory;
    require(!operation.layers.empty(), operation, "there are no layers");
    require(operation.layers.size() >= 2 || is_writable, operation,
            "a read-only overlay takes two layers");
    require(operation.upper.empty() == operation.work.empty(), operation,
            "upper and work go together");
    require(operation.upper.empty() || !operation.keeps_writes_in_memory, operation,
            "writes go to upper, or stay in memory");
}

}  // namespace

std::string label_of(const FileOperation& operation) {
    std::string label = name_of(operation);
    if (operation.kind == Kind::bind) {
        label += operation.descriptor >= 0
                     ? " descriptor " + std::to_string(operation.descriptor) + " on"
                     : " " + quoted(operation.source) + " on";
    }
    return label + " " + quoted(operation.destination);
}

std::string normalized(const std::string& path) {
    std::string result;
    for_each_name(path, [&result](const std::string& name) {
        if (name != ".") {
            result += "/" + name;
        }
    });
    return result.empty() ? "/" : result;
}

void check(const FileOperation& operation) {
    constexpr mode_t all = 07777;
    check_destination(operation);
    require(operation.mode.value_or(0) <= all, operation, "the mode must be within 07777");
    switch (operation.kind) {
        case Kind::bind:
            if (operation.descriptor < 0) {
                check_path(operation, operation.source);
            }
            break;
        case Kind::symlink:
            check_path(operation, operation.source);
            break;
        case Kind::tmpfs:
        case Kind::devices:
            require(operation.size.value_or(1) > 0 && operation.size.value_or(1) <= INT64_MAX,
                    operation, "the size must be between 1 and 2^63 - 1");
            break;
        case Kind::overlay:
            check_overlay(operation);
            break;
        case Kind::chmod:
            require(operation.mode.has_value(), operation, "which mode?");
            break;
        default:
            break;
    }
}

}  // namespace syncspawn::sandbox
