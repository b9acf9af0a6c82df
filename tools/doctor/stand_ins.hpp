#pragma once

#include <string>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/sandbox/bindings.hpp>
#include <syncspawn/sandbox/policy.hpp>

namespace syncspawn::tools {

// What the names in a policy stand for while it is judged: nothing, an empty file or an empty directory.
class StandIns {
public:
    explicit StandIns(const sandbox::Policy& policy);
    ~StandIns();
    StandIns(const StandIns&) = delete;
    StandIns& operator=(const StandIns&) = delete;

    [[nodiscard]] const sandbox::Bindings& bindings() const noexcept { return bindings_; }

private:
    void bind(const std::string& name, const std::string& path, int flags);
    void make_empty_ones();

    std::string place_{};  // a directory of its own; empty: none was needed
    std::vector<UniqueFd> opened_{};
    sandbox::Bindings bindings_{};
};

}  // namespace syncspawn::tools
