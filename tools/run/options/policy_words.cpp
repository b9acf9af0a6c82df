#include "policy_words.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "tools/command_line/values.hpp"
#include "tools/doors/outside_address.hpp"

namespace syncspawn::tools {
namespace {

using sandbox::Guarantee;
using sandbox::Network;
using sandbox::Services;
using sandbox::Tree;

template <class Value, std::size_t Count>
Value choice(const std::string& text, const std::array<std::pair<const char*, Value>, Count>& all) {
    std::string known;
    for (const auto& [name, value] : all) {
        if (text == name) {
            return value;
        }
        known += (known.empty()              ? ""
                  : name == all.back().first ? " or "
                                             : ", ") +
                 std::string(name);
    }
    throw std::invalid_argument("'" + text + "' is not " + known);
}

constexpr std::array guarantees{
    Guarantee::files,      Guarantee::network,      Guarantee::services, Guarantee::processes,
    Guarantee::privileges, Guarantee::system_calls, Guarantee::limits};

// "system calls" without the blank, which would have to be quoted.
std::string word_of(Guarantee guarantee) {
    std::string word(name_of(guarantee));
    std::replace(word.begin(), word.end(), ' ', '-');
    return word;
}

std::pair<std::string, std::string> halves(const std::string& text, const char* form) {
    const std::size_t sign = text.find('=');
    if (sign == std::string::npos || sign == 0 || sign + 1 == text.size()) {
        throw std::invalid_argument("'" + text + "' is not " + form);
    }
    return {text.substr(0, sign), text.substr(sign + 1)};
}

}  // namespace

std::string absolute_path(const std::string& path) {
    if (path.empty()) {
        throw std::invalid_argument("a path must not be empty");
    }
    std::string absolute;
    for (const auto& name : std::filesystem::absolute(path)) {
        // What ".." leads to is a matter of links. A last name that is empty stands for a slash.
        if (name != "." && name != "/" && !name.empty()) {
            absolute += "/" + name.string();
        }
    }
    return absolute.empty() ? "/" : absolute;
}

Tree parse_tree(const std::string& text) {
    return choice(
        text, std::array{std::pair("host-read-only", Tree::host_read_only),
                         std::pair("host", Tree::host), std::pair("named-only", Tree::named_only)});
}

Network parse_network(const std::string& text) {
    return choice(
        text, std::array{std::pair("none", Network::none), std::pair("loopback", Network::loopback),
                         std::pair("host", Network::host)});
}

Services parse_services(const std::string& text) {
    return choice(text,
                  std::array{std::pair("none", Services::none), std::pair("host", Services::host)});
}

double parse_cpu_count(const std::string& text) {
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
    if (error != std::errc{} || rest != end || !std::isfinite(number) || number <= 0) {
        throw std::invalid_argument("'" + text + "' is not a number of CPUs, as 2 or 1.5");
    }
    return number;
}

std::vector<Guarantee> parse_guarantees(const std::string& text) {
    if (text == "all") {
        return {guarantees.begin(), guarantees.end()};
    }
    std::string known;
    for (const Guarantee guarantee : guarantees) {
        if (text == word_of(guarantee) || text == name_of(guarantee)) {
            return {guarantee};
        }
        known += word_of(guarantee) + ", ";
    }
    throw std::invalid_argument("'" + text + "' is no guarantee: there are " + known +
                                "and 'all' for all of them");
}

DoorWords parse_door(const std::string& text) {
    const auto [name, addresses] = halves(text, "a door: say NAME=ADDRESS or NAME=ADDRESS,OUTSIDE");
    const std::size_t comma = addresses.find(',');
    std::string inside = addresses.substr(0, comma);
    std::string outside = comma == std::string::npos ? inside : addresses.substr(comma + 1);
    if (outside.starts_with('.')) {
        outside = absolute_path(outside);
    }
    (void)parse_outside_address(outside);
    return {{.name = name, .address = std::move(inside)}, std::move(outside)};
}

BoundDescriptor parse_bound_descriptor(const std::string& text) {
    const auto [name, number] = halves(text, "NAME=FD");
    return {name, parse_open_descriptor(number)};
}

}  // namespace syncspawn::tools
