#include "resource_limits.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include "barrier/linux/bounded_text.hpp"

namespace syncspawn::steps {
namespace {

// As the kernel has them, on every processor.
struct Limits {
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;

    friend bool operator==(const Limits&, const Limits&) = default;
};

constexpr std::uint64_t unlimited = UINT64_MAX;

std::uint64_t of_the_kernel(rlim_t limit) noexcept {
    return limit == RLIM_INFINITY ? unlimited : std::uint64_t{limit};
}

Limits wanted(const ResourceLimit& limit, const Limits& present) noexcept {
    const std::uint64_t hard = limit.hard ? of_the_kernel(*limit.hard) : present.hard;
    return {limit.soft ? of_the_kernel(*limit.soft) : std::min(present.soft, hard), hard};
}

// Of a text that side.fail() cuts there anyway.
class Complaint {
public:
    explicit Complaint(const ResourceLimit& limit) noexcept : text_(buffer_) {
        text_ << name_of_resource(limit.resource) << ": ";
    }
    Complaint& operator<<(const char* words) noexcept {
        text_ << words;
        return *this;
    }
    Complaint& operator<<(std::uint64_t limit) noexcept {
        limit == unlimited ? text_ << "unlimited" : text_ << limit;
        return *this;
    }
    [[nodiscard]] const char* text() const noexcept { return buffer_; }

private:
    char buffer_[120] = {};
    detail::BoundedText text_;
};

bool exchange(int resource, const Limits* limits, Limits* present) noexcept {
    return syscall(SYS_prlimit64, 0, resource, limits, present) == 0;
}

std::error_code refusal(ChildSide& side, const ResourceLimit& limit, const Limits& present,
                        const Limits& next) noexcept {
    const int error = errno;
    Complaint why(limit);
    if (error != EPERM || next.hard <= present.hard) {
        why << "prlimit";
    } else {
        why << "raising the hard limit from " << present.hard << " to " << next.hard
            << " takes CAP_SYS_RESOURCE";
        if (limit.resource == RLIMIT_NOFILE) {
            why << ", up to fs.nr_open";
        }
    }
    return side.fail(error, why.text());
}

std::error_code set_limit(ChildSide& side, const ResourceLimit& limit, bool is_lowered) noexcept {
    Limits present;
    if (!exchange(limit.resource, nullptr, &present)) {
        return side.fail((Complaint(limit) << "prlimit").text());
    }
    Limits next = wanted(limit, present);
    if (next.soft > next.hard) {
        return side.fail(EINVAL, (Complaint(limit) << "the soft limit " << next.soft
                                                   << " would be above the hard one, " << next.hard)
                                     .text());
    }
    if (!is_lowered) {
        next = {std::max(next.soft, present.soft), std::max(next.hard, present.hard)};
    }
    return next == present || exchange(limit.resource, &next, nullptr)
               ? side.done()
               : refusal(side, limit, present, next);
}

}  // namespace

const char* name_of_resource(int resource) noexcept {
    switch (resource) {
        case RLIMIT_AS:
            return "RLIMIT_AS";
        case RLIMIT_CORE:
            return "RLIMIT_CORE";
        case RLIMIT_CPU:
            return "RLIMIT_CPU";
        case RLIMIT_DATA:
            return "RLIMIT_DATA";
        case RLIMIT_FSIZE:
            return "RLIMIT_FSIZE";
        case RLIMIT_LOCKS:
            return "RLIMIT_LOCKS";
        case RLIMIT_MEMLOCK:
            return "RLIMIT_MEMLOCK";
        case RLIMIT_MSGQUEUE:
            return "RLIMIT_MSGQUEUE";
        case RLIMIT_NICE:
            return "RLIMIT_NICE";
        case RLIMIT_NOFILE:
            return "RLIMIT_NOFILE";
        case RLIMIT_NPROC:
            return "RLIMIT_NPROC";
        case RLIMIT_RSS:
            return "RLIMIT_RSS";
        case RLIMIT_RTPRIO:
            return "RLIMIT_RTPRIO";
        case RLIMIT_RTTIME:
            return "RLIMIT_RTTIME";
        case RLIMIT_SIGPENDING:
            return "RLIMIT_SIGPENDING";
        case RLIMIT_STACK:
            return "RLIMIT_STACK";
        default:
            return nullptr;
    }
}

std::error_code set_limits(ChildSide& side, std::span<const ResourceLimit> limits) noexcept {
    for (const ResourceLimit& limit : limits) {
        const bool is_lowered = limit.resource != RLIMIT_NOFILE;
        if (const std::error_code error = set_limit(side, limit, is_lowered)) {
            return error;
        }
    }
    return side.done();
}

std::error_code settle_open_files(ChildSide& side, std::span<const ResourceLimit> limits) noexcept {
    for (const ResourceLimit& limit : limits) {
        if (limit.resource == RLIMIT_NOFILE) {
            return set_limit(side, limit, /*is_lowered=*/true);
        }
    }
    return side.done();
}

}  // namespace syncspawn::steps
