#include "nearest_word.hpp"

#include <algorithm>
#include <cstddef>

#include "launcher/sandbox/edit_distance.hpp"

namespace syncspawn::sandbox {
std::string_view nearest_word(std::string_view word, const std::vector<std::string_view>& known) {
    // A slip leaves most of a word. None of a long one is looked at: it takes time, and is no slip.
    constexpr std::size_t longest = 64;
    std::string_view nearest;
    std::size_t least = std::max<std::size_t>(word.size() / 3, 1) + 1;
    for (const std::string_view candidate : known) {
        const bool is_part = word.size() >= 3 && candidate.starts_with(word);
        const std::size_t changes = word.size() > longest ? least
                                    : is_part             ? 1
                                                          : edit_distance(word, candidate);
        if (changes < least) {
            least = changes;
            nearest = candidate;
        }
    }
    return nearest;
}

}  // namespace syncspawn::sandbox
