#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/nothing_is_left.hpp"
#include "support/observe.hpp"
#include "support/shared.hpp"
#include "support/shared_memory.hpp"
#include "support/ways_to_launch.hpp"

// ChildSide::send_descriptor() and ParentSide::take_descriptor().

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

// A descriptor that is not its own, by what it was given. For a child's part.
std::error_code send_memory(ChildSide& side, const char* text) noexcept {
    const int memory = memfd_create("of the child", MFD_CLOEXEC);
    const bool is_written = pwrite(memory, text, std::strlen(text), 0) > 0;
    const std::error_code error = is_written ? side.send_descriptor(memory) : side.fail("memfd");
    close(memory);
    return error;
}

std::string content_of(const UniqueFd& fd) {
    char text[100] = {};
    return pread(fd.get(), text, sizeof text - 1, 0) > 0 ? text : "nothing";
}

// What the child can write to its parent, found as a hostile part would.
int channel_of_the_child() noexcept {
    for (int fd = 3; fd < 100; ++fd) {
        int type = 0;
        socklen_t size = sizeof type;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET) {
            return fd;
        }
    }
    return -1;
}

// What a hostile part sends: a payload of this many bytes, and copies of its standard error.
struct Forged {
    std::uint32_t item = 0;
    std::size_t bytes = sizeof(std::uint32_t);
    std::size_t descriptors = 1;
};

std::error_code send_forged(ChildSide& side, const Forged& forged) noexcept {
    std::array<std::uint32_t, 4> words{forged.item};
    iovec payload{words.data(), forged.bytes};
    alignas(cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))] = {};
    const std::array<int, 3> descriptors{2, 2, 2};
    msghdr message{};
    message.msg_iov = &payload;
    message.msg_iovlen = 1;
    if (forged.descriptors > 0) {
        const std::size_t size = forged.descriptors * sizeof(int);
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(size);
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(size);
        std::memcpy(CMSG_DATA(header), descriptors.data(), size);
    }
    return sendmsg(channel_of_the_child(), &message, 0) < 0 ? side.fail("sendmsg") : side.done();
}

using Child = std::error_code (*)(ChildSide&);

Step sending(Child child, ParentPart parent, int most) {
    return {.name = "x",
            .child = shared_memory(child),
            .parent = std::move(parent),
            .order = StepOrder::child_first,
            .sends_descriptors = most};
}

SyncedSpawner spawner_of_true(StartMethod method) {
    return SyncedSpawner({.program = "true", .birth = {.method = method}});
}

// With each way and each start, and nothing left behind.
template <class Check>
void for_each_launch(Check check) {
    for (const Way way : both_ways) {
        for (const StartMethod method : start_methods()) {
            const NothingIsLeft nothing_is_left;
            check(way, spawner_of_true(method));
        }
    }
}

std::string text_after_hostile(Forged forged) {
    std::string text;
    for_each_launch([&](Way way, SyncedSpawner spawner) {
        spawner.step({.name = "x",
                      .child = shared_memory(
                          [forged](ChildSide& side) { return send_forged(side, forged); }),
                      .parent = [](ParentSide&) {},
                      .order = StepOrder::child_first,
                      .undo = [](ParentSide&) {},
                      .sends_descriptors = 1});
        const std::string this_text = text_after(way, spawner);
        CHECK((text.empty() || text == this_text));
        text = this_text;
    });
    return text;
}

}  // namespace

TEST_CASE("what the child has opened becomes the parent's, close-on-exec") {
    for_each_launch([](Way way, SyncedSpawner spawner) {
        std::string content;
        int flags = 0;
        spawner.step(sending([](ChildSide& side) { return send_memory(side, "secret"); },
                             [&](ParentSide& side) {
                                 const UniqueFd taken = side.take_descriptor();
                                 flags = fcntl(taken.get(), F_GETFD);
                                 content = content_of(taken);
                             },
                             1));
        CHECK(text_after(way, spawner) == "no error");
        CHECK(content == "secret");
        CHECK(flags == FD_CLOEXEC);
    });
}

