#include "start_notice.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "tools/messages.hpp"

namespace syncspawn::tools {
namespace {

constexpr auto patience = std::chrono::milliseconds(500);

// In the background the terminal is somebody else's.
bool is_seen() { return isatty(STDERR_FILENO) == 1 && tcgetpgrp(STDERR_FILENO) == getpgrp(); }

std::string in_words(const LaunchWait& wait) {
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, " (%.1f s)",
                  std::chrono::duration<double>(wait.since).count());
    const std::string what = wait.stage == Stage::readiness  ? "the program to be ready"
                             : wait.side == WhichSide::child ? "the child: " + wait.step
                                                             : "the parent: " + wait.step;
    return "syncspawn: waiting for " + printable(what) + seconds;
}

std::size_t columns_of_terminal() {
    constexpr std::size_t usual = 80;
    try {
        const std::size_t columns = terminal_size(STDERR_FILENO).columns;
        return columns > 1 ? columns : usual;
    } catch (const std::system_error&) {
        return usual;
    }
}

}  // namespace

StartNotice::StartNotice(Verbosity verbosity) {
    if (verbosity != Verbosity::quiet && isatty(STDERR_FILENO) == 1) {
        due_ = std::chrono::steady_clock::now() + patience;
    }
}

void StartNotice::update(const LaunchWait& wait) {
    due_ = std::chrono::steady_clock::now() + patience;
    if (!is_seen()) {
        return;
    }
    if (wait.step.empty()) {
        erase();
    } else {
        write_line(in_words(wait));
    }
}

void StartNotice::erase() {
    if (width_ > 0 && is_seen()) {
        write_line("");
    }
    width_ = 0;
}

// Blanks instead of an escape sequence: every terminal knows them.
void StartNotice::write_line(std::string line) {
    line.resize(std::min(line.size(), columns_of_terminal() - 1));
    const std::size_t width = line.size();
    if (width < width_) {
        line.append(width_ - width, ' ');
    }
    std::fprintf(stderr, "\r%s%s", line.c_str(), width == 0 ? "\r" : "");
    width_ = width;
}

}  // namespace syncspawn::tools
