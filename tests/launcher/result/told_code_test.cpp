#include "launcher/result/told_code.hpp"

#include <dlfcn.h>
#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <typeinfo>

#include <syncspawn/launcher.hpp>

#include "support/launched.hpp"
#include "support/shared_memory.hpp"

// A child's error keeps its category, which is followed only where there certainly is one.

using namespace syncspawn;
using namespace syncspawn::testing;

namespace {

class OwnCategory : public std::error_category {
public:
    const char* name() const noexcept override { return "own category"; }
    std::string message(int value) const override { return "own error " + std::to_string(value); }
};
class DerivedCategory final : public OwnCategory {};

const OwnCategory own_category;
const DerivedCategory derived_category;

// Objects that are none.
struct Other {
    virtual ~Other() = default;
    virtual const char* name() const { return "other"; }
};
const Other other;
const void* const pointer_to_itself = &pointer_to_itself;
const long zeroes[8] = {};

template <class Pointer>
detail::FailureSlot slot_with(Pointer pointer) {
    detail::FailureSlot slot;
    slot.error = 7;
    std::strcpy(slot.category_name, "name");
    std::memcpy(static_cast<void*>(&slot.category), &pointer, sizeof(void*));
    return slot;
}

}  // namespace

TEST_CASE("a category that is a static object here is believed") {
    for (const std::error_category* category :
         {static_cast<const std::error_category*>(&own_category),
          static_cast<const std::error_category*>(&derived_category), &std::iostream_category()}) {
        const detail::ToldCode told = detail::told_code(slot_with(category));
        REQUIRE(told.code);
        CHECK(*told.code == std::error_code(7, *category));
        CHECK(told.error == ECANCELED);
        CHECK(told.detail.empty());
    }
}

TEST_CASE("nonsense for a category is not followed, and its name and number are told") {
    const OwnCategory on_the_stack;
    const auto on_the_heap = std::make_unique<OwnCategory>();
    const auto check = [](const auto& nonsense) {
        const detail::ToldCode told = detail::told_code(slot_with(nonsense));
        CHECK_FALSE(told.code);
        CHECK(told.error == ECANCELED);
        CHECK(told.detail == "name error 7");
    };
    for (const std::uintptr_t number :
         {std::uintptr_t{1}, std::uintptr_t{8}, std::uintptr_t{4096}, UINTPTR_MAX, UINTPTR_MAX - 7,
          UINTPTR_MAX / 2, std::uintptr_t{0x0101010101010101}}) {
        CAPTURE(number);
        check(number);
    }
    check(&other);
    check(&pointer_to_itself);
    check(&zeroes);
    check(&typeid(own_category));
    check(reinterpret_cast<const char*>(&own_category) + 1);
    check(&detail::told_code);
    // They are genuine, but how should one know.
    check(&on_the_stack);
    check(on_the_heap.get());
}

// As in a buffer that somebody else's message was read into.
TEST_CASE("what is made to look like a category in data that may be written is not followed") {
    static std::uintptr_t forged[16];
    const auto address = [](const void* place) { return reinterpret_cast<std::uintptr_t>(place); };
    const auto check = [] {
        const detail::ToldCode told = detail::told_code(slot_with(&forged));
        CHECK_FALSE(told.code);
        CHECK(told.detail == "name error 7");
    };
    forged[0] = address(&forged[4]);  // a table of its own: no offset, the true type, no functions
    forged[3] = address(&typeid(own_category));
    check();
    std::memcpy(&forged[8], static_cast<const void*>(&typeid(own_category)),
                3 * sizeof forged[0]);  // and a type of its own
    forged[9] = 1;                      // with a name that is nowhere
    forged[3] = address(&forged[8]);
    check();
}

TEST_CASE("every place in the data of this program may be asked, and is no category but by right") {
    // Around an object whose neighbours hold all kinds of pointers.
    const auto* const begin = reinterpret_cast<const char*>(&own_category);
    for (std::ptrdiff_t offset = -4096; offset <= 4096; ++offset) {
        const char* const place = begin + offset;
        const detail::ToldCode told = detail::told_code(slot_with(place));
        if (told.code) {
            CHECK_FALSE(told.code->message().empty());
        }
    }
}

TEST_CASE("a part's error of another category is the error of the launch") {
    const auto check = [](Step step, const std::string& text) {
        for (const StartMethod method : {StartMethod::copied_memory, StartMethod::automatic}) {
            SyncedSpawner spawner({.program = "true", .birth = {.method = method}});
            step.name = "x";
            spawner.step(step);
            const SpawnError error = failure_of(spawner);
            CHECK(error.what() == text);
            CHECK(error.code() == std::error_code(7, own_category));
            CHECK(&error.code().category() == &own_category);
        }
    };
    const auto returns = [](Side&) { return std::error_code(7, own_category); };
    const auto tells = [](Side& side) { return side.fail({7, own_category}, "call"); };
    check({.name = {}, .child = shared_memory(returns)}, "x in the child: own error 7");
    check({.name = {}, .child = shared_memory(tells)}, "x in the child: call: own error 7");
    check({.name = {}, .last = shared_memory(returns)}, "x in the child: own error 7");
    check({.name = {}, .parent = returns}, "x in the parent: own error 7");
    check({.name = {}, .parent = tells}, "x in the parent: call: own error 7");
}

TEST_CASE("the category of an errno stays what it was") {
    SyncedSpawner spawner({.program = "true"});
    SUBCASE("in the child") {
        spawner.step({.name = "x", .child = shared_memory([](ChildSide&) {
                                       return std::error_code(EIO, std::system_category());
                                   })});
    }
    SUBCASE("in the parent") {
        spawner.step({.name = "x", .parent = [](ParentSide&) {
                          return std::error_code(EIO, std::system_category());
                      }});
    }
    const SpawnError error = failure_of(spawner);
    CHECK(error.code() == std::error_code(EIO, std::system_category()));
    CHECK(error.code() == std::errc::io_error);
}

TEST_CASE("a category that only the child has is told by its name and number") {
    SyncedSpawner spawner({.program = "true"});
    spawner.step({.name = "x", .child = after_fork([](ChildSide&) {
                                   return std::error_code(7, *new OwnCategory);
                               })});
    const SpawnError error = failure_of(spawner);
    CHECK(std::string(error.what()) == "x in the child: own category error 7: operation canceled");
    CHECK(error.code() == std::errc::operation_canceled);
}

TEST_CASE("the category of a plug-in is followed only where the plug-in is loaded") {
    const char* const path = SYNCSPAWN_TEST_HELPERS "/plugin_category.so";
    const auto load = [path]() -> const std::error_category* {
        void* const plugin = dlopen(path, RTLD_NOW);
        void* const get = plugin != nullptr ? dlsym(plugin, "its_category") : nullptr;
        return get != nullptr ? reinterpret_cast<const std::error_category* (*)()>(get)() : nullptr;
    };
    SyncedSpawner spawner({.program = "true"});
    spawner.step({.name = "x", .child = after_fork([load](ChildSide& side) {
                                   const std::error_category* const its = load();
                                   return its != nullptr ? std::error_code(7, *its)
                                                         : side.fail(ENOENT, "plug-in");
                               })});
    const SpawnError without = failure_of(spawner);
    CHECK(std::string(without.what()) == "x in the child: plug-in error 7: operation canceled");
    CHECK(without.code() == std::errc::operation_canceled);
    const std::error_category* const own = load();
    REQUIRE(own != nullptr);
    const SpawnError with = failure_of(spawner);
    CHECK(std::string(with.what()) == "x in the child: plug-in error 7");
    CHECK(&with.code().category() == own);
}