TEST_CASE("several come in the order in which they were sent, and each step has its own") {
    for_each_launch([](Way way, SyncedSpawner spawner) {
        std::string order;
        // Both of the children's parts come before both of the parent's.
        spawner.step(sending([](ChildSide& side) { return send_memory(side, "a"); },
                             [&](ParentSide& side) { order += content_of(side.take_descriptor()); },
                             1));
        spawner.step(sending(
            [](ChildSide& side) {
                const std::error_code error = send_memory(side, "b");
                return error ? error : send_memory(side, "c");
            },
            [&](ParentSide& side) {
                order += content_of(side.take_descriptor());
                order += content_of(side.take_descriptor());
            },
            2));
        CHECK(text_after(way, spawner) == "no error");
        CHECK(order == "abc");
    });
}

TEST_CASE("a part behind execve takes what parts before it have sent, the last ones included") {
    for_each_launch([](Way way, SyncedSpawner spawner) {
        std::string order;
        spawner.step(
            {.name = "x",
             .child = shared_memory([](ChildSide& side) { return send_memory(side, "a"); }),
             .last = shared_memory([](ChildSide& side) { return send_memory(side, "b"); }),
             .after_execve =
                 [&](ParentSide& side) {
                     order += content_of(side.take_descriptor());
                     order += content_of(side.take_descriptor());
                 },
             .sends_descriptors = 2});
        CHECK(text_after(way, spawner) == "no error");
        CHECK(order == "ab");
    });
}

TEST_CASE("they come also where the program's descriptors or the barrier take the numbers") {
    for (const StartMethod method : start_methods()) {
        const NothingIsLeft nothing_is_left;
        SpawnOptions options = shell("test ! -e /proc/self/fd/3 && test -e /proc/self/fd/5");
        options.birth.method = method;
        options.descriptors.passed = {{.from = 2, .to = 5}};
        options.readiness.hand_over = HandOver::nothing;
        SyncedSpawner spawner(options);
        std::string content;
        spawner.step({.name = "x",
                      .last = shared_memory([](ChildSide& side) { return send_memory(side, "a"); }),
                      .after_execve =
                          [&](ParentSide& side) { content = content_of(side.take_descriptor()); },
                      .sends_descriptors = 1});
        CHECK(spawner.spawn().wait().success());
        CHECK(content == "a");
    }
}

TEST_CASE("what nobody takes is closed, in a launch that succeeds and in one that fails") {
    for_each_launch([](Way way, SyncedSpawner spawner) {
        const auto send_two = [](ChildSide& side) {
            const std::error_code error = send_memory(side, "a");
            return error ? error : send_memory(side, "b");
        };
        spawner.step(sending(
            send_two, [](ParentSide& side) { (void)side.take_descriptor(); }, 2));
        CHECK(text_after(way, spawner) == "no error");
        spawner.step(
            {.name = "y", .parent = [](ParentSide& side) { return side.fail(EIO, "no"); }});
        CHECK(text_after(way, spawner) == "y in the parent: no: input/output error");
    });
    for_each_launch([](Way way, SyncedSpawner spawner) {
        spawner.step({.name = "x",
                      .child = shared_memory([](ChildSide& side) {
                          const std::error_code error = send_memory(side, "a");
                          return error ? error : side.fail(EIO, "no");
                      }),
                      .after_execve = [](ParentSide&) {},
                      .sends_descriptors = 1});
        CHECK(text_after(way, spawner) == "x in the child: no: input/output error");
    });
}

TEST_CASE("a step that does not say that it sends cannot, and no socket is made") {
    for_each_launch([](Way way, SyncedSpawner spawner) {
        spawner.step(sending([](ChildSide& side) { return side.send_descriptor(2); },
                             [](ParentSide&) {}, 0));
        CHECK(text_after(way, spawner) ==
              "x in the child: send_descriptor: the step does not say so (sends_descriptors): bad "
              "file descriptor");
    });
    std::vector<std::size_t> counts;
    for (const int most : {0, 1}) {
        SyncedSpawner spawner = spawner_of_true(StartMethod::automatic);
        spawner.step(sending([](ChildSide& side) { return side.done(); },
                             [&](ParentSide&) { counts.push_back(open_descriptors().size()); },
                             most));
        CHECK(spawner.spawn().wait().success());
    }
    CHECK(counts[1] == counts[0] + 1);
}

