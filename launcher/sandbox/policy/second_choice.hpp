#pragma once

#include <string>

#include <syncspawn/sandbox/enforcement.hpp>
#include <syncspawn/sandbox/machine.hpp>
#include <syncspawn/sandbox/policy.hpp>

namespace syncspawn::sandbox {

// What holds a guarantee less than whole. Without a mechanism there is none, for the reason that is given.
struct SecondChoice {
    std::string mechanism{};
    std::string gap{};
    std::string why_not{};
};

SecondChoice files_by_landlock(const Machine& machine, bool may_filter);
// Landlock before version 3 does not know truncate(2): all that the user may write could be emptied.
bool takes_filter_of_truncate(const Machine& machine) noexcept;
SecondChoice network_by_families(const Policy& policy, const Machine& machine);
// Sockets with a path are hidden, or abstract ones are out of reach: by another network, or by Landlock's scopes.
SecondChoice services_by_half(bool is_hidden, bool is_apart, bool is_scoped);
SecondChoice processes_by_landlock(const Machine& machine);
// Where this is why there is no new one.
SecondChoice present_proc(const Ability& fresh_proc);

// For abstract sockets and signals.
bool has_scopes(const Machine& machine) noexcept;
std::string why_no_scopes(const Machine& machine);

// What a refusal says of it, behind the remedy.
std::string offer_of(Guarantee guarantee, const SecondChoice& second);

}  // namespace syncspawn::sandbox
