#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <syncspawn/barrier/unique_fd.hpp>
#include <syncspawn/sandbox/sandbox.hpp>

#include "connection.hpp"
#include "outside_address.hpp"
#include "tools/supervise/loop_client.hpp"

namespace syncspawn::tools {

// Passes on what comes through the doors of a program, in this process: it accepts inside, connects outside, and
// relays bytes both ways.
class DoorRelay : public LoopClient {
public:
    // As many connections at a time; further ones wait in the door.
    static constexpr std::size_t most_connections = 256;

    // Where each door leads, by its name.
    explicit DoorRelay(std::map<std::string, OutsideAddress> outside);

    // For the Sandbox. The relay must outlive the launch.
    [[nodiscard]] sandbox::DoorReceiver receiver();

    [[nodiscard]] int descriptor() const override { return events_.get(); }
    void advance() override;

    // The program has ended: what it has sent still goes out, in this time at most.
    void finish(std::chrono::nanoseconds within);

private:
    struct OpenedDoor {
        sandbox::OpenDoor door;
        const OutsideAddress& outside;
        bool is_watched = false;
        bool has_complained = false;
    };
    struct Passage {
        Connection connection;
        std::size_t door;  // in doors_
    };

    void open(sandbox::OpenDoor door);
    void accept_all(std::size_t door);
    void watch_doors();
    void connect(std::uint64_t key, Passage& passage);
    void watch(std::uint64_t key, Connection& connection);
    void watch(std::uint64_t key, Connection::End& end, std::uint32_t wanted);
    void advance_connection(std::uint64_t key, std::uint32_t side);
    void try_again_soon();
    void try_again();
    void complain_of_refusal(std::size_t door, int error);
    [[nodiscard]] bool has_sent_all() const;

    std::map<std::string, OutsideAddress> outside_;
    UniqueFd events_;  // epoll
    UniqueFd timer_;   // for what is to be tried again
    std::vector<OpenedDoor> doors_{};
    std::map<std::uint64_t, Passage> passages_{};
    std::uint64_t next_key_ = 0;
    bool accepts_ = true;
    bool rests_ = false;  // for want of descriptors
};

}  // namespace syncspawn::tools
