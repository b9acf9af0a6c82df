#include "sent_descriptors.hpp"

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "barrier/linux/descriptor_message.hpp"
#include "barrier/linux/fresh_descriptor.hpp"
#include "launcher/child/message.hpp"

namespace syncspawn::detail {
namespace {

// One message, whatever it is. The kernel closes what does not fit.
struct Received {
    ssize_t size = -1;
    int flags = 0;
    Message item = 0;
    UniqueFd descriptor{};
};

Received receive(int socket) noexcept {
    Received received;
    DescriptorMessage message(received.item);
    do {
        received.size = message.receive(socket, MSG_DONTWAIT);
    } while (received.size < 0 && errno == EINTR);
    received.descriptor.reset(message.descriptor());
    received.flags = message.flags();
    return received;
}

// The kernel drops it without a word where there is no number for it.
bool is_there_room(const UniqueFd& any) noexcept {
    const UniqueFd another(duplicate_from(any.get(), 0));
    return static_cast<bool>(another);
}

SentDescriptors::Fault protocol_error(std::string what) { return {EPROTO, std::move(what)}; }

}  // namespace

void SentDescriptors::close() noexcept {
    socket_.reset();
    letters_.clear();
}

void SentDescriptors::read() {
    while (socket_ && !fault_ && read_one()) {
    }
}

// False if there is none, or there will be none.
bool SentDescriptors::read_one() {
    Received received = receive(socket_.get());
    if (received.size < 0 && errno != EAGAIN && errno != ECONNRESET) {
        fault_ = {errno, "recvmsg"};
    }
    const bool is_end = received.size == 0 && !received.descriptor &&
                        (received.flags & MSG_CTRUNC) == 0;  // the child has closed its end
    if (received.size < 0 || is_end) {
        return false;
    }
    if (!received.descriptor && (received.flags & MSG_CTRUNC) != 0 && !is_there_room(socket_)) {
        fault_ = {errno, "recvmsg"};
    } else if (!received.descriptor || received.size != sizeof(Message) ||
               (received.flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        fault_ = protocol_error("the child has sent something else than a descriptor");
    } else {
        fault_ = keep(std::move(received.descriptor), received.item);
    }
    return true;
}

std::optional<SentDescriptors::Fault> SentDescriptors::keep(UniqueFd descriptor,
                                                            std::uint32_t item) {
    const Step* const step = item < schedule_.items.size() ? schedule_.items[item].step : nullptr;
    if (step == nullptr || step->sends_descriptors == 0) {
        return protocol_error("the child has sent a descriptor as another step's");
    }
    Letters& letters = letters_[step];
    if (++letters.count > step->sends_descriptors) {
        return protocol_error("the child has sent more than " +
                              std::to_string(step->sends_descriptors) + " descriptors of '" +
                              step->name + "'");
    }
    UniqueFd own(above_standard_streams(descriptor.release()));
    if (!own) {
        return Fault{errno, "fcntl(F_DUPFD_CLOEXEC)"};
    }
    letters.waiting.push_back(std::move(own));
    return std::nullopt;
}

UniqueFd SentDescriptors::take(const Step& step) {
    read();
    if (fault_) {
        throw std::system_error(fault_->error, std::generic_category(), fault_->what);
    }
    std::deque<UniqueFd>& waiting = letters_[&step].waiting;
    if (waiting.empty()) {
        throw std::logic_error("syncspawn::ParentSide: the child's parts of '" + step.name +
                               "' have sent no " + (letters_[&step].count > 0 ? "further " : "") +
                               "descriptor");
    }
    UniqueFd next = std::move(waiting.front());
    waiting.pop_front();
    return next;
}

}  // namespace syncspawn::detail
