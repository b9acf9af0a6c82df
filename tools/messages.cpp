#include "messages.hpp"

#include <cstdio>

#include "exit_codes.hpp"

namespace syncspawn::tools {

std::string printable(const std::string& text) {
    std::string line;
    for (const char character : text) {
        const auto code = static_cast<unsigned char>(character);
        if (code < ' ' || code == 0x7f) {
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, "\\x%02x", code);
            line += escaped;
        } else {
            line += character;
        }
    }
    return line;
}

void complain(const std::string& message, const std::string& speaker) {
    std::fprintf(stderr, "%s: %s\n", speaker.c_str(), printable(message).c_str());
}

int print(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
        complain("cannot write to standard output");
        return exit_own_failure;
    }
    return 0;
}

}  // namespace syncspawn::tools