TEST_CASE("a descriptor that is not open cannot be sent") {
    for_each_launch([](Way way, SyncedSpawner spawner) {
        spawner.step(sending([](ChildSide& side) { return side.send_descriptor(1000); },
                             [](ParentSide&) {}, 1));
        CHECK(text_after(way, spawner) == "x in the child: send_descriptor: bad file descriptor");
    });
}

TEST_CASE("to take what has not come is misuse, which says whose it would be") {
    for_each_launch([](Way way, SyncedSpawner spawner) {
        std::string text;
        const auto take = [&](ParentSide& side) {
            try {
                (void)side.take_descriptor();
            } catch (const std::logic_error& error) {
                text = error.what();
            }
        };
        Step step = sending([](ChildSide& side) { return send_memory(side, "a"); },
                            [&](ParentSide& side) {
                                (void)side.take_descriptor();
                                take(side);
                                return side.fail(EIO, "no");
                            },
                            1);
        spawner.step({.name = "undone", .parent = [](ParentSide&) {}, .undo = take});
        spawner.step(step);
        CHECK(text_after(way, spawner) == "x in the parent: no: input/output error");
        CHECK(text ==
              "syncspawn::ParentSide: the child's parts of 'undone' have sent no descriptor");
    });
    SyncedSpawner spawner = spawner_of_true(StartMethod::automatic);
    spawner.step(sending([](ChildSide& side) { return side.done(); },
                         [](ParentSide& side) { (void)side.take_descriptor(); }, 1));
    CHECK(
        std::string(failure_of(spawner).what()) ==
        "x in the parent: exception: syncspawn::ParentSide: the child's parts of 'x' have sent no "
        "descriptor");
}

TEST_CASE("what has come, and nobody has taken, an undo may take") {
    for_each_launch([](Way way, SyncedSpawner spawner) {
        std::string content;
        Step step = sending([](ChildSide& side) { return send_memory(side, "secret"); },
                            [](ParentSide& side) { return side.fail(EIO, "no"); }, 1);
        step.before_start = [](ParentSide&) {};
        step.undo = [&](ParentSide& side) { content = content_of(side.take_descriptor()); };
        spawner.step(step);
        CHECK(text_after(way, spawner) == "x in the parent: no: input/output error");
        CHECK(content == "secret");
    });
}

TEST_CASE("whatever a hostile child sends fails its step, and leaves nothing") {
    constexpr std::uint32_t item_of_the_step = 1;
    const std::string in_x = "x in the parent: the child has sent ";
    CHECK(text_after_hostile({.item = item_of_the_step}) == "no error");
    for (const Forged& wrong : {Forged{.item = item_of_the_step, .bytes = 3},
                                Forged{.item = item_of_the_step, .bytes = 16},
                                Forged{.item = item_of_the_step, .bytes = 0},
                                Forged{.item = item_of_the_step, .descriptors = 0},
                                Forged{.item = item_of_the_step, .descriptors = 2},
                                Forged{.item = item_of_the_step, .descriptors = 3}}) {
        CAPTURE(wrong.bytes);
        CAPTURE(wrong.descriptors);
        CHECK(text_after_hostile(wrong) ==
              in_x + "something else than a descriptor: protocol error");
    }
    for (const std::uint32_t item : {0U, 2U, 1000U, UINT32_MAX}) {
        CHECK(text_after_hostile({.item = item}) ==
              in_x + "a descriptor as another step's: protocol error");
    }
}

