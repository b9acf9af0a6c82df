#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/sanitizers.hpp"
#include "support/shared.hpp"

// operator new of this program counts what a child allocates or frees between its start and execve.

namespace {

std::atomic<int>* count_of_children = nullptr;  // shared with them
std::atomic<pid_t> parent{-1};

void note() noexcept {
    if (parent >= 0 && getpid() != parent) {
        ++*count_of_children;
    }
}

}  // namespace

#ifdef SYNCSPAWN_SANITIZED  // it has operators of its own, and hooks in them

extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void*,
                                                                           std::size_t),
                                                         void (*on_free)(const volatile void*));

[[maybe_unused]] static const int hooked = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t) { note(); }, [](const volatile void*) { note(); });

#else

// Not inlined, or the compiler sees an operator new and a free(3) that do not belong together.
[[gnu::noinline]] void* operator new(std::size_t size) {
    note();
    if (void* memory = std::malloc(size); memory != nullptr) {
        return memory;
    }
    throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    note();
    return std::malloc(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    note();
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    note();
    std::free(memory);
}

#endif

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// What fork(2) itself does in the child: nothing, but the thread sanitizer starts a thread there.
int allocations_of_fork() {
    const Shared<std::atomic<int>> count;
    count_of_children = &*count;
    parent = getpid();
    const pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    parent = -1;
    waitpid(child, nullptr, 0);
    return *count;
}

// Launches with steps and rendezvous of every kind; the number of allocations in the child.
int allocations_in(SpawnOptions options, Part<ChildSide> part) {
    const int before = options.birth.namespaces == Namespaces::none ? allocations_of_fork() : 0;
    const Shared<std::atomic<int>> count;
    options.streams.error = Stdio::null();
    SyncedSpawner spawner(std::move(options));
    const ChildPart child = async_signal_safe(std::move(part));
    for (const StepOrder order :
         {StepOrder::child_first, StepOrder::parent_first, StepOrder::together}) {
        spawner.step({.name = "step with a long name, so that it has memory of its own",
                      .child = child,
                      .parent = [](ParentSide&) {},
                      .order = order});
        spawner.rendezvous("rendezvous with a long name, for the same reason");
    }
    count_of_children = &*count;
    parent = getpid();
    SpawnError error;
    Process process = spawner.spawn(error);
    parent = -1;
    return *count - before;
}

const Part<ChildSide> succeeds = [](ChildSide&) {};

}  // namespace

TEST_CASE("the counter sees what a child part allocates") {
    CHECK(allocations_in({.program = "true"}, [](ChildSide&) {
              // Called by name: what an expression allocates may be optimised away.
              ::operator delete(::operator new(100));
          }) > 0);
}

TEST_CASE("nothing is allocated between the start of the child and execve") {
    SpawnOptions options{.program = "true", .arguments = {"argument"}};
    SUBCASE("of a plain launch") {}
    SUBCASE("with everything that a child can have to do") {
        options.working_directory = "/tmp";
        options.streams.input = Stdio::null();
        options.streams.output = Stdio::pipe();
        options.descriptors.passed = {{0, 20}, {1, 21}};
        options.readiness.hand_over = HandOver::barrier;
        options.ending.scope = KillScope::process_group;
        options.signals.ignored = IgnoredSignals::reset;
    }
    SUBCASE("started by clone") { options.birth.namespaces = Namespaces::user; }
    CHECK(allocations_in(options, succeeds) == 0);
}

TEST_CASE("nothing is allocated in a child that fails") {
    SUBCASE("in a part") {
        CHECK(allocations_in({.program = "true"},
                             [](ChildSide& side) { return side.fail(EIO, "call"); }) == 0);
    }
    SUBCASE("in a part, with an error that is no errno") {
        CHECK(allocations_in({.program = "true"}, [](ChildSide&) {
                  return std::make_error_code(std::io_errc::stream);
              }) == 0);
    }
    SUBCASE("at the working directory") {
        CHECK(allocations_in({.program = "true", .working_directory = "/nowhere"}, succeeds) == 0);
    }
    SUBCASE("at execve, in the search along PATH") {
        CHECK(allocations_in({.program = "no-such-program"}, succeeds) == 0);
    }
    SUBCASE("at execve, where the reason is looked for") {
        const TemporaryDirectory directory;
        const std::string script = directory.file("script", "#!/nowhere/sh\n", 0755);
        CHECK(allocations_in({.program = script}, succeeds) == 0);
    }
}
