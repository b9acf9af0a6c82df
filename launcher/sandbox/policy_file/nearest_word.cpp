#include "nearest_word.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

namespace syncspawn::sandbox {
namespace {

// How many characters must be put in, taken out or changed (Levenshtein).
std::size_t distance(std::string_view from, std::string_view to) {
    std::vector<std::size_t> row(to.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t line = 1; line <= from.size(); ++line) {
        std::size_t diagonal = std::exchange(row[0], line);
        for (std::size_t column = 1; column <= to.size(); ++column) {
            const std::size_t changed = diagonal + (from[line - 1] != to[column - 1] ? 1 : 0);
            diagonal = row[column];
            row[column] = std::min({changed, row[column] + 1, row[column - 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

std::string_view nearest_word(std::string_view word, const std::vector<std::string_view>& known) {
    // A slip leaves most of a word. None of a long one is looked at: it takes time, and is no slip.
    constexpr std::size_t longest = 64;
    std::string_view nearest;
    std::size_t least = std::max<std::size_t>(word.size() / 3, 1) + 1;
    for (const std::string_view candidate : known) {
        const bool is_part = word.size() >= 3 && candidate.starts_with(word);
        const std::size_t changes = word.size() > longest ? least
                                    : is_part             ? 1
                                                          : distance(word, candidate);
        if (changes < least) {
            least = changes;
            nearest = candidate;
        }
    }
    return nearest;
}

}  // namespace syncspawn::sandbox
