#include "guardian_program.hpp"

#include <asm/errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "guardian_orders.hpp"
#include "program_calls.hpp"

// The second program in the file of the reaper: README.md, "The guardian".

#ifdef SYNCSPAWN_CAN_SHARE_MEMORY

namespace syncspawn::detail {
namespace {

constexpr int no_descriptor = -1;

bool is_same(const char* left, const char* right) noexcept {
    while (*left != '\0' && *left == *right) {
        ++left;
        ++right;
    }
    return *left == *right;
}

long number_from(const char* digit) noexcept {
    long number = 0;
    for (; *digit != '\0'; ++digit) {
        number = number * 10 + (*digit - '0');
    }
    return number;
}

// It has no signals, and keeps no directory busy.
void settle() noexcept {
    call(SYS_rt_sigprocmask, SIG_SETMASK, address_of(all_signals), no_argument, size_of_signals);
    call(SYS_chdir, text_at("/"));
    call(SYS_prctl, PR_SET_NAME, text_at("guardian"));
}

// A cmsghdr(3) and its data, which has no such member in C++.
struct MessagePart {
    unsigned long size;
    int level;
    int type;
    int descriptor;
};

// What a message brings, or no descriptor.
int received() noexcept {
    char told = '\0';
    iovec payload;
    payload.iov_base = &told;
    payload.iov_len = sizeof told;
    MessagePart part;
    part.type = 0;
    msghdr message;
    message.msg_name = nullptr;
    message.msg_namelen = 0;
    message.msg_iov = &payload;
    message.msg_iovlen = 1;
    message.msg_control = &part;
    message.msg_controllen = CMSG_LEN(sizeof part.descriptor);
    message.msg_flags = 0;
    if (call(SYS_recvmsg, guardians_socket, address_of(message), MSG_DONTWAIT) <= 0) {
        return no_descriptor;
    }
    return part.type == SCM_RIGHTS ? part.descriptor : no_descriptor;
}

// The launcher's end is no hang-up of the socket: copies of the launcher by fork(2) may have that. But what it has
// said before is heard first.
void await_end_of_sandbox() noexcept {
    pollfd events[2];
    events[0].fd = guardians_launcher;
    events[1].fd = guardians_socket;
    events[0].events = events[1].events = POLLIN;
    for (;;) {
        events[0].revents = events[1].revents = 0;
        // A filter of the launcher's may refuse it. Then the next launch removes what is left.
        const long ready = call(SYS_ppoll, address_of(events), 2);
        if (ready < 0 && ready != -EINTR) {
            leave(1);
        }
        if (events[1].revents != 0) {
            const int sandbox = received();
            events[0].fd = sandbox != no_descriptor ? sandbox : events[0].fd;
            events[1].fd = no_descriptor;
        } else if (events[0].revents != 0) {
            return;
        }
    }
}

bool lock(short type, long byte) noexcept {
    struct flock wanted;
    wanted.l_type = type;
    wanted.l_whence = SEEK_SET;
    wanted.l_start = byte;
    wanted.l_len = 1;
    wanted.l_pid = 0;
    return call(SYS_fcntl, guardians_locks, F_OFD_SETLK, address_of(wanted)) == 0;
}

bool says(long directory, const char* name, const char* target) noexcept {
    constexpr long most = 64;
    char found[most + 1];
    const long size = call(SYS_readlinkat, directory, text_at(name), address_of(found), most);
    if (size < 0) {
        return false;
    }
    found[size] = '\0';
    return is_same(found, target);
}

struct Link {
    long directory;
    const char* name;
    long byte;
    const char* record;
};

// As Placeholders::let_go() does: the last who needs it removes it.
void remove(const Link& link, const char* target) noexcept {
    lock(F_UNLCK, link.byte);
    if (!lock(F_WRLCK, link.byte)) {
        return;
    }
    if (says(link.directory, link.name, target)) {
        call(SYS_unlinkat, link.directory, text_at(link.name));
    }
    call(SYS_unlinkat, guardians_registry, text_at(link.record));
    lock(F_UNLCK, link.byte);
}

}  // namespace

bool is_guardian(const char* const* arguments) noexcept {
    return is_same(arguments[1], word_for_guardian);
}

void guard(const char* const* arguments) noexcept {
    settle();
    await_end_of_sandbox();
    const char* const target = arguments[2];
    for (const char* const* at = arguments + 3; *at != nullptr; at += 4) {
        remove({number_from(at[0]), at[1], number_from(at[2]), at[3]}, target);
    }
    leave(0);
}

}  // namespace syncspawn::detail

#endif
