#include "enforcement_reader.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "tools/messages.hpp"

namespace syncspawn::tools {
namespace {

// The numbers below may be the program's by then.
constexpr int out_of_the_way = 500;

UniqueFd moved_up(int fd) {
    UniqueFd low(fd);
    UniqueFd high(fcntl(low.get(), F_DUPFD_CLOEXEC, out_of_the_way));
    return high ? std::move(high) : std::move(low);
}

}  // namespace

class EnforcementReader::Printer : public Observer {
public:
    explicit Printer(const EnforcementReader& reader) : reader_(reader) {}
    void runs(const Process& /*program*/) override {
        dprintf(reader_.file_ ? reader_.file_.get() : STDERR_FILENO, "%s", reader_.report_.c_str());
    }

private:
    const EnforcementReader& reader_;
};

EnforcementReader::EnforcementReader(sandbox::Sandbox sandbox, const std::string& file)
    : sandbox_(std::move(sandbox)) {
    if (!file.empty()) {
        file_.reset(open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
        if (!file_) {
            throw Complaints(
                {"--enforcement=" + file + ": " + std::generic_category().message(errno)});
        }
    }
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        throw std::system_error(errno, std::generic_category(), "socketpair");
    }
    own_ = UniqueFd(ends[0]);
    childs_ = moved_up(ends[1]);
}

std::unique_ptr<Observer> EnforcementReader::observer() { return std::make_unique<Printer>(*this); }

Step EnforcementReader::step() {
    const int childs = childs_.get();
    return {.name = "enforcement is read back",
            .parent = [this](ParentSide& side) { child_ = side.child_pid(); },
            .last = shared_memory([childs](ChildSide& side) {
                char answer = 0;
                if (write(childs, "?", 1) != 1) {
                    return side.fail("write");
                }
                ssize_t size = -1;
                do {
                    size = read(childs, &answer, 1);
                } while (size < 0 && errno == EINTR);
                return size == 1 ? side.done() : side.fail("read");
            }),
            .descriptors = {childs}};
}

void EnforcementReader::advance() {
    char question = 0;
    if (recv(own_.get(), &question, 1, MSG_DONTWAIT) != 1) {
        return;
    }
    report_ = sandbox_.enforcement(child_).to_string();
    (void)send(own_.get(), "!", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace syncspawn::tools
