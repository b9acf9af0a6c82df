#include <syncspawn/sandbox/policy_file.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include <syncspawn/barrier/unique_fd.hpp>

#include "barrier/linux/owned_descriptor.hpp"

namespace syncspawn::sandbox {
namespace {

std::string lines_of(const std::string& name, const std::vector<PolicyFileProblem>& problems) {
    std::string lines;
    for (const PolicyFileProblem& problem : problems) {
        lines += lines.empty() ? "" : "\n";
        lines += name + ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column) +
                 ": " + (problem.key.empty() ? "" : problem.key + ": ") + problem.text;
    }
    return lines;
}

// A file may come from anywhere, and what it says may go to a terminal.
std::string printable(std::string text) {
    for (char& character : text) {
        const auto code = static_cast<unsigned char>(character);
        character = (code < 0x20 && character != '\n') || code == 0x7f ? '?' : character;
    }
    return text;
}

}  // namespace

PolicyFileError::PolicyFileError(const std::string& name, std::vector<PolicyFileProblem> problems)
    : std::runtime_error(printable(lines_of(name, problems))), problems_(std::move(problems)) {}

Policy read_policy_file(const std::string& path) {
    const UniqueFd file =
        detail::owned(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY), path.c_str());
    std::string text;
    std::array<char, 1U << 16U> piece;
    // One byte more tells that it is too long.
    while (text.size() <= longest_policy) {
        const std::size_t room = longest_policy + 1 - text.size();
        const ssize_t got = read(file.get(), piece.data(), std::min(piece.size(), room));
        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            throw std::system_error(errno, std::generic_category(), path);
        }
        text.append(piece.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    }
    return parse_policy(text, path);
}

}  // namespace syncspawn::sandbox
