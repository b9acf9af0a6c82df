#pragma once

#include <span>
#include <string>
#include <string_view>

#include "request.hpp"

namespace syncspawn::tools::bwrap {

// An option as it was given.
struct Given {
    const char* name;
    std::span<const char* const> values;

    // "--bind /x /y"
    [[nodiscard]] std::string typed() const;
    [[nodiscard]] std::string value(std::size_t which = 0) const { return values[which]; }
    [[nodiscard]] int descriptor(std::size_t which = 0) const;
};

// One option. Functions of a table, made by the compiler: a start of this program is to cost little.
struct Row {
    const char* name;
    const char* arguments;  // "SRC DEST"
    const char* help;
    void (*apply)(Request& request, const Given& given);

    [[nodiscard]] std::size_t count_of_arguments() const noexcept;
};

// In the order of --help. --args is not among them: it is the parser's.
std::span<const Row> file_rows();
std::span<const Row> namespace_rows();
std::span<const Row> program_rows();

// Nothing if there is none.
const Row* row_named(std::string_view name);

// Text of --help.
std::string usage(const char* program);

// Says so if an option that counts once comes again.
void count_once(Request& request, const Given& given);

}  // namespace syncspawn::tools::bwrap
