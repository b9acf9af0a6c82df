#pragma once

#include <poll.h>
#include <unistd.h>

#include <boost/asio/execution_context.hpp>
#include <cstddef>
#include <mutex>
#include <new>
#include <vector>

#include <syncspawn/boost/version.hpp>

namespace syncspawn::for_boost::detail {

/// The launches and runs under way in one execution context. If you destroy that, Asio destroys its operations
/// one after another, and each would wait for its programs to end. This list makes it faster: all are told to
/// end before the first is waited for.
///
/// A context shuts down its youngest service first. So create what the operations wait on before this one.
class UnderWay : public asio::execution_context::service {
public:
    using key_type = UnderWay;                     // NOLINT(readability-identifier-naming): Asio's
    inline static asio::execution_context::id id;  // NOLINT: the names of both are its

    /// One of them. It has begun, so it has a descriptor.
    class Entry {
    public:
        Entry() = default;
        virtual ~Entry() = default;
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;
        /// Tells it to end.
        virtual void abandon() = 0;
        /// True once it is over. Else to be called again when the descriptor is readable.
        virtual bool advance() = 0;
        [[nodiscard]] virtual int descriptor() const = 0;
    };

    explicit UnderWay(asio::execution_context& context) : service(context) {}

    void add(Entry& entry) {
        const std::lock_guard lock(mutex_);
        entries_.push_back({&entry, getpid()});
    }
    void remove(Entry& entry) noexcept {
        const std::lock_guard lock(mutex_);
        std::erase_if(entries_, [&](const Owned& one) { return one.entry == &entry; });
    }

private:
    struct Owned {
        Entry* entry;
        pid_t owner;
    };

    void shutdown() override {
        const std::lock_guard lock(mutex_);
        // After fork(2) the child has a copy of this list, but what is on it is its parent's.
        std::erase_if(entries_, [](const Owned& one) { return one.owner != getpid(); });
        try {
            end_all();
        } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): destructors do the rest
        }
    }
    void end_all() {
        constexpr pollfd seems_ready{-1, POLLIN, POLLIN};
        std::vector<pollfd> watched(entries_.size(), seems_ready);
        for (const Owned& one : entries_) {
            one.entry->abandon();
        }
        for (advance_the_ready(watched); !entries_.empty(); advance_the_ready(watched)) {
            if (poll(watched.data(), watched.size(), -1) < 0) {
                watched.assign(watched.size(), seems_ready);
            }
        }
    }
    /// Leaves those in both lists that are not over.
    void advance_the_ready(std::vector<pollfd>& watched) {
        std::size_t left = 0;
        for (std::size_t one = 0; one < entries_.size(); ++one) {
            if (watched[one].revents == 0 || !is_over(*entries_[one].entry)) {
                entries_[left] = entries_[one];
                watched[left++] = {entries_[one].entry->descriptor(), POLLIN, 0};
            }
        }
        entries_.resize(left);
        watched.resize(left);
    }
    static bool is_over(Entry& entry) noexcept {
        try {
            return entry.advance();
        } catch (...) {  // no memory
            return true;
        }
    }

    std::mutex mutex_;
    std::vector<Owned> entries_;
};

/// Keeps a launch or a run on the list of a context. It must not move meanwhile.
template <class Work>
class Listed final : public UnderWay::Entry {
public:
    Listed(asio::execution_context& context, Work& work)
        : list_(asio::use_service<UnderWay>(context)), work_(work) {
        list_.add(*this);
    }
    ~Listed() override { list_.remove(*this); }
    Listed(const Listed&) = delete;
    Listed& operator=(const Listed&) = delete;

private:
    void abandon() override {
        if constexpr (requires { work_.abandon(); }) {
            work_.abandon();
        } else {
            work_.cancel();
        }
    }
    bool advance() override { return work_.advance(); }
    [[nodiscard]] int descriptor() const override { return work_.descriptor(); }

    UnderWay& list_;
    Work& work_;
};

}  // namespace syncspawn::for_boost::detail
