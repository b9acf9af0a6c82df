#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/launcher/step.hpp>

#include "launcher/plan/schedule.hpp"

namespace syncspawn::detail {

// What the child's parts have sent (ChildSide::send_descriptor()), until the parent's take it. It never waits, and trusts
// nothing: the child may send anything, as often as it likes.
class SentDescriptors {
public:
    // What is wrong with what has come.
    struct Fault {
        int error;
        std::string what;
    };

    explicit SentDescriptors(const Schedule& schedule) noexcept : schedule_(schedule) {}
    // None: no step sends.
    void open(UniqueFd socket) noexcept { socket_ = std::move(socket); }
    void close() noexcept;

    // Reads what has come. Once something is wrong, it stays so, and nothing more is read.
    void read();
    [[nodiscard]] const std::optional<Fault>& fault() const noexcept { return fault_; }
    // Throws std::logic_error if there is none of this step, std::system_error if there is a fault.
    UniqueFd take(const Step& step);

private:
    struct Letters {
        std::deque<UniqueFd> waiting{};
        int count = 0;  // those that were taken, too
    };
    bool read_one();
    std::optional<Fault> keep(UniqueFd descriptor, std::uint32_t item);

    const Schedule& schedule_;
    UniqueFd socket_;
    std::map<const Step*, Letters> letters_;
    std::optional<Fault> fault_;
};

}  // namespace syncspawn::detail
