#include "options.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>

#include "tools/command_line/command_line.hpp"
#include "tools/command_line/values.hpp"

namespace syncspawn::tools::bwrap {
namespace {

std::array<std::span<const Row>, 3> all_rows() {
    return {namespace_rows(), program_rows(), file_rows()};
}

void add_line(std::string& text, const std::string& names, const char* help) {
    constexpr std::size_t column = 33;
    std::string line = "    " + names;
    line.resize(std::max(line.size() + 1, column), ' ');
    text += line + help + "\n";
}

}  // namespace

std::string Given::typed() const {
    std::string text = name;
    for (const char* const word : values) {
        text += std::string(" ") + word;
    }
    return text;
}

int Given::descriptor(std::size_t which) const {
    try {
        return static_cast<int>(
            parse_whole_number(values[which], 0, std::numeric_limits<int>::max()));
    } catch (const std::invalid_argument&) {
        throw UsageError("Invalid fd: " + value(which));
    }
}

std::size_t Row::count_of_arguments() const noexcept {
    const std::string_view names = arguments;
    return names.empty()
               ? 0
               : static_cast<std::size_t>(std::count(names.begin(), names.end(), ' ')) + 1;
}

const Row* row_named(std::string_view name) {
    for (const std::span<const Row> rows : all_rows()) {
        for (const Row& row : rows) {
            if (row.name == name) {
                return &row;
            }
        }
    }
    return nullptr;
}

std::string usage(const char* program) {
    std::string text =
        "usage: " + std::string(program) + " [OPTIONS...] [--] COMMAND [ARGS...]\n\n";
    add_line(text, "--help", "Print this help");
    add_line(text, "--version", "Print the version");
    add_line(text, "--args FD", "Read options from FD, each ended by a NUL byte");
    for (const std::span<const Row> rows : all_rows()) {
        for (const Row& row : rows) {
            const std::string arguments = row.arguments;
            add_line(text, arguments.empty() ? row.name : row.name + (" " + arguments), row.help);
        }
    }
    return text;
}

void count_once(Request& request, const Given& given) {
    if (!request.single_options.insert(given.name).second) {
        request.speaker.warn("Only the last " + std::string(given.name) +
                             " option will take effect");
    }
}

}  // namespace syncspawn::tools::bwrap
