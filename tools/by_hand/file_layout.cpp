#include "file_layout.hpp"

#include <utility>

#include "tools/command_line/command_line.hpp"

namespace syncspawn::tools {
namespace {

using Kind = sandbox::FileOperation::Kind;

bool takes_mode(Kind kind) {
    return kind == Kind::tmpfs || kind == Kind::directory || kind == Kind::file ||
           kind == Kind::data;
}

std::string name_of_option(const std::string& typed) { return typed.substr(0, typed.find(' ')); }

}  // namespace

void FileLayout::set_mode(mode_t mode) {
    if (next_mode_) {
        throw UsageError("--perms given twice for the same action");
    }
    next_mode_ = mode;
}

void FileLayout::set_size(std::uint64_t size) {
    if (next_size_) {
        throw UsageError("--size given twice for the same action");
    }
    if (size == 0) {
        throw UsageError("--size takes a non-zero number of bytes");
    }
    constexpr std::uint64_t most = INT64_MAX;
    if (size > most) {
        throw UsageError("--size takes " + std::to_string(most) + " bytes at most");
    }
    next_size_ = size;
}

void FileLayout::add_layer(std::string source) { next_layers_.push_back(std::move(source)); }

void FileLayout::add(sandbox::FileOperation operation, std::string typed) {
    refuse_pending_layers();
    if (next_mode_ && !takes_mode(operation.kind)) {
        throw UsageError("--perms must be followed by an option that creates a file");
    }
    if (next_size_ && operation.kind != Kind::tmpfs) {
        throw UsageError("--size must be followed by --tmpfs");
    }
    operation.size = std::exchange(next_size_, std::nullopt);
    operations_.push_back({.operation = std::move(operation),
                           .typed = std::move(typed),
                           .mode = std::exchange(next_mode_, std::nullopt)});
}

void FileLayout::add_from(int descriptor, sandbox::FileOperation operation, std::string typed) {
    add(std::move(operation), std::move(typed));
    operations_.back().text_from = descriptor;
}

void FileLayout::add_overlay(std::string upper, std::string work, std::string destination,
                             std::string typed) {
    std::vector<std::string> layers = take_layers(typed, 1);
    add(sandbox::Mount::overlay(std::move(layers), std::move(upper), std::move(work),
                                std::move(destination)),
        std::move(typed));
}

void FileLayout::add_temporary_overlay(std::string destination, std::string typed) {
    std::vector<std::string> layers = take_layers(typed, 1);
    add(sandbox::Mount::temporary_overlay(std::move(layers), std::move(destination)),
        std::move(typed));
}

void FileLayout::add_read_only_overlay(std::string destination, std::string typed) {
    std::vector<std::string> layers = take_layers(typed, 2);
    add(sandbox::Mount::read_only_overlay(std::move(layers), std::move(destination)),
        std::move(typed));
}

void FileLayout::require_complete() const {
    refuse_pending_layers();
    if (next_mode_) {
        throw UsageError("--perms must be followed by an option that creates a file");
    }
    if (next_size_) {
        throw UsageError("--size must be followed by --tmpfs");
    }
}

std::vector<int> FileLayout::descriptors() const {
    std::vector<int> all;
    for (const TypedOperation& typed : operations_) {
        if (typed.text_from >= 0) {
            all.push_back(typed.text_from);
        }
        if (typed.operation.kind == Kind::bind && typed.operation.descriptor >= 0) {
            all.push_back(typed.operation.descriptor);
        }
    }
    return all;
}

std::vector<std::string> FileLayout::take_layers(const std::string& typed, std::size_t least) {
    if (next_layers_.size() < least) {
        throw UsageError(name_of_option(typed) + " requires at least " +
                         (least == 1 ? "one" : "two") + " --overlay-src");
    }
    return std::exchange(next_layers_, {});
}

void FileLayout::refuse_pending_layers() const {
    if (!next_layers_.empty()) {
        throw UsageError(
            "--overlay-src must be followed by another --overlay-src or one of --overlay, "
            "--tmp-overlay, or --ro-overlay");
    }
}

}  // namespace syncspawn::tools
