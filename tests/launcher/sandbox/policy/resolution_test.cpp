#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>

#include "launcher/sandbox/policy/file_operations.hpp"
#include "launcher/sandbox/policy/path_walk.hpp"
#include "launcher/sandbox/policy/resolution.hpp"
#include "support/bound_socket.hpp"
#include "support/launched.hpp"
#include "support/ordinary_user.hpp"

using namespace syncspawn;
using namespace syncspawn::sandbox;
using namespace syncspawn::testing;

namespace {

struct Resolved {
    FileView view;
    std::vector<Problem> problems;

    // "writable", "protected absent" and so on for a path with a rule of its own; else "none".
    [[nodiscard]] std::string rule(const std::string& path) const {
        const auto found = std::find_if(view.rules.begin(), view.rules.end(),
                                        [&](const FileRule& rule) { return rule.path == path; });
        if (found == view.rules.end()) {
            return "none";
        }
        constexpr const char* accesses[]{"read-only", "writable", "hidden", "protected"};
        constexpr const char* kinds[]{" absent", "", " file", " link"};
        return std::string(accesses[static_cast<int>(found->access)]) +
               kinds[static_cast<int>(found->kind)];
    }
    [[nodiscard]] std::string complaints() const {
        std::string text;
        for (const Problem& problem : problems) {
            text += problem.to_string() + "\n";
        }
        return text;
    }
};

constexpr uid_t nobody = 65534;

Resolved resolved(const Policy& policy) {
    Resolved result;
    const uid_t caller = geteuid();
    result.view = resolve_files(policy, caller == 0 ? nobody : caller, result.problems);
    return result;
}

// Temporary directories are in /tmp, which would be a private one.
Resolved resolved(Files files) {
    files.private_tmp = false;
    return resolved(Policy{.files = std::move(files), .services = Services::host});
}

// A directory whose own path has no link in it.
class Place : public TemporaryDirectory {
public:
    Place() { mkdir((*this / "src").c_str(), 0755); }
    [[nodiscard]] std::string made(const std::string& name) const {
        mkdir((*this / name).c_str(), 0755);
        return *this / name;
    }
    [[nodiscard]] std::string link(const std::string& name, const std::string& target) const {
        CHECK(symlink(target.c_str(), (*this / name).c_str()) == 0);
        return *this / name;
    }
};

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a path is followed as the kernel follows it") {
    const Place place;
    const std::string file = place.file("src/file", "", 0644);
    const std::string link = place.link("link", "src/../src");
    CHECK(walk(link + "//./file").path == file);
    CHECK(walk(link + "//./file").links.size() == 1);
    CHECK(walk("/").path == "/");
    CHECK(walk("/..").path == "/");
    CHECK(walk(place.path() + "/src/").kind == FileRule::Kind::directory);
    const Walk missing = walk(link + "/a/b");
    CHECK(missing.is_missing);
    CHECK(missing.path == place / "src/a");
    const Walk below_file = walk(file + "/x");
    CHECK(below_file.is_missing);
    CHECK(below_file.path == file);
    CHECK(below_file.kind == FileRule::Kind::other);
    CHECK(walk(place.link("circle", "circle")).error == ELOOP);
}

TEST_CASE("the tree says what the paths are that nothing names") {
    CHECK(resolved(Files{}).rule("/") == "read-only");
    CHECK(resolved(Files{.tree = Tree::host}).rule("/") == "writable");
    CHECK(resolved(Files{.tree = Tree::named_only}).rule("/") == "hidden");
    CHECK(resolved(Files{.writable = {"/"}}).rule("/") == "writable");
    CHECK(resolved(Files{.tree = Tree::host, .protected_paths = {"/"}}).rule("/") == "read-only");
}

TEST_CASE("the order of writing does not matter, and what is so already needs no rule") {
    const Place place;
    const std::string inner = place.made("src/inner");
    const std::string innermost = place.made("src/inner/most");
    const Resolved nested =
        resolved(Files{.writable = {innermost, place / "src"}, .read_only = {inner, place.path()}});
    CHECK(nested.problems.empty());
    CHECK(nested.rule(place.path()) == "none");
    CHECK(nested.rule(place / "src") == "writable");
    CHECK(nested.rule(inner) == "read-only");
    CHECK(nested.rule(innermost) == "writable");
    CHECK(rule_for(nested.view.rules, inner + "/x")->path == inner);
    CHECK(std::is_sorted(nested.view.rules.begin(), nested.view.rules.end(),
                         [](const FileRule& l, const FileRule& r) { return l.path < r.path; }));
}

TEST_CASE("what is protected need not exist, and the first name that is missing cannot be made") {
    const Place place;
    const Resolved inside = resolved(
        Files{.writable = {place / "src"},
              .protected_paths = {place / "src/.git", place / "src/a/b/c", place / "outside"}});
    CHECK(inside.problems.empty());
    CHECK(inside.rule(place / "src/.git") == "protected absent");
    CHECK(inside.rule(place / "src/a") == "protected absent");
    CHECK(inside.rule(place / "outside") == "none");
}

