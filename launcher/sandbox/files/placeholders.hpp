#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>

#include "launcher/reaper/guardian.hpp"
#include "registry.hpp"

namespace syncspawn::sandbox {

// What a placeholder says. In /proc nobody can make anything, so nothing can be made through the link either.
constexpr const char* placeholder_target = "/proc/syncspawn/absent";

// Symbolic links that lead nowhere, in the place of files that do not exist and are not to be made inside: there must
// be something that a mount can pin. They lie in the host's tree, where "open" and "stat" find as little as before
// (ENOENT), for as long as a sandbox needs them. Who removes them, and when: README.md.
class Placeholders {
public:
    Placeholders() = default;
    Placeholders(const Placeholders&) = delete;
    Placeholders& operator=(const Placeholders&) = delete;
    // Removes them, unless the process may live on that needs them: then its guardian does.
    ~Placeholders();

    // Puts one at each path, unless something is there, or nothing can be made there by this user. Once for each
    // object. Throws std::system_error.
    void place(const std::vector<std::string>& paths);
    // They stay until the end of this one, whose pidfd it is, even if this process dies.
    void watch(int process) noexcept;
    // Removes those that nobody else needs, and that are still what they were.
    void remove() noexcept;

    // Of all that this user has left anywhere.
    static void remove_abandoned();
    // Throws std::system_error if there can be none.
    static Registry open_registry();

private:
    struct Held {
        std::size_t directory;
        std::string name;
        std::string record;
        bool
            is_known;  // a link in its place is of this user, whomever the file system says it is of
    };
    std::size_t open_directory(const std::string& path);
    [[nodiscard]] bool is_occupied(std::size_t directory, const std::string& name) const noexcept;
    void start_guardian();
    [[nodiscard]] bool make(Held& held) const;
    [[nodiscard]] bool is_there(const Held& held) const;
    void let_go(const Held& held) const noexcept;
    void leave_to_guardian() noexcept;

    struct Directory {
        std::string path;
        UniqueFd fd;
    };
    std::vector<Directory> directories_{};
    std::vector<Held> held_{};
    Registry registry_{};
    detail::Guardian guardian_{};
    bool is_needed_by_process_ = false;
    pid_t maker_ = 0;  // not its copy by fork(2)
};

}  // namespace syncspawn::sandbox
