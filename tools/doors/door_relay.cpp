#include "door_relay.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <system_error>
#include <utility>

#include "tools/messages.hpp"

namespace syncspawn::tools {
namespace {

using Clock = std::chrono::steady_clock;

// Whose event it is: the timer's, a door's, or one end of a connection.
constexpr std::uint64_t timer_key = 0;
constexpr std::uint64_t first_door = 1;
constexpr std::uint64_t first_connection = 1U << 16U;
constexpr std::uint32_t inner_end = 0;
constexpr std::uint32_t outer_end = 1;

void must(bool has_worked, const char* what) {
    if (!has_worked) {
        throw std::system_error(errno, std::generic_category(), what);
    }
}

// So that an accept finds nobody, where the one who was there has given up meanwhile.
void make_nonblocking(int listener) {
    const int flags = fcntl(listener, F_GETFL);
    must(flags >= 0 && fcntl(listener, F_SETFL, flags | O_NONBLOCK) >= 0, "fcntl");
}

std::string in_words(int error) {
    std::string text = std::generic_category().message(error);
    text.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
    return text;
}

}  // namespace

DoorRelay::DoorRelay(std::map<std::string, OutsideAddress> outside)
    : outside_(std::move(outside)),
      events_(epoll_create1(EPOLL_CLOEXEC)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
    must(static_cast<bool>(events_), "epoll_create1");
    must(static_cast<bool>(timer_), "timerfd_create");
    epoll_event event{.events = EPOLLIN, .data = {.u64 = timer_key}};
    must(epoll_ctl(events_.get(), EPOLL_CTL_ADD, timer_.get(), &event) == 0, "epoll_ctl");
}

sandbox::DoorReceiver DoorRelay::receiver() {
    return [this](sandbox::OpenDoor door) { open(std::move(door)); };
}

void DoorRelay::open(sandbox::OpenDoor door) {
    make_nonblocking(door.listener.get());
    epoll_event event{.events = EPOLLIN | EPOLLONESHOT,
                      .data = {.u64 = first_door + doors_.size()}};
    must(epoll_ctl(events_.get(), EPOLL_CTL_ADD, door.listener.get(), &event) == 0, "epoll_ctl");
    const OutsideAddress& leads_to = outside_.at(door.name);
    doors_.push_back({.door = std::move(door), .outside = leads_to, .is_watched = true});
}

void DoorRelay::advance() {
    std::array<epoll_event, 64> events{};
    const int count = epoll_wait(events_.get(), events.data(), static_cast<int>(events.size()), 0);
    for (int index = 0; index < count; ++index) {
        const std::uint64_t key = events[static_cast<std::size_t>(index)].data.u64;
        if (key == timer_key) {
            try_again();
        } else if (key < first_connection) {
            doors_[key - first_door].is_watched = false;
            accept_all(key - first_door);
        } else {
            advance_connection((key - first_connection) / 2,
                               static_cast<std::uint32_t>(key - first_connection) % 2);
        }
    }
    watch_doors();
}

void DoorRelay::accept_all(std::size_t door) {
    while (passages_.size() < most_connections) {
        UniqueFd guest(accept4(doors_[door].door.listener.get(), nullptr, nullptr,
                               SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (guest) {
            const std::uint64_t key = next_key_++;
            const auto made = passages_.emplace(key, Passage{Connection(std::move(guest)), door});
            connect(key, made.first->second);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            rests_ = true;
            try_again_soon();
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

// Those that have accepted all, as long as there is room.
void DoorRelay::watch_doors() {
    for (std::size_t index = 0; index < doors_.size() && passages_.size() < most_connections;
         ++index) {
        OpenedDoor& opened = doors_[index];
        if (!opened.is_watched && accepts_ && !rests_) {
            epoll_event event{.events = EPOLLIN | EPOLLONESHOT,
                              .data = {.u64 = first_door + index}};
            opened.is_watched =
                epoll_ctl(events_.get(), EPOLL_CTL_MOD, opened.door.listener.get(), &event) == 0;
        }
    }
}

void DoorRelay::connect(std::uint64_t key, Passage& passage) {
    passage.connection.connect_to(doors_[passage.door].outside);
    switch (passage.connection.state()) {
        case Connection::State::unconnected:
            return try_again_soon();
        case Connection::State::refused:
            complain_of_refusal(passage.door, errno);
            passages_.erase(key);
            return;
        default:
            return watch(key, passage.connection);
    }
}

void DoorRelay::watch(std::uint64_t key, Connection& connection) {
    watch(first_connection + 2 * key + inner_end, connection.inside(), connection.wanted_inside());
    watch(first_connection + 2 * key + outer_end, connection.outside(),
          connection.wanted_outside());
}

void DoorRelay::watch(std::uint64_t key, Connection::End& end, std::uint32_t wanted) {
    if ((wanted & ~end.watched) == 0) {
        return;
    }
    epoll_event event{.events = wanted | EPOLLONESHOT, .data = {.u64 = key}};
    const int fd = end.socket.get();
    if (epoll_ctl(events_.get(), EPOLL_CTL_MOD, fd, &event) < 0) {
        must(errno == ENOENT && epoll_ctl(events_.get(), EPOLL_CTL_ADD, fd, &event) == 0,
             "epoll_ctl");
    }
    end.watched = wanted;
}

void DoorRelay::advance_connection(std::uint64_t key, std::uint32_t side) {
    const auto found = passages_.find(key);
    if (found == passages_.end()) {
        return;  // an event before this one has ended it
    }
    Connection& connection = found->second.connection;
    (side == inner_end ? connection.inside() : connection.outside()).watched = 0;
    connection.advance();
    if (connection.state() == Connection::State::refused) {
        complain_of_refusal(found->second.door, errno);
    }
    if (connection.is_over()) {
        passages_.erase(key);
    } else {
        watch(key, connection);
    }
}

void DoorRelay::try_again_soon() {
    constexpr long pause = 5'000'000;  // nanoseconds
    const itimerspec once{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = pause}};
    (void)timerfd_settime(timer_.get(), 0, &once, nullptr);
}

void DoorRelay::try_again() {
    std::uint64_t times = 0;
    (void)read(timer_.get(), &times, sizeof times);
    rests_ = false;
    std::vector<std::uint64_t> unconnected;
    for (const auto& [key, passage] : passages_) {
        if (passage.connection.state() == Connection::State::unconnected) {
            unconnected.push_back(key);
        }
    }
    for (const std::uint64_t key : unconnected) {
        connect(key, passages_.at(key));
    }
}

void DoorRelay::complain_of_refusal(std::size_t door, int error) {
    OpenedDoor& opened = doors_[door];
    if (!std::exchange(opened.has_complained, true)) {
        complain("door '" + opened.door.name + "': connect to " + opened.outside.text + ": " +
                 in_words(error));
    }
}

bool DoorRelay::has_sent_all() const {
    return std::all_of(passages_.begin(), passages_.end(), [](const auto& passage) {
        return passage.second.connection.has_sent_all();
    });
}

void DoorRelay::finish(std::chrono::nanoseconds within) {
    const auto end = Clock::now() + within;
    for (std::size_t door = 0; door < doors_.size(); ++door) {
        accept_all(door);
    }
    accepts_ = false;
    while (!has_sent_all() && Clock::now() < end) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
        pollfd events{.fd = events_.get(), .events = POLLIN, .revents = 0};
        (void)poll(&events, 1, static_cast<int>(std::max<long>(left.count(), 0)));
        advance();
    }
}

}  // namespace syncspawn::tools