TEST_CASE("a directory of the program's own user is not safe for being read-only now") {
    const Place place;
    const std::string src = place / "src";
    chmod(place.path().c_str(), 0755);
    if (geteuid() == 0) {
        CHECK(chown(src.c_str(), nobody, nobody) == 0);
    }
    Peer peer([&] {
        if (geteuid() == 0) {
            become_ordinary_user();
        }
        expect(chmod(src.c_str(), 0555) == 0);
        const Resolved own = resolved(Files{.writable = {src}, .protected_paths = {src + "/.git"}});
        expect(contains(own.complaints(), "nothing can be kept absent in '" + src + "'"));
        expect(chmod(src.c_str(), 0755) == 0);
        const Resolved again =
            resolved(Files{.writable = {src}, .protected_paths = {src + "/.git"}});
        expect(again.rule(src + "/.git") == "protected absent");
        // Of another user.
        const Resolved other =
            resolved(Files{.writable = {"/usr"}, .protected_paths = {"/usr/.git"}});
        expect(other.complaints().empty() && other.rule("/usr/.git") == "none");
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("what another sandbox keeps absent is absent") {
    const Place place;
    const std::string git = place.link("src/.git", "/proc/syncspawn/absent");
    const Resolved kept =
        resolved(Policy{.files = {.writable = {place / "src"}, .protected_paths = {git + "/hooks"}},
                        .services = Services::host});
    CHECK(kept.complaints().empty());
    CHECK(kept.rule(git) == "protected absent");
    CHECK(kept.view.links.empty());
    CHECK(contains(resolved(Files{.writable = {git}}).complaints(), "does not exist"));
}

TEST_CASE("protecting a link protects the link and what it leads to") {
    const Place place;
    const std::string target = place.made("src/real");
    const std::string link = place.link("src/.git", "real");
    const Resolved direct = resolved(Files{.writable = {place / "src"}, .protected_paths = {link}});
    CHECK(direct.rule(link) == "protected link");
    CHECK(direct.rule(target) == "protected");
    // Behind a link: what is protected could else be replaced with the link.
    const std::string behind = place.file("src/real/config", "", 0644);
    const Resolved far =
        resolved(Files{.writable = {place / "src"}, .protected_paths = {link + "/config"}});
    CHECK(far.rule(link) == "protected link");
    CHECK(far.rule(behind) == "protected file");
    const std::string dangling = place.link("src/dangling", "nothing");
    const Resolved none =
        resolved(Files{.writable = {place / "src"}, .protected_paths = {dangling}});
    CHECK(none.rule(dangling) == "protected link");
    CHECK(none.rule(place / "src/nothing") == "protected absent");
}

TEST_CASE("a link that an earlier program may have made is not followed to what is shown") {
    const Place place;
    const std::string src = place / "src";
    CHECK(chmod(src.c_str(), 0777) == 0);
    const std::string link = place.link("src/out", place.made("outside"));
    const std::string text = " '" + link + "': is reached by the symbolic link '" + link +
                             "', which lies where the program may write, so an earlier program "
                             "may have made it; name what it leads to";
    CHECK(contains(resolved(Files{.writable = {src, link}}).complaints(), "files.writable" + text));
    CHECK(contains(resolved(Files{.writable = {src}, .read_only = {link}}).complaints(),
                   "files.read_only" + text));
    CHECK(resolved(Files{.writable = {src}, .protected_paths = {link}}).complaints().empty());
    CHECK(resolved(Files{.writable = {src}, .hidden = {link}}).complaints().empty());
    // Where no program of this policy could have made it.
    CHECK(resolved(Files{.writable = {link}}).complaints().empty());
    CHECK(resolved(Files{.writable = {place.link("beside", src)}}).complaints().empty());
    // Up, to what it lies in itself.
    CHECK(contains(resolved(Files{.writable = {place.link("src/up", ".")}}).complaints(),
                   "name what it leads to"));
}

TEST_CASE("a directory on the way to what is protected cannot be moved aside") {
    const Place place;
    (void)place.made("src/a");
    (void)place.made("src/a/b");
    const std::string git = place.made("src/a/b/.git");
    const Resolved deep = resolved(Files{.writable = {place / "src"}, .protected_paths = {git}});
    CHECK(deep.rule(place / "src/a") == "writable");
    CHECK(deep.rule(place / "src/a/b") == "writable");
    CHECK(deep.rule(git) == "protected");
}

TEST_CASE("nor can one on the way to what is hidden or read-only within what is writable") {
    const Place place;
    (void)place.made("src/conf");
    (void)place.made("src/tools");
    const std::string keys = place.made("src/conf/keys");
    const std::string fixed = place.made("src/tools/fixed");
    const Resolved deep =
        resolved(Files{.writable = {place / "src"}, .read_only = {fixed}, .hidden = {keys}});
    CHECK(deep.rule(keys) == "hidden");
    CHECK(deep.rule(place / "src/conf") == "writable");
    CHECK(deep.rule(place / "src/tools") == "writable");
    // Where nothing can be moved, nothing need be pinned, and nothing of the host comes into a private tmp.
    CHECK(resolved(Files{.hidden = {keys}}).rule(place / "src/conf") == "none");
    const Resolved in_tmp = resolved(
        Policy{.files = {.tree = Tree::host, .hidden = {keys}}, .services = Services::host});
    CHECK(in_tmp.rule(place / "src/conf") == "none");
}

TEST_CASE("what is hidden is what a link leads to, or nothing where there is nothing") {
    const Place place;
    const std::string keys = place.made("keys");
    const std::string link = place.link("src/keys", "../keys");
    const Resolved hidden = resolved(Files{.hidden = {link, place / "none"}});
    CHECK(hidden.problems.empty());
    CHECK(hidden.rule(keys) == "hidden");
    CHECK(hidden.rule(place / "none") == "none");
    CHECK(hidden.view.links.size() == 1);
    CHECK(hidden.view.links.front().target == "../keys");
}

TEST_CASE("all problems with paths are reported at once, each with what would be right") {
    const Place place;
    const std::string src = place / "src";
    const Resolved wrong = resolved(Files{.writable = {"src", src, src, place / "missing/x"},
                                          .read_only = {"", std::string("/a\0b", 4)},
                                          .protected_paths = {place.link("circle", "circle")},
                                          .hidden = {place.link("same", "src")}});
    CHECK(wrong.problems.size() == 7);
    const std::string text = wrong.complaints();
    CHECK(contains(text, "files.writable 'src': is not absolute; begin it with a '/'"));
    CHECK(contains(text, "files.writable '" + src + "': is named twice; name it once"));
    CHECK(contains(text, "does not exist: there is no '" + (place / "missing") + "'; make it"));
    CHECK(contains(text, "files.read_only '': is not absolute"));
    CHECK(contains(text, "has a NUL in it"));
    CHECK(contains(text, "cannot be looked at, at '" + place.path()));
    CHECK(contains(text, "is writable, too, by files.writable '" + src + "'; leave one of them"));
}

TEST_CASE("two names of one path may say the same, and protected may be read-only, too") {
    const Place place;
    const std::string src = place / "src";
    const Resolved same = resolved(Files{.writable = {place.path()},
                                         .read_only = {src, place.link("same", "src")},
                                         .protected_paths = {src}});
    CHECK(same.complaints().empty());
    CHECK(same.rule(src) == "protected");
}

TEST_CASE(
    "a rule cannot take the place of what the sandbox makes itself, but names what is below") {
    const Resolved at = resolved(Policy{.files = {.writable = {"/tmp"},
                                                  .read_only = {"/dev", "/proc/self"},
                                                  .hidden = {"/dev/null"}},
                                        .services = Services::host});
    CHECK(at.problems.size() == 3);
    CHECK(contains(at.complaints(), "files.writable '/tmp': is where the private tmp is; turn"));
    CHECK(at.rule("/dev/null") == "hidden file");
    const Place place;
    const Resolved below = resolved(Policy{.files = {.read_only = {place / "src"}}});
    CHECK(below.view.private_tmp == "/tmp");
    CHECK(below.rule(place / "src") == "read-only");
}

TEST_CASE("services are hidden where they listen, but for those that are named") {
    const Place place;
    const std::string path = place / "src/service";
    const UniqueFd socket = bound_socket(path);
    REQUIRE(socket);

    Policy policy{.files = {.private_tmp = false}};
    CHECK(resolved(policy).rule(path) == "hidden file");
    CHECK(resolved(policy).rule("/run") == "hidden");
    policy.files.writable = {path};
    CHECK(resolved(policy).rule(path) == "writable file");
    policy.files.writable = {};
    policy.files.private_tmp = true;
    CHECK(resolved(policy).rule(path) == "none");
    policy = {.files = {.private_tmp = false}, .services = Services::host};
    CHECK(resolved(policy).rule(path) == "none");
}

TEST_CASE("a path that the caller may not follow is a problem, and no guess") {
    const Place place;
    const std::string closed = place.made("closed");
    chmod(place.path().c_str(), 0755);
    chmod(closed.c_str(), 0);
    Peer peer([&] {
        become_ordinary_user();
        const Resolved refused = resolved(Files{.hidden = {closed + "/secret"}});
        expect(contains(refused.complaints(), "ermission denied"));
    });
    CHECK(peer.ending() == reached_the_end);
}

TEST_CASE("file systems in memory are no larger than the policy's memory") {
    const FileView view{.rules = {{"/", FileAccess::read_only, FileRule::Kind::directory},
                                  {"/home", FileAccess::hidden, FileRule::Kind::directory},
                                  {"/home/me", FileAccess::read_only, FileRule::Kind::directory}},
                        .private_tmp = "/tmp",
                        .further_tmp = "/var/tmp",
                        .has_device_tree = true};
    const auto count_with = [&view](std::optional<std::uint64_t> memory) {
        const auto operations = operations_of(view, ProcBy::fresh, memory).all;
        return std::count_if(operations.begin(), operations.end(),
                             [](const FileOperation& one) { return one.size == 1000U; });
    };
    CHECK(count_with(1000) == 4);
    CHECK(count_with({}) == 0);
}
