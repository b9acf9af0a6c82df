#pragma once

#include <string>
#include <vector>

#include <syncspawn/sandbox/policy.hpp>

namespace syncspawn::tools {

// The values of a policy's words. All throw std::invalid_argument, which says what would be right.

// Below the directory of this process, if it is relative. Empty: refused.
std::string absolute_path(const std::string& path);
sandbox::Tree parse_tree(const std::string& text);
sandbox::Network parse_network(const std::string& text);
sandbox::Services parse_services(const std::string& text);
// "1.5"
double parse_cpu_count(const std::string& text);
// One, or "all".
std::vector<sandbox::Guarantee> parse_guarantees(const std::string& text);

// NAME=ADDRESS[,OUTSIDE]
struct DoorWords {
    sandbox::Door door{};
    std::string outside{};  // the same address, if none is named
};
DoorWords parse_door(const std::string& text);

// NAME=FD
struct BoundDescriptor {
    std::string name{};
    int number = -1;
};
BoundDescriptor parse_bound_descriptor(const std::string& text);

}  // namespace syncspawn::tools
