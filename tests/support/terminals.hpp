#pragma once

#include <doctest/doctest.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"

namespace syncspawn::testing {

inline termios settings_of(int terminal) {
    termios settings{};
    CHECK(tcgetattr(terminal, &settings) == 0);
    return settings;
}

inline bool are_same(const termios& one, const termios& other) {
    return one.c_iflag == other.c_iflag && one.c_oflag == other.c_oflag &&
           one.c_cflag == other.c_cflag && one.c_lflag == other.c_lflag &&
           std::memcmp(one.c_cc, other.c_cc, sizeof one.c_cc) == 0;
}

inline bool is_raw(int terminal) {
    const termios settings = settings_of(terminal);
    return (settings.c_lflag & (ECHO | ICANON | ISIG)) == 0 && (settings.c_oflag & OPOST) == 0;
}

inline void type(int master, const std::string& text) {
    CHECK(write(master, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

// What is on the screen until nobody has the terminal open any more.
inline std::string screen_of(int master) {
    std::string text;
    char piece[4096];
    ssize_t size = 0;
    while ((size = read(master, piece, sizeof piece)) > 0) {
        text.append(piece, static_cast<std::size_t>(size));
    }
    const int error = size < 0 ? errno : 0;
    CHECK(error == EIO);
    return text;
}

// Reads the screen until this is on it; what comes behind stays for the next call.
inline std::string screen_until(int master, const std::string& wanted) {
    std::string text;
    char byte = 0;
    while (!text.ends_with(wanted)) {
        if (read(master, &byte, 1) != 1) {
            FAIL_CHECK("instead of '" << wanted << "' there was: " << text);
            return text;
        }
        text += byte;
    }
    return text;
}

inline bool contains(const std::string& text, const std::string& piece) {
    return text.find(piece) != std::string::npos;
}

inline Process spawn_on(Pty& pty, SpawnOptions options) {
    SyncedSpawner spawner(std::move(options));
    pty.add_to(spawner);
    Process program = spawner.spawn();
    pty.close_terminal();
    return program;
}

}  // namespace syncspawn::testing
