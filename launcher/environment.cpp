#include <syncspawn/launcher/environment.hpp>

#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace syncspawn {
namespace {

bool is_named(const std::string& entry, std::string_view name) {
    return entry.size() > name.size() && entry.compare(0, name.size(), name) == 0 &&
           entry[name.size()] == '=';
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
    unset(name);
    entries_.push_back(std::string(name) + "=" + std::string(value));
    return *this;
}

Environment& Environment::unset(std::string_view name) {
    std::erase_if(entries_, [&](const std::string& entry) { return is_named(entry, name); });
    return *this;
}

Environment& Environment::clear() noexcept {
    entries_.clear();
    return *this;
}

std::optional<std::string> Environment::get(std::string_view name) const {
    const auto found =
        std::find_if(entries_.begin(), entries_.end(),
                     [&](const std::string& entry) { return is_named(entry, name); });
    if (found == entries_.end()) {
        return std::nullopt;
    }
    return found->substr(name.size() + 1);
}

}  // namespace syncspawn
