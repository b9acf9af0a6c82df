#include "cgroup_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <memory>
#include <sstream>
#include <system_error>

#include <syncspawn/barrier/unique_fd.hpp>

namespace syncspawn::sandbox {
namespace {

std::optional<std::uint64_t> number_of(std::string_view text) noexcept {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() ? std::optional(number) : std::nullopt;
}

std::optional<std::string> read_up_to(std::size_t longest, int directory, const std::string& name) {
    const UniqueFd file(openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    char piece[4096];
    while (file && text.size() < longest) {
        const ssize_t got = read(file.get(), piece, sizeof piece);
        if (got == 0) {
            return text;
        }
        if (got < 0 && errno != EINTR) {
            return std::nullopt;
        }
        text.append(piece, got > 0 ? static_cast<std::size_t>(got) : 0);
    }
    return file ? std::optional(text) : std::nullopt;
}

std::vector<std::string> entries_in(int directory, unsigned char kind) {
    std::vector<std::string> names;
    UniqueFd opened(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(opened ? fdopendir(opened.get()) : nullptr,
                                                      closedir);
    if (entries != nullptr) {
        static_cast<void>(opened.release());
        while (const dirent* const entry = readdir(entries.get())) {
            if (entry->d_type == kind && entry->d_name[0] != '.') {
                names.emplace_back(entry->d_name);
            }
        }
    }
    return names;
}

}  // namespace

std::optional<std::string> read_cgroup_file(int directory, const std::string& name) {
    return read_up_to(1U << 16U, directory, name);
}

std::optional<std::string> read_whole_file(const std::string& path) {
    return read_up_to(SIZE_MAX, AT_FDCWD, path);
}

int write_cgroup_file(int directory, const std::string& name, std::string_view text) noexcept {
    const UniqueFd file(openat(directory, name.c_str(), O_WRONLY | O_CLOEXEC));
    return file && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())
               ? 0
               : errno;
}

std::vector<std::string> words_of(std::string_view text) {
    std::istringstream stream{std::string(text)};
    std::vector<std::string> words;
    for (std::string word; stream >> word;) {
        words.push_back(word);
    }
    return words;
}

std::vector<std::string> words_in(int directory, const std::string& name) {
    return words_of(read_cgroup_file(directory, name).value_or(""));
}

std::optional<std::uint64_t> number_in(int directory, const std::string& name) {
    const auto text = read_cgroup_file(directory, name);
    return text ? number_of(*text) : std::nullopt;
}

std::optional<std::uint64_t> number_in(int directory, const std::string& name,
                                       std::string_view key) {
    std::istringstream lines(read_cgroup_file(directory, name).value_or(""));
    for (std::string word, number; lines >> word >> number;) {
        if (word == key) {
            return number_of(number);
        }
    }
    return std::nullopt;
}

std::vector<std::string> cgroups_in(int directory) { return entries_in(directory, DT_DIR); }

std::vector<std::string> files_in(int directory) { return entries_in(directory, DT_REG); }

}  // namespace syncspawn::sandbox
