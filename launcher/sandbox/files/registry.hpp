#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::sandbox {

// What this user's sandboxes have on the host: README.md. A record for each thing, and one file of locks: who needs
// the thing holds a shared lock on the byte that is its record's. Locks end with their holders.
class Registry {
public:
    Registry() = default;
    // Makes it, if need be, in a directory of this name. Throws std::system_error.
    static Registry open(const std::string& name);

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] int directory() const noexcept { return directory_.get(); }
    [[nodiscard]] int locks() const noexcept { return locks_.get(); }

    // Whether there is such a record: somebody of this user needs the thing, or has needed it.
    [[nodiscard]] bool knows(const std::string& record) const noexcept;
    // Waits some seconds for who is just removing it. Throws std::system_error.
    void hold(const std::string& record, const std::string& text) const;
    // No longer held here. True: nor anywhere else, until it is forgotten.
    [[nodiscard]] bool let_go(const std::string& record) const noexcept;
    void forget(const std::string& record) const noexcept;

    // Until this process ends.
    void keep_locks() noexcept { static_cast<void>(locks_.release()); }

    [[nodiscard]] std::vector<std::string> records() const;
    [[nodiscard]] std::string text_of(const std::string& record) const;
    static std::int64_t byte_of(const std::string& record) noexcept;

private:
    [[nodiscard]] bool lock(short type, const std::string& record) const noexcept;

    std::string path_{};
    UniqueFd directory_{};
    UniqueFd locks_{};
};

}  // namespace syncspawn::sandbox
