#include "policy_plan.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/sandbox/policy_file.hpp>

#include "tools/doors/door_relay.hpp"
#include "tools/messages.hpp"
#include "tools/report/enforcement_reader.hpp"

namespace syncspawn::tools {
namespace {

using sandbox::Policy;
using sandbox::Problem;

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

// What the library calls by members of Policy, in the words of the command line.
std::string in_words(Problem problem, const PolicySettings& settings) {
    const auto word = settings.words.find(problem.where);
    if (word != settings.words.end()) {
        problem.where = word->second;
    }
    std::string text = problem.to_string();
    const std::string_view naming = "name Guarantee::";
    const std::string_view list = " in accept_weaker for ";
    const std::size_t begin = text.find(naming);
    const std::size_t end = text.find(list, begin);
    if (begin != std::string::npos && end != std::string::npos) {
        std::string guarantee = text.substr(begin + naming.size(), end - begin - naming.size());
        std::replace(guarantee.begin(), guarantee.end(), '_', '-');
        text.replace(begin, end + list.size() - begin,
                     "say --accept-weaker " + guarantee + " for ");
    }
    return text;
}

[[noreturn]] void complain_of(const sandbox::PolicyError& error, const PolicySettings& settings) {
    std::vector<std::string> lines;
    bool is_the_machine = false;
    for (const Problem& problem : error.problems()) {
        lines.push_back(in_words(problem, settings));
        is_the_machine = is_the_machine || problem.guarantee;
    }
    if (is_the_machine) {
        lines.emplace_back("'syncspawn doctor' tells what this machine allows, and why not more");
    }
    throw Complaints(std::move(lines));
}

// A door of the file leads to the same address outside, unless a word says otherwise.
std::unique_ptr<DoorRelay> relay_for(const Policy& policy, const PolicySettings& settings) {
    if (policy.doors.empty()) {
        return nullptr;
    }
    std::map<std::string, OutsideAddress> outside;
    std::vector<std::string> wrong;
    for (const sandbox::Door& door : policy.doors) {
        const auto named = settings.outside.find(door.name);
        try {
            outside[door.name] = parse_outside_address(
                named == settings.outside.end() ? door.address : named->second);
        } catch (const std::invalid_argument& error) {
            wrong.push_back("door '" + door.name + "': " + error.what() + "; or say --door " +
                            door.name + "=" + door.address + ",OUTSIDE");
        }
    }
    if (!wrong.empty()) {
        throw Complaints(std::move(wrong));
    }
    return std::make_unique<DoorRelay>(std::move(outside));
}

[[noreturn]] void complain_of_file(const std::string& path) {
    throw Complaints({"--save-policy " + path + ": " + std::generic_category().message(errno)});
}

void write_file(const std::string& path, std::string_view text) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!file) {
        complain_of_file(path);
    }
    while (!text.empty()) {
        const ssize_t size = write(file.get(), text.data(), text.size());
        if (size < 0 && errno != EINTR) {
            complain_of_file(path);
        }
        text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    }
}

// What the program has sent through its doors right before its end still goes out.
class DoorsEnd : public Observer {
public:
    explicit DoorsEnd(DoorRelay& doors) : doors_(doors) {}
    void ended(const Process& /*program*/, const ExitStatus& /*status*/) override {
        doors_.finish(std::chrono::seconds(1));
    }

private:
    DoorRelay& doors_;
};

sandbox::Sandbox planned(const Policy& policy, const PolicySettings& settings, Pty* pty,
                         DoorRelay* doors) {
    try {
        return sandbox::Sandbox(policy,
                                {.descriptors = settings.descriptors,
                                 .terminal = pty == nullptr ? -1 : pty->terminal()},
                                doors == nullptr ? sandbox::DoorReceiver() : doors->receiver());
    } catch (const sandbox::PolicyError& error) {
        complain_of(error, settings);
    }
}

}  // namespace

void add_policy_surroundings(RunPlan& plan, RunSettings& settings) {
    const Policy policy = whole_policy(settings);
    std::unique_ptr<DoorRelay> doors = relay_for(policy, settings.policy);
    plan.sandbox = planned(policy, settings.policy, plan.pty.get(), doors.get());
    plan.sandbox->add_surroundings_to(plan.spawner);
    if (doors) {
        plan.observers.push_back(std::make_unique<DoorsEnd>(*doors));
        plan.clients.push_back(std::move(doors));
    }
}

void add_policy_restrictions(RunPlan& plan, const RunSettings& settings) {
    plan.sandbox->add_restrictions_to(plan.spawner);
    if (settings.inspection.enforcement) {
        auto reader =
            std::make_unique<EnforcementReader>(*plan.sandbox, *settings.inspection.enforcement);
        plan.spawner.step(reader->step());
        plan.observers.push_back(reader->observer());
        plan.clients.push_back(std::move(reader));
    }
}

Policy whole_policy(RunSettings& settings) {
    const PolicySettings& words = settings.policy;
    try {
        Policy policy = policy_of(words);
        move_into(policy, settings.restrictions);
        if (settings.surroundings.die_with_parent != Choice::by_manner) {
            policy.processes.die_with_parent = settings.surroundings.die_with_parent == Choice::on;
        }
        return policy;
    } catch (const sandbox::PolicyFileError& error) {
        throw Complaints(lines_of(error.what()));
    } catch (const std::system_error& error) {
        throw Complaints({"--policy " + words.file + ": " + error.code().message()});
    }
}

void save_policy(const Policy& policy, const std::string& path) {
    std::string text;
    try {
        text = to_text(policy);
    } catch (const std::invalid_argument& error) {
        throw Complaints({"--save-policy: " + std::string(error.what())});
    }
    if (path != "-") {
        write_file(path, text);
    } else if (print(text) != 0) {
        throw Complaints({});
    }
}

}  // namespace syncspawn::tools
