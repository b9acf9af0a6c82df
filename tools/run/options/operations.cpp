#include "operations.hpp"

#include <string>
#include <utility>

#include "tools/command_line/values.hpp"

namespace syncspawn::tools {
namespace {

using sandbox::BindAccess;
using sandbox::MissingSource;
using sandbox::Mount;

// "--bind /x /y"
std::string typed_as(const char* name, const Given& given) {
    std::string typed = name;
    for (const std::string& word : given.words) {
        typed += " " + word;
    }
    return typed;
}

class Rows {
public:
    Rows(std::vector<Option>& rows, Surroundings& settings) : rows_(rows), settings_(settings) {}

    void add() {
        add_binds();
        add_new_file_systems();
        add_files();
        add_overlays();
        add_modifiers();
    }

private:
    // `apply` gets the layout, what was given, and how it was typed.
    template <class Apply>
    void row(const char* name, const char* argument, const char* help, Apply apply) {
        rows_.push_back({name, argument, help, std::exchange(group_, ""),
                         [this_settings = &settings_, name, apply](const Given& given) {
                             if (this_settings->first_option.empty()) {
                                 this_settings->first_option = name;
                             }
                             apply(this_settings->files, given, typed_as(name, given));
                         }});
    }

    void bind(const char* name, const char* help, BindAccess access, MissingSource missing) {
        row(name, "SRC DEST", help,
            [access, missing](FileLayout& files, const Given& given, std::string typed) {
                files.add({.destination = given.second,
                           .source = *given.value,
                           .access = access,
                           .missing_source = missing},
                          std::move(typed));
            });
    }

    void bind_descriptor(const char* name, const char* help, BindAccess access) {
        row(name, "FD DEST", help,
            [access](FileLayout& files, const Given& given, std::string typed) {
                const int descriptor = parse_open_descriptor(*given.value);
                files.add(Mount::bind(descriptor, given.second, access), std::move(typed));
            });
    }

    template <class Make>
    void at_destination(const char* name, const char* help, Make make) {
        row(name, "DEST", help,
            [make](FileLayout& files, const Given& given, const std::string& typed) {
                files.add(make(*given.value), typed);
            });
    }

    template <class Make>
    void from_descriptor(const char* name, const char* help, Make make) {
        row(name, "FD DEST", help,
            [make](FileLayout& files, const Given& given, const std::string& typed) {
                files.add_from(parse_open_descriptor(*given.value), make(given.second), typed);
            });
    }

    void add_binds();
    void add_new_file_systems();
    void add_files();
    void add_overlays();
    void add_modifiers();

    std::vector<Option>& rows_;
    Surroundings& settings_;
    const char* group_ = "Files by hand, in order, on an empty root";
};

void Rows::add_binds() {
    using enum MissingSource;
    bind("--bind", "Show the host's SRC at DEST", BindAccess::writable, refuse);
    bind("--bind-try", "The same, if SRC is there", BindAccess::writable, skip);
    bind("--ro-bind", "Show the host's SRC at DEST, read-only", BindAccess::read_only, refuse);
    bind("--ro-bind-try", "The same, if SRC is there", BindAccess::read_only, skip);
    bind("--dev-bind", "Show the host's SRC at DEST, and let its devices be opened",
         BindAccess::devices, refuse);
    bind("--dev-bind-try", "The same, if SRC is there", BindAccess::devices, skip);
    bind_descriptor("--bind-fd", "Show at DEST what FD has open", BindAccess::writable);
    bind_descriptor("--ro-bind-fd", "The same, read-only", BindAccess::read_only);
    at_destination("--remount-ro", "Make the mount at DEST read-only, and none below it",
                   Mount::remount_read_only);
}

void Rows::add_new_file_systems() {
    at_destination("--proc", "Show the sandbox's processes at DEST",
                   [](std::string place) { return Mount::proc(std::move(place)); });
    at_destination("--dev", "Put a minimal /dev at DEST",
                   [](std::string place) { return Mount::devices(std::move(place)); });
    at_destination("--tmpfs", "Put an empty directory in memory at DEST", Mount::tmpfs);
    at_destination("--mqueue", "Show the sandbox's message queues at DEST", Mount::mqueue);
}

void Rows::add_files() {
    at_destination("--dir", "Make a directory",
                   [](std::string place) { return Mount::directory(std::move(place)); });
    from_descriptor("--file", "Copy what FD has to a new file DEST",
                    [](std::string place) { return Mount::file("", std::move(place)); });
    from_descriptor(
        "--bind-data", "Copy what FD has to a file in memory, and show it at DEST",
        [](std::string place) { return Mount::data("", std::move(place), BindAccess::writable); });
    from_descriptor("--ro-bind-data", "The same, read-only",
                    [](std::string place) { return Mount::data("", std::move(place)); });
    row("--symlink", "TARGET LINK", "Make a symbolic link that says TARGET",
        [](FileLayout& files, const Given& given, std::string typed) {
            files.add(Mount::symlink(*given.value, given.second), std::move(typed));
        });
    row("--chmod", "OCTAL PATH", "Change the mode of what is there",
        [](FileLayout& files, const Given& given, std::string typed) {
            files.add(Mount::chmod(parse_mode(*given.value), given.second), std::move(typed));
        });
}

void Rows::add_overlays() {
    row("--overlay-src", "SRC", "A layer of the next overlay; the lowest comes first",
        [](FileLayout& files, const Given& given, const std::string&) {
            files.add_layer(*given.value);
        });
    row("--overlay", "RWSRC WORKDIR DEST",
        "Show the layers as one at DEST; writes go to RWSRC, and WORKDIR is empty, beside it",
        [](FileLayout& files, const Given& given, std::string typed) {
            files.add_overlay(given.words[0], given.words[1], given.words[2], std::move(typed));
        });
    row("--tmp-overlay", "DEST", "The same, and writes vanish with the sandbox",
        [](FileLayout& files, const Given& given, std::string typed) {
            files.add_temporary_overlay(*given.value, std::move(typed));
        });
    row("--ro-overlay", "DEST", "The same, read-only",
        [](FileLayout& files, const Given& given, std::string typed) {
            files.add_read_only_overlay(*given.value, std::move(typed));
        });
}

void Rows::add_modifiers() {
    row("--perms", "OCTAL", "The mode of what the next operation makes",
        [](FileLayout& files, const Given& given, const std::string&) {
            files.set_mode(parse_mode(*given.value));
        });
    row("--size", "BYTES", "The size of the next --tmpfs",
        [](FileLayout& files, const Given& given, const std::string&) {
            files.set_size(parse_size(*given.value));
        });
}

}  // namespace

void add_operation_options(std::vector<Option>& rows, Surroundings& settings) {
    Rows(rows, settings).add();
}

}  // namespace syncspawn::tools
