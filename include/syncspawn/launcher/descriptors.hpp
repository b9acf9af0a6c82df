#pragma once

#include <vector>

/// What the program gets to read and write: SpawnOptions::streams and SpawnOptions::descriptors.

namespace syncspawn {

/// Where a standard stream of the program comes from or goes to.
class Stdio {
public:
    enum class Kind { inherit, null, descriptor, pipe };

    /// The parent's own stream, whatever its close-on-exec flag says. The default.
    static Stdio inherit() noexcept { return {Kind::inherit, -1}; }
    /// /dev/null.
    static Stdio null() noexcept { return {Kind::null, -1}; }
    /// A descriptor of the parent. Borrowed until spawn() returns.
    static Stdio descriptor(int fd) noexcept { return {Kind::descriptor, fd}; }
    /// A new pipe; the Process holds the parent's end.
    static Stdio pipe() noexcept { return {Kind::pipe, -1}; }

    Stdio() noexcept = default;
    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    Stdio(Kind kind, int fd) noexcept : kind_(kind), fd_(fd) {}
    Kind kind_ = Kind::inherit;
    int fd_ = -1;
};

/// The standard streams.
struct Streams {
    Stdio input{};
    Stdio output{};
    Stdio error{};
};

/// A descriptor that the program gets beside its standard streams.
struct PassedDescriptor {
    int from = -1;  ///< in the parent; borrowed until spawn() returns
    int to = -1;    ///< in the program, at least 3
};

/// What happens to the parent's descriptors that nothing here names.
enum class OtherDescriptors {
    close,  ///< they are closed before the first child part runs
    /// They stay as they are, as after fork(2): open to the child parts, and the program gets those
    /// without the close-on-exec flag, with what the parts have opened so. For parts that see to that
    /// themselves.
    leave,
};

/// What the program gets beside its standard streams.
struct Descriptors {
    std::vector<PassedDescriptor> passed{};
    /// All that `passed` and the streams do not name.
    OtherDescriptors others = OtherDescriptors::close;
    /// Numbers that the child parts fill themselves (dup2(2)), not by what is above: the launch keeps
    /// its own descriptors in the child off them. What `passed` and the streams pass on must not
    /// have such a number in the parent.
    std::vector<int> filled_by_parts{};
};

}  // namespace syncspawn
