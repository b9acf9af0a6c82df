#include <syncspawn/launcher/environment.hpp>

#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>

namespace syncspawn {
namespace {

// Fewer entries are looked through faster than an index is made.
constexpr std::size_t many = 64;

// "NAME=", or nothing.
std::string_view key_of(const std::string& entry) {
    return std::string_view(entry).substr(0, entry.find('=') + 1);
}

auto is_of(const std::string& key) {
    return [&key](const std::string& entry) { return key_of(entry) == key; };
}

void check(bool is_valid, std::string_view name, const char* rule) {
    if (!is_valid) {
        throw std::invalid_argument("environment variable '" + std::string(name) + "': " + rule);
    }
}

}  // namespace

Environment Environment::current() { return copy_of(environ); }

Environment Environment::copy_of(const char* const* entries) {
    Environment environment;
    for (const char* const* entry = entries; entry != nullptr && *entry != nullptr; ++entry) {
        environment.entries_.emplace_back(*entry);
    }
    return environment;
}

Environment& Environment::set(std::string_view name, std::string_view value) {
    check(!name.empty() && name.find('=') == std::string_view::npos, name,
          "a name must not be empty or contain '='");
    check(name.find('\0') == std::string_view::npos && value.find('\0') == std::string_view::npos,
          name, "neither name nor value may contain a NUL");
    const std::string key = std::string(name) + "=";
    const std::size_t place = only_place_of(key);
    if (place == entries_.size()) {
        entries_.emplace_back();
    }
    entries_[place] = key + std::string(value);
    return *this;
}

// The number of entries if there is no such key. If there were several, only the first is left.
std::size_t Environment::only_place_of(const std::string& key) {
    if (entries_.size() >= many) {
        while (index_.size() < entries_.size()) {
            const std::size_t next = index_.size();
            index_.emplace(key_of(entries_[next]), next);
        }
        const auto [first, last] = index_.equal_range(key);
        if (first == last || std::next(first) == last) {
            return first == last ? entries_.size() : first->second;
        }
    }
    const auto found = std::find_if(entries_.begin(), entries_.end(), is_of(key));
    if (found != entries_.end()) {
        entries_.erase(std::remove_if(std::next(found), entries_.end(), is_of(key)),
                       entries_.end());
        index_.clear();
    }
    return static_cast<std::size_t>(found - entries_.begin());
}

Environment& Environment::unset(std::string_view name) {
    const std::string key = std::string(name) + "=";
    if (std::erase_if(entries_, is_of(key)) > 0) {
        index_.clear();
    }
    return *this;
}

Environment& Environment::clear() noexcept {
    entries_.clear();
    index_.clear();
    return *this;
}

std::optional<std::string> Environment::get(std::string_view name) const {
    const std::string key = std::string(name) + "=";
    const auto found = std::find_if(entries_.begin(), entries_.end(), is_of(key));
    if (found == entries_.end()) {
        return std::nullopt;
    }
    return found->substr(key.size());
}

}  // namespace syncspawn
