#pragma once

#include <string>
#include <utility>
#include <vector>

/// The descriptors of the program: SpawnOptions::streams and SpawnOptions::descriptors.
///
///     #include <fcntl.h>
///     #include <syncspawn/launcher.hpp>
///
///     int main() {
///         const syncspawn::UniqueFd file(open("/proc/self/status", O_RDONLY | O_CLOEXEC));
///         const syncspawn::SyncedSpawner spawner(
///             {.program = "grep",
///              .arguments = {"-q", "^Name:", "/dev/fd/3"},
///              .streams = {.input = syncspawn::Stdio::null()},
///              .descriptors = {.passed = {{.from = file.get(), .to = 3}}}});
///         return spawner.spawn().wait().shell_code();
///     }
///
/// The program gets 0, 1, 2 and what you pass, nothing else. Whether a descriptor of yours is close-on-exec
/// does not matter: name it, and the program gets it; do not, and it does not. Yours stay open, with the
/// flags they had.

namespace syncspawn {

/// Where a standard stream of the program comes from or goes to.
class Stdio {
public:
    enum class Kind { inherit, null, descriptor, pipe, same_as_output, same_as_error, text };

    /// The parent's own stream (default).
    static Stdio inherit() noexcept { return {Kind::inherit, -1}; }
    /// /dev/null.
    static Stdio null() noexcept { return {Kind::null, -1}; }
    /// A descriptor of the parent. Borrowed until spawn() returns.
    static Stdio descriptor(int fd) noexcept { return {Kind::descriptor, fd}; }
    /// A new pipe. Your end of it is in the Process: Process::standard_input() and so on.
    static Stdio pipe() noexcept { return {Kind::pipe, -1}; }
    /// For `error`: wherever `output` goes, as `2>&1`.
    static Stdio same_as_output() noexcept { return {Kind::same_as_output, -1}; }
    /// For `output`: wherever `error` goes, as `>&2`.
    static Stdio same_as_error() noexcept { return {Kind::same_as_error, -1}; }
    /// For `input`: this text and then its end. However long it is, nobody waits for anybody.
    static Stdio text(std::string text) noexcept { return {Kind::text, -1, std::move(text)}; }

    Stdio() noexcept = default;
    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] const std::string& text_or_path() const noexcept { return text_; }

private:
    Stdio(Kind kind, int fd, std::string text = {}) noexcept
        : kind_(kind), fd_(fd), text_(std::move(text)) {}
    Kind kind_ = Kind::inherit;
    int fd_ = -1;
    std::string text_{};
};

/// The standard streams.
struct Streams {
    Stdio input{};
    Stdio output{};
    Stdio error{};
};

/// A descriptor that the program gets beside its standard streams.
struct PassedDescriptor {
    int from = -1;  ///< its number in the parent; borrowed until spawn() returns
    int to = -1;    ///< its number in the program, at least 3
};

/// What happens to the descriptors of the parent that you do not name.
enum class OtherDescriptors {
    close,  ///< they are closed in the child, before its first part runs
    /// They stay open, as after fork(2). The child parts may use them and open more. The program gets all
    /// that are not close-on-exec. For parts that sort this out themselves: ChildSide::keep_only().
    leave,
};

/// What the program gets beside its standard streams.
struct Descriptors {
    std::vector<PassedDescriptor> passed{};
    /// Those that neither `passed` nor the streams name.
    OtherDescriptors others = OtherDescriptors::close;
    /// Numbers that your child parts fill themselves, by dup2(2). The launch then keeps its own descriptors
    /// off them. What `passed` and the streams pass on must have another number in the parent, or your dup2(2)
    /// would overwrite it.
    std::vector<int> filled_by_parts{};
};

}  // namespace syncspawn
