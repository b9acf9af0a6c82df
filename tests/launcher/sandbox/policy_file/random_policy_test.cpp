#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <syncspawn/sandbox/policy_file.hpp>

// Any policy comes back from its text, and no text does anything but make a policy or a PolicyFileError.

using namespace syncspawn::sandbox;

namespace {

// Always the same, so that a failure can be had again.
class Chance {
public:
    explicit Chance(std::uint64_t seed) : numbers_(seed) {}

    std::uint64_t below(std::uint64_t count) { return numbers_() % count; }

    template <class... Fields>
    void fill(Fields&... fields) {
        (set(fields), ...);
    }

    void set(bool& value) { value = below(2) == 0; }
    void set(int& value) { value = static_cast<int>(numbers_()); }
    void set(std::uint32_t& value) { value = static_cast<std::uint32_t>(numbers_()); }
    void set(std::uint64_t& value) { value = below(2) == 0 ? numbers_() : below(5) << below(60); }
    void set(double& value) {
        value = static_cast<double>(numbers_()) / static_cast<double>(1 + below(1000));
    }
    template <class Rep, class Period>
    void set(std::chrono::duration<Rep, Period>& value) {
        const auto ticks = static_cast<std::int64_t>(numbers_() >> below(64));
        value = std::chrono::duration<Rep, Period>(below(4) == 0 ? -ticks : ticks);
    }
    void set(std::string& value) {
        value.clear();
        for (std::uint64_t left = below(12); left > 0; --left) {
            value += character();
        }
    }
    template <class Enum>
    requires std::is_enum_v<Enum>
    void set(Enum& value) {
        const std::uint64_t count =
            std::is_same_v<Enum, Guarantee>                                      ? 7
            : std::is_same_v<Enum, Services> || std::is_same_v<Enum, TreeAccess> ? 2
                                                                                 : 3;
        value = static_cast<Enum>(below(count));
    }
    template <class Value>
    void set(std::optional<Value>& value) {
        value.reset();
        if (below(3) != 0) {
            set(value.emplace());
        }
    }
    template <class Value>
    void set(std::vector<Value>& values) {
        values.resize(below(4));
        for (Value& value : values) {
            set(value);
        }
    }
    // A member that is added does not compile here, nor is it in a file before it is in fields.hpp.
    void set(Door& door) {
        auto& [name, address, backlog] = door;
        fill(name, address, backlog);
    }
    void set(NamedDescriptor& descriptor) {
        auto& [name, number] = descriptor;
        fill(name, number);
    }
    void set(NamedTree& tree) {
        auto& [name, path, access] = tree;
        fill(name, path, access);
    }
    void set(Files& files) {
        auto& [tree, writable, read_only, protected_paths, hidden, private_tmp, device_tree] =
            files;
        fill(tree, writable, read_only, protected_paths, hidden, private_tmp, device_tree);
    }
    void set(Processes& processes) {
        auto& [isolated, reaper, die_with_parent, outlive] = processes;
        fill(isolated, reaper, die_with_parent, outlive);
    }
    void set(Limits& limits) {
        auto& [memory, memory_high, swap, processes, cpus, cpu_weight, io_weight, allowed_cpus,
               nice, scheduling, open_files, file_size, core_size, cpu_time, wall_clock] = limits;
        fill(memory, memory_high, swap, processes, cpus, cpu_weight, io_weight, allowed_cpus, nice,
             scheduling, open_files, file_size, core_size, cpu_time, wall_clock);
    }
    void set(Privileges& privileges) {
        auto& [capabilities, user, group, host_user, host_group, no_new, nested, keyring] =
            privileges;
        fill(capabilities, user, group, host_user, host_group, no_new, nested, keyring);
    }
    void set(SystemCalls& calls) {
        auto& [default_deny_set, denied, allowed] = calls;
        fill(default_deny_set, denied, allowed);
    }
    void set(Policy& policy) {
        auto& [files, network, doors, services, descriptors, trees, processes, limits, privileges,
               calls, host_name, accept_weaker] = policy;
        fill(files, network, doors, services, descriptors, trees, processes, limits, privileges,
             calls, host_name, accept_weaker);
    }

private:
    // Of each length in UTF-8, and those that TOML gives a meaning.
    std::string character() {
        static constexpr const char* odd[] = {"\"",
                                              "\\",
                                              "\n",
                                              "\t",
                                              "\r",
                                              "\x01",
                                              "\x7f",
                                              "'",
                                              "#",
                                              "\xc2\x85",
                                              "\xe2\x80\xa8",
                                              "\xef\xbb\xbf",
                                              "\xf0\x9f\x90\xa7",
                                              "\xc3\xa4",
                                              "[",
                                              "=",
                                              " "};
        return below(3) == 0 ? odd[below(std::size(odd))]
                             : std::string(1, static_cast<char>('a' + below(26)));
    }

    std::mt19937_64 numbers_;
};

// By an error that says where; whatever else is thrown fails the test.
bool is_refused(const std::string& text) {
    try {
        (void)parse_policy(text);
        return false;
    } catch (const PolicyFileError& error) {
        REQUIRE(!error.problems().empty());
        const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
        REQUIRE(error.problems().front().line >= 1);
        REQUIRE(error.problems().front().line <= lines);
        return true;
    }
}

}  // namespace

TEST_CASE("any policy comes back from its text") {
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        Policy policy;
        Chance(seed).set(policy);
        const std::string text = to_text(policy);
        CAPTURE(seed);
        CAPTURE(text);
        const Policy read = parse_policy(text);
        REQUIRE(read == policy);
        REQUIRE(to_text(read) == text);
    }
}

// Sensible pieces in no sensible order get further than random bytes do.
TEST_CASE("a text without any sense is a policy or an error, and nothing else happens") {
    static constexpr const char* pieces[] = {
        "[",          "]",          "[[",     "]]",   "=", "files",   ".",        "\"",
        "'",          "\n",         "{",      "}",    ",", "1",       "#",        " ",
        "\t",         "\\",         "true",   "0x",   "_", "+",       "-",        "inf",
        ":",          "\r",         "\x01",   "\xff", "e", "\\u00e9", "\xc3\xa4", "\xe2\x80\xa8",
        "1979-05-27", "T07:32:00Z", R"(""")", "'''"};
    std::size_t refused = 0;
    for (std::uint64_t seed = 0; seed < 20000; ++seed) {
        Chance chance(seed);
        std::string text;
        for (std::uint64_t left = 1 + chance.below(14); left > 0; --left) {
            text += pieces[chance.below(std::size(pieces))];
        }
        CAPTURE(text);
        refused += is_refused(text) ? 1U : 0U;
    }
    CHECK(refused > 10000);
}

TEST_CASE("a text that was spoilt is a policy or an error, and nothing else happens") {
    std::size_t refused = 0;
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        Chance chance(seed);
        Policy policy;
        chance.set(policy);
        std::string text = to_text(policy);
        for (std::uint64_t left = 1 + chance.below(4); left > 0 && !text.empty(); --left) {
            text[chance.below(text.size())] = static_cast<char>(chance.below(256));
        }
        CAPTURE(seed);
        refused += is_refused(text) ? 1U : 0U;
    }
    CHECK(refused > 1000);
}
