#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include <syncspawn/sandbox/mounts.hpp>

namespace syncspawn::sandbox {
namespace {

using Kind = FileOperation::Kind;

FileOperation bind_with(BindAccess access, std::string source, std::string destination,
                        MissingSource missing) {
    return {.kind = Kind::bind,
            .destination = std::move(destination),
            .source = std::move(source),
            .access = access,
            .missing_source = missing};
}

FileOperation only(Kind kind, std::string destination) {
    return {.kind = kind, .destination = std::move(destination)};
}

FileOperation with_text(Kind kind, std::string text, std::string destination, mode_t mode) {
    return {
        .kind = kind, .destination = std::move(destination), .mode = mode, .text = std::move(text)};
}

}  // namespace

FileOperation Mount::bind(std::string source, std::string destination, MissingSource missing) {
    return bind_with(BindAccess::read_only, std::move(source), std::move(destination), missing);
}
FileOperation Mount::bind_writable(std::string source, std::string destination,
                                   MissingSource missing) {
    return bind_with(BindAccess::writable, std::move(source), std::move(destination), missing);
}
FileOperation Mount::bind_devices(std::string source, std::string destination,
                                  MissingSource missing) {
    return bind_with(BindAccess::devices, std::move(source), std::move(destination), missing);
}
FileOperation Mount::bind(int descriptor, std::string destination, BindAccess access) {
    return {.kind = Kind::bind,
            .destination = std::move(destination),
            .descriptor = descriptor,
            .access = access};
}

FileOperation Mount::tmpfs(std::string destination) {
    return only(Kind::tmpfs, std::move(destination));
}
FileOperation Mount::proc(std::string destination, RefusedProc refused) {
    return {.kind = Kind::proc, .destination = std::move(destination), .refused_proc = refused};
}
FileOperation Mount::devices(std::string destination, int console) {
    FileOperation operation = only(Kind::devices, std::move(destination));
    operation.descriptor = console;
    return operation;
}
FileOperation Mount::mqueue(std::string destination) {
    return only(Kind::mqueue, std::move(destination));
}

FileOperation Mount::overlay(std::vector<std::string> layers, std::string upper, std::string work,
                             std::string destination) {
    return {.kind = Kind::overlay,
            .destination = std::move(destination),
            .layers = std::move(layers),
            .upper = std::move(upper),
            .work = std::move(work)};
}
FileOperation Mount::temporary_overlay(std::vector<std::string> layers, std::string destination) {
    return {.kind = Kind::overlay,
            .destination = std::move(destination),
            .layers = std::move(layers),
            .keeps_writes_in_memory = true};
}
FileOperation Mount::read_only_overlay(std::vector<std::string> layers, std::string destination) {
    return {
        .kind = Kind::overlay, .destination = std::move(destination), .layers = std::move(layers)};
}

FileOperation Mount::directory(std::string destination, mode_t mode) {
    return {.kind = Kind::directory, .destination = std::move(destination), .mode = mode};
}
FileOperation Mount::symlink(std::string target, std::string destination) {
    return {
        .kind = Kind::symlink, .destination = std::move(destination), .source = std::move(target)};
}
FileOperation Mount::file(std::string text, std::string destination, mode_t mode) {
    return with_text(Kind::file, std::move(text), std::move(destination), mode);
}
FileOperation Mount::data(std::string text, std::string destination, BindAccess access,
                          mode_t mode) {
    FileOperation operation = with_text(Kind::data, std::move(text), std::move(destination), mode);
    operation.access = access;
    return operation;
}

std::string Mount::text_from(int descriptor) {
    std::string text;
    char buffer[16384];
    for (;;) {
        const ssize_t size = read(descriptor, buffer, sizeof buffer);
        if (size == 0) {
            return text;
        }
        if (size > 0) {
            text.append(buffer, static_cast<std::size_t>(size));
        } else if (errno != EINTR) {
            throw std::system_error(errno, std::generic_category(),
                                    "read descriptor " + std::to_string(descriptor));
        }
    }
}

FileOperation Mount::chmod(mode_t mode, std::string destination) {
    return {.kind = Kind::chmod, .destination = std::move(destination), .mode = mode};
}
FileOperation Mount::remount_read_only(std::string destination) {
    return only(Kind::remount_read_only, std::move(destination));
}
FileOperation Mount::hide(std::string destination) {
    return only(Kind::hide, std::move(destination));
}
FileOperation Mount::protect(std::string destination, LastLink link) {
    return {.kind = Kind::protect, .destination = std::move(destination), .last_link = link};
}
FileOperation Mount::pin(std::string destination) {
    return only(Kind::pin, std::move(destination));
}

}  // namespace syncspawn::sandbox
