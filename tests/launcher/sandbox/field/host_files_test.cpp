#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>

#include "support/pipe.hpp"
#include "support/sandboxed.hpp"
#include "support/shared_memory.hpp"

// docs/what-fails-elsewhere.md: what protects absent files leaves no trace on the host, whoever dies.

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

// A home without start-up files, and a repository; in that, a directory that is no repository itself.
class Workspace {
public:
    Workspace() {
        expect(unsetenv("XDG_RUNTIME_DIR") == 0);
        // The program may be nobody.
        (void)host("git init -q " + repository_.path() + "; mkdir " + source() + "; chmod 0777 " +
                   source() + "; chmod 0755 " + repository_.path() + "; chmod 0777 ~");
    }
    // As somebody outside sees it: a person, a shell, git. Only who lists all names sees a link to nowhere.
    [[nodiscard]] std::string seen_by_tools() const {
        return host("cd " + source() +
                    "; ls; cat .git; git rev-parse --show-toplevel; git status --porcelain; "
                    "ls ~; cat ~/.bashrc ~/.config/settings; test -e ~/.bashrc && echo there");
    }
    [[nodiscard]] std::string names() const {
        return host("find " + repository_.path() + " " + home_.path());
    }
    [[nodiscard]] std::string source() const { return repository_ / "src"; }
    [[nodiscard]] const std::string& home() const { return home_.path(); }
    [[nodiscard]] Policy policy() const {
        return {.files = {.writable = {source(), home()},
                          .protected_paths = {source() + "/.git", home() + "/.bashrc",
                                              home() + "/.config/settings"}}};
    }

private:
    [[nodiscard]] std::string host(const std::string& commands) const {
        SpawnOptions options = shell(commands + "\ntrue");
        options.streams.error = Stdio::same_as_output();
        options.environment.set("HOME", home());
        return output_of(std::move(options));
    }
    TemporaryDirectory repository_;
    TemporaryDirectory home_;
};

}  // namespace

TEST_CASE(
    "a protected path that is absent leaves nothing behind, and nobody trips over it meanwhile") {
    as_everybody([] {
        const Workspace workspace;
        const std::string before = workspace.seen_by_tools();
        const std::string names = workspace.names();
        const SyncedSpawner spawner =
            spawner_of("cd " + workspace.source() + " && can mkdir .git; cd " + workspace.home() +
                           " && can touch .bashrc; can mkdir -p .config; can touch free; rm free; "
                           "echo up; read line",
                       planned(workspace.policy()));
        SpawnOptions options = spawner.options();
        options.streams.input = Stdio::pipe();
        Process process = spawner.with(options).spawn();
        Pipe pipe(process.take_standard_output());
        for (const char* const line : {"no", "no", "no", "yes", "up"}) {
            expect_same(pipe.line().c_str(), line);
        }
        expect_same(workspace.seen_by_tools().c_str(), before.c_str());
        expect(write(process.standard_input(), "\n", 1) == 1);
        expect(process.wait().success());
        expect(process.after_end_failures().empty());
        expect_same(workspace.names().c_str(), names.c_str());
        expect_same(workspace.seen_by_tools().c_str(), before.c_str());
    });
}

TEST_CASE(
    "nothing is left for ever by a launcher that was killed, and nobody trips over it till then") {
    as_everybody([] {
        const Workspace workspace;
        const Workspace other;
        const std::string before = workspace.seen_by_tools();
        const std::string names = workspace.names();
        Pipe pipe;
        Peer launcher([&] {
            const Process process =
                pipe.written_by(spawner_of("echo up; sleep 1000", planned(workspace.policy())))
                    .spawn();
            pause();
        });
        expect_same(pipe.line().c_str(), "up");
        launcher.send(SIGKILL);
        expect(pipe.rest().empty());  // all of the sandbox has ended
        expect_same(workspace.seen_by_tools().c_str(), before.c_str());
        // A guardian cleans up, and so does any launch that keeps something absent.
        expect_outcome("echo next", other.policy(), "next\n");
        expect(comes_true([&] { return workspace.names() == names; }));
    });
}
