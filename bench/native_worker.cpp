// The worker for everything of ours, and for the bare system calls.

#include "worker.hpp"

int main(int argc, char** argv) {
    return syncspawn::bench::serve(argc, argv, [](const std::string& program) {
        std::vector<syncspawn::bench::Method> all = syncspawn::bench::methods_of(program);
        for (auto& method : syncspawn::bench::namespace_methods_of(program)) {
            all.push_back(std::move(method));
        }
        return all;
    });
}
