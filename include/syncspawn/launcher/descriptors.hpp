#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
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
///              .streams = {.input = syncspawn::Stdio::null(),
///                          .output = syncspawn::Stdio::write_to("/dev/null"),
///                          .error = syncspawn::Stdio::same_as_output()},
///              .descriptors = {.passed = {{.from = file.get(), .to = 3}}}});
///         return spawner.spawn().wait().shell_code();
///     }
///
/// The program gets 0, 1, 2 and what you pass, nothing else. Whether a descriptor of yours is close-on-exec
/// does not matter: name it, and the program gets it; do not, and it does not. Yours stay open, with the
/// flags they had.

namespace syncspawn {

/// Where a standard stream of the program comes from or goes to.
///
///     .streams = {.input = Stdio::text("hello"), .output = Stdio::pipe(), .error = Stdio::same_as_output()}
///     .streams = {.input = Stdio::read_from("in"), .output = Stdio::write_to("out")}
///
/// A value: copy it, keep it. What it stands for is opened for each launch anew, in this process, with its
/// rights, its directory and its umask. If that fails, so does the launch (Stage::prepare), and nothing was
/// started; the error names the path. Nothing here waits for another process.
class Stdio {
public:
    enum class Kind {
        inherit,
        null,
        descriptor,
        pipe,
        same_as_output,
        same_as_error,
        text,
        read_from,
        write_to,
        append_to,
        create,
        terminal,
    };

    /// The parent's own stream (default).
    static Stdio inherit() noexcept { return Stdio(Kind::inherit); }
    /// /dev/null.
    static Stdio null() noexcept { return Stdio(Kind::null); }
    /// A descriptor of the parent. Borrowed until spawn() returns.
    static Stdio descriptor(int fd) noexcept { return Stdio(Kind::descriptor, fd); }
    /// A new pipe. Your end of it is in the Process: Process::standard_input() and so on. A pipe holds
    /// 64 KiB, as a rule; whoever writes more waits until somebody reads.
    static Stdio pipe() noexcept { return Stdio(Kind::pipe); }
    /// A pipe that holds at least so much, 1 byte to 1 GiB. The kernel grants an ordinary user what
    /// /proc/sys/fs/pipe-max-size says, 1 MiB as a rule.
    static Stdio pipe(std::size_t bytes) noexcept {
        constexpr std::size_t most = std::size_t{1} << 30;
        return Stdio(Kind::pipe, bytes == 0 || bytes > most ? -1 : static_cast<int>(bytes));
    }
    /// For `error`: wherever `output` goes, as `2>&1` in a shell. What is written to both stays in order.
    static Stdio same_as_output() noexcept { return Stdio(Kind::same_as_output); }
    /// For `output`: wherever `error` goes, as `>&2` in a shell.
    static Stdio same_as_error() noexcept { return Stdio(Kind::same_as_error); }

    /// For `input`: this text, and then the end of the input. It lies in memory (memfd_create(2)), or in a
    /// file without a name where that is refused. So no text is too long for a pipe, and nobody waits.
    ///
    /// Copies of a Stdio share the text.
    static Stdio text(std::string text) { return {Kind::text, 0, std::move(text)}; }
    /// For `input`: a file, as `< path`.
    ///
    /// This and the following never wait for the other end of a FIFO: if nobody has that open, the launch fails
    /// with ENXIO.
    static Stdio read_from(std::string path) { return {Kind::read_from, 0, std::move(path)}; }
    /// For `output` and `error`: a file, as `> path`: it is emptied, or made with these permissions less the
    /// umask. For both into one file, use same_as_output(): each of two would overwrite the other.
    static Stdio write_to(std::string path, mode_t permissions = 0666) {
        return {Kind::write_to, static_cast<int>(permissions), std::move(path)};
    }
    /// The same, but written to its end, as `>> path`.
    static Stdio append_to(std::string path, mode_t permissions = 0666) {
        return {Kind::append_to, static_cast<int>(permissions), std::move(path)};
    }
    /// The same, but the file must not exist yet (EEXIST).
    static Stdio create(std::string path, mode_t permissions = 0666) {
        return {Kind::create, static_cast<int>(permissions), std::move(path)};
    }
    /// This process's terminal, /dev/tty, wherever its own streams go. ENXIO if it has none.
    static Stdio terminal() noexcept { return Stdio(Kind::terminal); }

    Stdio() noexcept = default;
    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    /// Of a descriptor; else -1.
    [[nodiscard]] int fd() const noexcept { return kind_ == Kind::descriptor ? number_ : -1; }
    /// Of a pipe: what it should hold; 0: what the kernel likes; -1: none of the sizes allowed.
    [[nodiscard]] int pipe_bytes() const noexcept { return kind_ == Kind::pipe ? number_ : 0; }
    /// Of a file that may be made.
    [[nodiscard]] mode_t permissions() const noexcept { return static_cast<mode_t>(number_); }
    /// The text, or the path of a file.
    [[nodiscard]] std::string_view text_or_path() const noexcept {
        return text_or_path_ != nullptr ? std::string_view(*text_or_path_) : std::string_view();
    }

private:
    explicit Stdio(Kind kind, int number = 0) noexcept : kind_(kind), number_(number) {}
    Stdio(Kind kind, int number, std::string text_or_path)
        : kind_(kind),
          number_(number),
          text_or_path_(std::make_shared<const std::string>(std::move(text_or_path))) {}

    Kind kind_ = Kind::inherit;
    int number_ = 0;
    std::shared_ptr<const std::string> text_or_path_{};
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
