#include "policy.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include <syncspawn/sandbox/policy_file.hpp>

#include "policy_words.hpp"
#include "tools/command_line/values.hpp"

namespace syncspawn::tools {
namespace {

using sandbox::Files;
using sandbox::Network;
using sandbox::Policy;

using PathList = std::vector<std::string> Files::*;

// Adds rows, each of which is a change of the policy.
class Rows {
public:
    Rows(std::vector<Option>& rows, PolicySettings& settings) : rows_(rows), settings_(settings) {}

    // `change` makes the function that changes a policy of the option's value.
    template <class Change>
    void add(const char* name, const char* argument, const char* help, Change change) {
        add_plain(name, argument, help, [&settings = settings_, change](const Given& given) {
            settings.changes.emplace_back(change(given));
        });
    }

    void add_plain(const char* name, const char* argument, const char* help,
                   std::function<void(const Given&)> apply) {
        rows_.push_back(
            {name, argument, help, rows_.size() == first_ ? "Policy" : "",
             [&settings = settings_, name, apply = std::move(apply)](const Given& given) {
                 apply(given);
                 if (!settings.is_used()) {
                     settings.first_option = name;
                 }
             }});
    }

    // The policy's key is what the library calls the list.
    void add_paths(const char* name, const char* key, PathList list, const char* help) {
        add(name, "PATH", help, [&settings = settings_, name, key, list](const Given& given) {
            const std::string path = absolute_path(*given.value);
            settings.words[std::string(key) + " '" + path + "'"] =
                std::string(name) + " " + *given.value;
            return [list, path](Policy& policy) { (policy.files.*list).push_back(path); };
        });
    }

private:
    std::vector<Option>& rows_;
    PolicySettings& settings_;
    std::size_t first_ = rows_.size();
};

void set_door(Policy& policy, const sandbox::Door& door) {
    for (sandbox::Door& other : policy.doors) {
        if (other.name == door.name) {
            other = door;
            return;
        }
    }
    policy.doors.push_back(door);
}

void add_files(Rows& rows) {
    rows.add_paths("--writable", "files.writable", &Files::writable,
                   "Let it write PATH, and what is below");
    rows.add_paths("--read-only", "files.read_only", &Files::read_only,
                   "Let it read PATH, and not write");
    rows.add_paths("--hide", "files.hidden", &Files::hidden, "Keep PATH out of reach");
    rows.add_paths("--protect", "files.protected_paths", &Files::protected_paths,
                   "Let nobody inside change, remove, move or make PATH");
    rows.add("--tree", "WHAT",
             "What paths are that no word names: host-read-only (usual), host, named-only",
             [](const Given& given) {
                 return [tree = parse_tree(*given.value)](Policy& policy) {
                     policy.files.tree = tree;
                 };
             });
}

void add_network(Rows& rows, PolicySettings& settings) {
    rows.add("--network", "WHAT", "The network that it has: none (usual), loopback, host",
             [](const Given& given) {
                 return [network = parse_network(*given.value)](Policy& policy) {
                     policy.network = network;
                 };
             });
    rows.add("--no-network", "", "--network none",
             [](const Given&) { return [](Policy& policy) { policy.network = Network::none; }; });
    rows.add("--door", "NAME=ADDRESS[,OUTSIDE]",
             "Let it connect to ADDRESS, inside, and so to OUTSIDE on the host: 127.0.0.1:3128, "
             "[::1]:80, /a/socket or @name; OUTSIDE is usually the same",
             [&settings](const Given& given) {
                 DoorWords words = parse_door(*given.value);
                 settings.outside[words.door.name] = words.outside;
                 return [door = words.door](Policy& policy) { set_door(policy, door); };
             });
    rows.add("--services", "WHAT",
             "Services of the host on unix sockets, as D-Bus and docker: none (usual), host",
             [](const Given& given) {
                 return [services = parse_services(*given.value)](Policy& policy) {
                     policy.services = services;
                 };
             });
}

void add_limits(Rows& rows, PolicySettings& settings) {
    rows.add("--memory", "SIZE", "Memory of all its processes together: 512M, 2G",
             [&settings](const Given& given) {
                 settings.words["limits.memory"] = "--memory " + *given.value;
                 return [size = parse_size(*given.value)](Policy& policy) {
                     policy.limits.memory = size;
                 };
             });
    rows.add("--pids", "N", "Processes and threads, together", [&settings](const Given& given) {
        settings.words["limits.processes"] = "--pids " + *given.value;
        const auto number = static_cast<std::uint64_t>(
            parse_whole_number(*given.value, 1, std::numeric_limits<std::int64_t>::max()));
        return [number](Policy& policy) { policy.limits.processes = number; };
    });
    rows.add("--cpus", "N", "CPUs, together: 2, or 1.5", [&settings](const Given& given) {
        settings.words["limits.cpus"] = "--cpus " + *given.value;
        return [number = parse_cpu_count(*given.value)](Policy& policy) {
            policy.limits.cpus = number;
        };
    });
}

void add_file(Rows& rows, PolicySettings& settings) {
    rows.add_plain("--policy", "FILE", "Begin with the policy in FILE; the other words add to it",
                   [&settings](const Given& given) {
                       if (given.value->empty()) {
                           throw UsageError("must not be empty");
                       }
                       settings.file = *given.value;
                   });
    rows.add_plain(
        "--save-policy", "FILE",
        "Write the policy of this command line to FILE (- for stdout); without a PROGRAM "
        "that is all",
        [&settings](const Given& given) {
            if (given.value->empty()) {
                throw UsageError("must not be empty");
            }
            settings.save_to = *given.value;
        });
    rows.add_plain("--bind-descriptor", "NAME=FD",
                   "Descriptor FD is what the policy file calls NAME, a descriptor or a tree",
                   [&settings](const Given& given) {
                       const BoundDescriptor bound = parse_bound_descriptor(*given.value);
                       settings.descriptors[bound.name] = bound.number;
                   });
}

}  // namespace

void add_policy_options(std::vector<Option>& rows, PolicySettings& settings) {
    Rows words(rows, settings);
    words.add_plain(
        "--sandbox", "",
        "The strict policy: it reads the host's files, writes to a /tmp of its own, and "
        "has no network, no services, no privileges. Any other word here implies it",
        [](const Given&) {});
    add_files(words);
    add_network(words, settings);
    add_limits(words, settings);
    words.add("--accept-weaker", "GUARANTEE",
              "Where this machine cannot hold it whole, take the second choice: files, network, "
              "services, processes, privileges, system-calls, limits, or all",
              [](const Given& given) {
                  return [guarantees = parse_guarantees(*given.value)](Policy& policy) {
                      for (const sandbox::Guarantee guarantee : guarantees) {
                          auto& all = policy.accept_weaker;
                          if (std::find(all.begin(), all.end(), guarantee) == all.end()) {
                              all.push_back(guarantee);
                          }
                      }
                  };
              });
    add_file(words, settings);
}

Policy policy_of(const PolicySettings& settings) {
    Policy policy = settings.file.empty() ? Policy{} : sandbox::read_policy_file(settings.file);
    for (const auto& change : settings.changes) {
        change(policy);
    }
    return policy;
}

}  // namespace syncspawn::tools
