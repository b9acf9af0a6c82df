#pragma once

#include <set>
#include <string_view>

#include <syncspawn/launcher/spawn_options.hpp>

#include "speaker.hpp"
#include "tools/by_hand/gates.hpp"
#include "tools/by_hand/restrictions.hpp"
#include "tools/by_hand/surroundings.hpp"

namespace syncspawn::tools::bwrap {

enum class Answer { launch, help, version, usage };

// What the command line asks for.
struct Request {
    Answer answer = Answer::usage;  // until there is a command
    SpawnOptions spawn{.program = "-"};
    Surroundings surroundings{};
    Restrictions restrictions{};
    Gates gates{};
    bool new_session = false;
    bool names_what_is_left_out = false;  // --not-a-security-boundary

    Speaker speaker{};
    std::set<std::string_view> single_options{};  // given so far, of those that count once
};

}  // namespace syncspawn::tools::bwrap