TEST_CASE("a part that takes no notice of that fails all the same, and is undone") {
    for_each_launch([](Way way, SyncedSpawner spawner) {
        const Shared<std::atomic<bool>> has_begun;
        std::atomic<bool>* const flag = &*has_begun;
        int undone = 0;
        spawner.step({.name = "x",
                      .child = shared_memory([flag](ChildSide& side) {
                          return comes_true([flag] { return flag->load(); })
                                     ? send_forged(side, {.item = 1000})
                                     : side.fail(ETIME, "parent");
                      }),
                      .parent =
                          [&](ParentSide& side) {
                              *flag = true;
                              CHECK(comes_true([&] {
                                  try {
                                      (void)side.take_descriptor();
                                  } catch (const std::system_error&) {
                                      return true;
                                  } catch (const std::logic_error&) {
                                      return false;
                                  }
                                  return false;
                              }));
                          },
                      .undo = [&](ParentSide&) { ++undone; },
                      .sends_descriptors = 1});
        CHECK(text_after(way, spawner) ==
              "x in the parent: the child has sent a descriptor as another step's: protocol error");
        CHECK(undone == 1);
    });
}

TEST_CASE("more than the step says are refused, and a flood ends in the child") {
    for_each_launch([](Way way, SyncedSpawner spawner) {
        spawner.step(sending(
            [](ChildSide& side) {
                const std::error_code error = side.send_descriptor(2);
                return error ? error : side.send_descriptor(2);
            },
            [](ParentSide& side) { (void)side.take_descriptor(); }, 1));
        CHECK(text_after(way, spawner) ==
              "x in the parent: the child has sent more than 1 descriptors of 'x': protocol error");
    });
    for_each_launch([](Way way, SyncedSpawner spawner) {
        spawner.step(sending(
            [](ChildSide& side) {
                for (;;) {
                    if (const std::error_code error = side.send_descriptor(2)) {
                        return error;
                    }
                }
            },
            [](ParentSide&) {}, 1));
        const std::string text = text_after(way, spawner);
        CAPTURE(text);
        CHECK(text.starts_with("x in the child: send_descriptor: "));
    });
}

TEST_CASE("where the parent has no number for it, the limit is named") {
    Peer peer([] {
        SyncedSpawner spawner = spawner_of_true(StartMethod::automatic);
        rlimit limit{};
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = 3;
        spawner.step({.name = "limit", .parent = [&](ParentSide& side) {
                          return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? side.fail("setrlimit")
                                                                      : side.done();
                      }});
        // Nobody reads what comes before that.
        spawner.step(
            {.name = "x",
             .child = shared_memory([](ChildSide& side) { return side.send_descriptor(2); }),
             .after_execve = [](ParentSide&) {},
             .sends_descriptors = 1});
        SpawnError error;
        Process process = spawner.spawn(error);
        expect(error.code() == std::error_code(EMFILE, std::generic_category()));
        expect(error.step() == "x");
        expect(std::string(error.hint()).find("RLIMIT_NOFILE") != std::string::npos);
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("a step that sends needs a part on each side, and a number that makes sense") {
    const auto refusal_of = [](Step step) -> std::string {
        try {
            spawner_of_true(StartMethod::automatic).step(std::move(step));
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
        return "accepted";
    };
    const auto child = [](ChildSide& side) { return side.done(); };
    const auto parent = [](ParentSide&) {};
    CHECK(refusal_of(sending(child, parent, 64)) == "accepted");
    CHECK(refusal_of(sending(child, parent, 65)) ==
          "syncspawn: step 'x' can send 0 to 64 descriptors");
    CHECK(refusal_of(sending(child, parent, -1)) ==
          "syncspawn: step 'x' can send 0 to 64 descriptors");
    const std::string one_sided =
        "syncspawn: step 'x' sends descriptors, which takes a part of each side";
    CHECK(refusal_of({.name = "x", .child = shared_memory(child), .sends_descriptors = 1}) ==
          one_sided);
    CHECK(refusal_of({.name = "x", .parent = parent, .sends_descriptors = 1}) == one_sided);
}
