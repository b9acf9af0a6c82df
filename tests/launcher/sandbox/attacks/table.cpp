#include "table.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace syncspawn::attacks {
namespace {

constexpr const char* heading = "## Attacks";
const std::vector<std::string> columns{"guarantee", "attack", "namespaces", "Landlock and seccomp",
                                       "both"};

[[noreturn]] void complain(const std::string& what, const std::string& line) {
    throw std::runtime_error(what + ": " + line);
}

std::string trimmed(const std::string& text) {
    const std::size_t begin = text.find_first_not_of(' ');
    return begin == std::string::npos ? ""
                                      : text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

// "| a | b |"
std::vector<std::string> split(const std::string& line) {
    std::vector<std::string> words;
    std::istringstream rest(line.substr(1));
    for (std::string word; std::getline(rest, word, '|');) {
        words.push_back(trimmed(word));
    }
    return words;
}

Verdict verdict_of(const std::string& word, const std::string& line) {
    if (word == "denied") return Verdict::denied;
    if (word == "allowed") return Verdict::allowed;
    if (word == "not covered") return Verdict::not_covered;
    complain("'" + word + "' is no verdict", line);
}

Cell cell_of(const std::string& text, const std::string& line) {
    const std::string opening = " (root: ";
    const std::size_t exception = text.find(opening);
    if (exception == std::string::npos) {
        const Verdict both = verdict_of(text, line);
        return {both, both};
    }
    if (text.back() != ')') {
        complain("a bracket is open", line);
    }
    const std::size_t begin = exception + opening.size();
    const Cell cell{verdict_of(text.substr(begin, text.size() - 1 - begin), line),
                    verdict_of(text.substr(0, exception), line)};
    if (cell.for_root == cell.for_others) {
        complain("root is no exception", line);
    }
    return cell;
}

Row row_of(const std::string& line) {
    const std::vector<std::string> words = split(line);
    if (words.size() != columns.size()) {
        complain("not as many columns as there should be", line);
    }
    return {words[0],
            words[1],
            {cell_of(words[2], line), cell_of(words[3], line), cell_of(words[4], line)}};
}

bool is_rule(const std::string& line) { return line.find_first_not_of("|- ") == std::string::npos; }

}  // namespace

std::vector<Row> read_table(const std::string& document) {
    std::vector<Row> rows;
    std::istringstream lines(document);
    bool is_in_section = false;
    bool has_head = false;
    for (std::string line; std::getline(lines, line);) {
        is_in_section = line.starts_with("## ") ? line == heading : is_in_section;
        if (!is_in_section || !line.starts_with("|") || is_rule(line)) {
            continue;
        }
        if (!has_head) {
            has_head = split(line) == columns;
            continue;
        }
        rows.push_back(row_of(line));
    }
    if (rows.empty()) {
        throw std::runtime_error(std::string("there is no table under ") + heading);
    }
    return rows;
}

}  // namespace syncspawn::attacks
