#include "spawned.hpp"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include "machine.hpp"

namespace syncspawn::bench {

std::function<void()> posix_spawner_of(const Words& words) {
    return [words] {
        std::vector<char*> arguments;
        for (const std::string& word : words) {
            arguments.push_back(const_cast<char*>(word.c_str()));
        }
        arguments.push_back(nullptr);
        pid_t child = -1;
        int status = -1;
        expect(
            posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ) == 0 &&
                waitpid(child, &status, 0) == child && status == 0,
            words[0].c_str());
    };
}

std::function<void()> bubblewrap(Words options, const std::string& program) {
    static const bool is_installed = std::system("bwrap --version >/dev/null 2>&1") == 0;
    if (!is_installed) {
        throw std::runtime_error("it is not installed");
    }
    options.insert(options.begin(), "bwrap");
    options.insert(options.end(), {"--", program});
    return posix_spawner_of(options);
}

}  // namespace syncspawn::bench
