#pragma once

#include <string>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::sandbox {

// What a placeholder says. In /proc nobody can make anything, so nothing can be made through the link either.
constexpr const char* placeholder_target = "/proc/syncspawn/absent";

// Symbolic links that lead nowhere, in the place of files that do not exist and are not to be made inside: there must
// be something that a mount can pin. They lie in the host's tree, where "open" and "stat" find as little as before
// (ENOENT), for as long as a sandbox needs them.
//
// Several sandboxes, even of several processes, may need the same one. So each holds a shared lock on a file in a
// registry of the user, and the last one removes the link. Locks end with their process, so what a killed one has
// left is known by its lock, and is removed by remove_abandoned().
class Placeholders {
public:
    Placeholders() = default;
    Placeholders(Placeholders&&) = default;
    Placeholders& operator=(Placeholders&&) = delete;
    Placeholders(const Placeholders&) = delete;
    Placeholders& operator=(const Placeholders&) = delete;
    ~Placeholders() { remove(); }

    // Puts one there, unless something is there, or nothing can be made there by this user. Throws std::system_error.
    void place(const std::string& path);
    // Removes those that nobody else needs, and that are still what they were.
    void remove() noexcept;

    // Of all that this user has left anywhere.
    static void remove_abandoned();

private:
    struct Held {
        UniqueFd directory;
        std::string name;
        UniqueFd lock;
        std::string record;
    };
    static void let_go(const Held& held) noexcept;

    std::vector<Held> held_{};
};

}  // namespace syncspawn::sandbox
