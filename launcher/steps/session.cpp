#include <syncspawn/launcher/steps/session.hpp>

#include <stdexcept>

#include "child/session.hpp"

namespace syncspawn::steps {

Step new_session() { return {.name = "new session", .child = shared_memory(lead_session)}; }

Step controlling_terminal(int terminal) {
    if (terminal < 0) {
        throw std::invalid_argument("syncspawn: the controlling terminal must be a descriptor");
    }
    return {.name = "controlling terminal",
            .child = shared_memory([terminal](ChildSide& side) {
                const std::error_code error = lead_session(side);
                return error ? error : take_terminal(side, terminal);
            }),
            .descriptors = {terminal}};
}

}  // namespace syncspawn::steps
