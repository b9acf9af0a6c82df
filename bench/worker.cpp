#include "worker.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "machine.hpp"

namespace syncspawn::bench {
namespace {

void take_ballast(std::size_t size, bool wants_huge_pages) {
    void* const memory =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(memory != MAP_FAILED, "no room for the ballast");
    madvise(memory, size, wants_huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    constexpr std::size_t page = 4096;
    for (std::size_t at = 0; at < size; at += page) {
        static_cast<volatile char*>(memory)[at] = 1;
    }
}

void say(const std::string& line) {
    const std::string_view text = line;
    expect(write(STDOUT_FILENO, text.data(), text.size()) == static_cast<ssize_t>(text.size()),
           "nobody reads the answer");
}

// One line at a time is under way, so one read gives one line.
bool hear(std::string& line) {
    char buffer[256];
    const ssize_t size = read(STDIN_FILENO, buffer, sizeof buffer);
    line.assign(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
    return size > 0;
}

std::string times_of(const Method& method, long count) {
    std::string answer;
    if (method.prepare) {
        method.prepare();
    }
    for (long done = 0; done < count; ++done) {
        const auto start = std::chrono::steady_clock::now();
        method.launch();
        const std::chrono::nanoseconds spent = std::chrono::steady_clock::now() - start;
        answer += std::to_string(spent.count()) + ' ';
    }
    answer.back() = '\n';
    return answer;
}

}  // namespace

int serve(int argc, char** argv,
          const std::function<std::vector<Method>(const std::string& program)>& methods_of) {
    expect(argc == 4, "usage: WORKER MIB PAGES PROGRAM");
    constexpr std::size_t mib = 1024UL * 1024;
    take_ballast(std::strtoul(argv[1], nullptr, 10) * mib, std::string_view(argv[2]) == "huge");
    const std::vector<Method> methods = methods_of(argv[3]);
    std::string ready = "ready";
    for (const Method& method : methods) {
        ready += ' ' + method.name;
    }
    say(ready + '\n');
    for (std::string line; hear(line);) {
        const std::string name = line.substr(0, line.find(' '));
        const auto method = std::find_if(methods.begin(), methods.end(),
                                         [&](const Method& one) { return one.name == name; });
        expect(method != methods.end(), "asked for a method that is not there");
        const long count = std::strtol(line.c_str() + name.size(), nullptr, 10);
        expect(count > 0, "asked for no launch at all");
        say(times_of(*method, count));
    }
    return 0;
}

}  // namespace syncspawn::bench
