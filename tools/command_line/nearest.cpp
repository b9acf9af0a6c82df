#include <algorithm>
#include <numeric>
#include <utility>

#include "command_line.hpp"

namespace syncspawn::tools {
namespace {

std::string_view without_dashes(std::string_view word) {
    return word.substr(std::min(word.find_first_not_of('-'), word.size()));
}

// Letters that are missing, too many, wrong, or swapped with their neighbour.
std::size_t slips_between(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last;
    std::vector<std::size_t> last(b.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t row = 1; row <= a.size(); ++row) {
        std::vector<std::size_t> current(b.size() + 1, row);
        for (std::size_t column = 1; column <= b.size(); ++column) {
            const bool differs = a[row - 1] != b[column - 1];
            current[column] = std::min(
                {last[column] + 1, current[column - 1] + 1, last[column - 1] + (differs ? 1 : 0)});
            if (differs && row > 1 && column > 1 && a[row - 1] == b[column - 2] &&
                a[row - 2] == b[column - 1]) {
                current[column] = std::min(current[column], before_last[column - 2] + 1);
            }
        }
        before_last = std::exchange(last, std::move(current));
    }
    return last.back();
}

}  // namespace

std::string_view nearest_to(std::string_view word, const std::vector<std::string_view>& known) {
    const std::string_view bare = without_dashes(word);
    const auto begins_so = [&](std::string_view name) {
        return bare.size() > 1 && without_dashes(name).starts_with(bare);
    };
    if (std::count_if(known.begin(), known.end(), begins_so) == 1) {
        return *std::find_if(known.begin(), known.end(), begins_so);
    }
    std::string_view nearest;
    std::size_t fewest = bare.size() / 3 + 1;  // one slip in three letters, at most
    for (const std::string_view name : known) {
        const std::size_t slips = slips_between(bare, without_dashes(name));
        if (slips < fewest) {
            fewest = slips;
            nearest = name;
        }
    }
    return nearest;
}

std::string listed(const std::vector<std::string_view>& words, std::string_view last_link) {
    std::string list;
    for (std::size_t at = 0; at < words.size(); ++at) {
        if (at > 0 && at + 1 == words.size()) {
            list.append(" ").append(last_link).append(" ");
        } else if (at > 0) {
            list += ", ";
        }
        list += words[at];
    }
    return list;
}

}  // namespace syncspawn::tools
