// What lays the file tree out.

#include <array>
#include <stdexcept>

#include <syncspawn/sandbox/mounts.hpp>

#include "options.hpp"
#include "tools/command_line/command_line.hpp"
#include "tools/command_line/values.hpp"

namespace syncspawn::tools::bwrap {
namespace {

using sandbox::BindAccess;
using sandbox::FileOperation;
using sandbox::MissingSource;
using sandbox::Mount;

FileLayout& files(Request& request) { return request.surroundings.files; }

void add(Request& request, const Given& given, FileOperation operation) {
    files(request).add(std::move(operation), given.typed());
}

template <auto Make, MissingSource Missing>
void bind(Request& request, const Given& given) {
    add(request, given, Make(given.value(0), given.value(1), Missing));
}

template <BindAccess Access>
void bind_descriptor(Request& request, const Given& given) {
    add(request, given, Mount::bind(given.descriptor(), given.value(1), Access));
}

template <BindAccess Access>
void bind_data(Request& request, const Given& given) {
    files(request).add_from(given.descriptor(), Mount::data("", given.value(1), Access),
                            given.typed());
}

mode_t mode_of(const Given& given) {
    try {
        return parse_mode(given.value());
    } catch (const std::invalid_argument&) {
        throw UsageError(std::string(given.name) + " takes an octal argument <= 07777");
    }
}

std::uint64_t bytes_of(const Given& given) {
    try {
        return parse_size(given.value());
    } catch (const std::invalid_argument&) {
        throw UsageError("--size takes a non-zero number of bytes");
    }
}

constexpr MissingSource refuse = MissingSource::refuse;
constexpr MissingSource skip = MissingSource::skip;

constexpr std::array rows{
    Row{"--perms", "OCTAL", "Give what the next option makes this mode",
        [](Request& request, const Given& given) { files(request).set_mode(mode_of(given)); }},
    Row{"--size", "BYTES", "Give the next --tmpfs this size",
        [](Request& request, const Given& given) { files(request).set_size(bytes_of(given)); }},
    Row{"--bind", "SRC DEST", "Show SRC of the host as DEST", bind<&Mount::bind_writable, refuse>},
    Row{"--bind-try", "SRC DEST", "The same, if there is a SRC", bind<&Mount::bind_writable, skip>},
    Row{"--dev-bind", "SRC DEST", "Show SRC as DEST; devices in it work",
        bind<&Mount::bind_devices, refuse>},
    Row{"--dev-bind-try", "SRC DEST", "The same, if there is a SRC",
        bind<&Mount::bind_devices, skip>},
    Row{"--ro-bind", "SRC DEST", "Show SRC as DEST, read-only",
        bind<static_cast<FileOperation (*)(std::string, std::string, MissingSource)>(&Mount::bind),
             refuse>},
    Row{"--ro-bind-try", "SRC DEST", "The same, if there is a SRC",
        bind<static_cast<FileOperation (*)(std::string, std::string, MissingSource)>(&Mount::bind),
             skip>},
    Row{"--bind-fd", "FD DEST", "Show the file or directory that FD has open as DEST",
        bind_descriptor<BindAccess::writable>},
    Row{"--ro-bind-fd", "FD DEST", "The same, read-only", bind_descriptor<BindAccess::read_only>},
    Row{"--remount-ro", "DEST", "Make the mount at DEST read-only, but none below it",
        [](Request& request, const Given& given) {
            add(request, given, Mount::remount_read_only(given.value()));
        }},
    Row{"--overlay-src", "SRC", "Read SRC through the next overlay; the first is the lowest",
        [](Request& request, const Given& given) { files(request).add_layer(given.value()); }},
    Row{"--overlay", "RWSRC WORKDIR DEST", "Make an overlay at DEST that is written to RWSRC",
        [](Request& request, const Given& given) {
            files(request).add_overlay(given.value(0), given.value(1), given.value(2),
                                       given.typed());
        }},
    Row{"--tmp-overlay", "DEST", "Make an overlay at DEST whose writes vanish",
        [](Request& request, const Given& given) {
            files(request).add_temporary_overlay(given.value(), given.typed());
        }},
    Row{"--ro-overlay", "DEST", "Make a read-only overlay at DEST",
        [](Request& request, const Given& given) {
            files(request).add_read_only_overlay(given.value(), given.typed());
        }},
    Row{"--proc", "DEST", "Make a new /proc at DEST",
        [](Request& request, const Given& given) {
            add(request, given, Mount::proc(given.value()));
        }},
    Row{"--dev", "DEST", "Make a minimal /dev at DEST",
        [](Request& request, const Given& given) {
            add(request, given, Mount::devices(given.value()));
        }},
    Row{"--tmpfs", "DEST", "Make an empty directory in memory at DEST",
        [](Request& request, const Given& given) {
            add(request, given, Mount::tmpfs(given.value()));
        }},
    Row{"--mqueue", "DEST", "Show the message queues at DEST",
        [](Request& request, const Given& given) {
            add(request, given, Mount::mqueue(given.value()));
        }},
    Row{"--dir", "DEST", "Make a directory",
        [](Request& request, const Given& given) {
            add(request, given, Mount::directory(given.value()));
        }},
    Row{"--file", "FD DEST", "Make a file with what can be read from FD",
        [](Request& request, const Given& given) {
            files(request).add_from(given.descriptor(), Mount::file("", given.value(1)),
                                    given.typed());
        }},
    Row{"--bind-data", "FD DEST", "Cover DEST by a file with what can be read from FD",
        bind_data<BindAccess::writable>},
    Row{"--ro-bind-data", "FD DEST", "The same, read-only", bind_data<BindAccess::read_only>},
    Row{"--symlink", "SRC DEST", "Make a symbolic link at DEST that says SRC",
        [](Request& request, const Given& given) {
            add(request, given, Mount::symlink(given.value(0), given.value(1)));
        }},
    Row{"--chmod", "OCTAL PATH", "Change the mode of what is there",
        [](Request& request, const Given& given) {
            add(request, given, Mount::chmod(mode_of(given), given.value(1)));
        }},
};

}  // namespace

std::span<const Row> file_rows() { return rows; }

}  // namespace syncspawn::tools::bwrap
