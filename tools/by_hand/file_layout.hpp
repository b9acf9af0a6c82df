#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/sandbox/mounts.hpp>

namespace syncspawn::tools {

// An operation, and how it was typed.
struct TypedOperation {
    sandbox::FileOperation operation{};
    std::string typed{};  // "--bind /x /y": what errors call it
    int text_from =
        -1;  // the descriptor whose content a file gets; read when the launch is planned
    std::optional<mode_t>
        mode{};  // --perms; also of missing directories above, as far as it takes bits away
};

// The operations, in the order in which they were typed. What --perms, --size and --overlay-src say is for the next
// one. All throw UsageError for what bubblewrap refuses, in its words where callers know them.
class FileLayout {
public:
    void set_mode(mode_t mode);
    void set_size(std::uint64_t size);
    void add_layer(std::string source);

    void add(sandbox::FileOperation operation, std::string typed);
    // For `file` and `data`: the text is what `descriptor` has.
    void add_from(int descriptor, sandbox::FileOperation operation, std::string typed);
    // The layers come from --overlay-src. `typed` begins with the option's name.
    void add_overlay(std::string upper, std::string work, std::string destination,
                     std::string typed);
    void add_temporary_overlay(std::string destination, std::string typed);
    void add_read_only_overlay(std::string destination, std::string typed);

    // At the end of the command line: nothing is left for an operation that never came.
    void require_complete() const;

    [[nodiscard]] const std::vector<TypedOperation>& operations() const noexcept {
        return operations_;
    }
    // Those that operations read or bind: the program gets none of them.
    [[nodiscard]] std::vector<int> descriptors() const;

private:
    std::vector<std::string> take_layers(const std::string& typed, std::size_t least);
    void refuse_pending_layers() const;

    std::vector<TypedOperation> operations_{};
    std::optional<mode_t> next_mode_{};
    std::optional<std::uint64_t> next_size_{};
    std::vector<std::string> next_layers_{};
};

}  // namespace syncspawn::tools
