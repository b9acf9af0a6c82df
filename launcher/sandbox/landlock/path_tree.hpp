#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <syncspawn/sandbox/landlock.hpp>

namespace syncspawn::sandbox {

constexpr auto every_access = static_cast<LandlockAccess>(~0U);

constexpr LandlockAccess without(LandlockAccess access, LandlockAccess taken) noexcept {
    return static_cast<LandlockAccess>(static_cast<std::uint32_t>(access) &
                                       ~static_cast<std::uint32_t>(taken));
}

// Paths by their names: what each may, and what all below it may.
struct PathTree {
    std::optional<LandlockAccess> own{};         // not set: as what it is in
    LandlockAccess of_all_below = every_access;  // after sum_up()
    std::map<std::string, PathTree, std::less<>> below{};

    // `path` is absolute, without ".", ".." and doubled slashes.
    PathTree& at(std::string_view path) {
        PathTree* tree = this;
        for (path.remove_prefix(1); !path.empty();) {
            const std::size_t end = std::min(path.find('/'), path.size());
            tree = &tree->below.try_emplace(std::string(path.substr(0, end))).first->second;
            path.remove_prefix(std::min(end + 1, path.size()));
        }
        return *tree;
    }

    void sum_up() {
        for (auto& [name, tree] : below) {
            tree.sum_up();
            of_all_below = of_all_below & tree.own.value_or(every_access) & tree.of_all_below;
        }
    }
};

}  // namespace syncspawn::sandbox
